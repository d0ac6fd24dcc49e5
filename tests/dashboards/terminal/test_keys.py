from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.terminal.keys import SEQUENCE_BYTES_MAX, Key, KeyDecoder

SEQUENCES = {
    b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down", b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown", b"\x1b[H": "home", b"\x1b[4~": "end", b"\x1b[1;5A": "up", b"\x1b[Z": "backtab",
    b"\x1b[3~": "delete",
}  # fmt: skip


def names(keys: list[Key]) -> list[str]:
    return [key.name for key in keys]


@pytest.mark.parametrize(("piece", "name"), SEQUENCES.items())
def test_a_sequence_is_one_key(piece: bytes, name: str) -> None:
    assert names(KeyDecoder().feed(piece)) == [name]


@pytest.mark.parametrize(("piece", "name"), SEQUENCES.items())
def test_a_sequence_may_come_byte_by_byte(piece: bytes, name: str) -> None:
    decoder = KeyDecoder()
    assert names([key for byte in piece for key in decoder.feed(bytes([byte]))]) == [name]


def test_an_escape_alone_is_a_key_once_nothing_more_has_come() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.is_waiting
    assert names(decoder.flush()) == ["esc"]
    assert not decoder.is_waiting
    assert decoder.flush() == []


def test_characters_of_many_bytes_may_be_cut_anywhere() -> None:
    decoder = KeyDecoder()
    assert names([key for byte in "j漢é".encode() for key in decoder.feed(bytes([byte]))]) == ["j", "漢", "é"]


def test_what_is_unknown_is_swallowed_as_a_whole() -> None:
    assert names(KeyDecoder().feed(b"\x1b[99;7uj\x1b[200zq")) == ["j", "q"]


def test_a_sequence_without_an_end_does_not_eat_what_is_typed_for_ever() -> None:
    decoder = KeyDecoder()
    decoder.feed(b"\x1b[" + b"1" * SEQUENCE_BYTES_MAX)
    assert names(decoder.feed(b"q")) == ["q"]


def test_what_is_pasted_is_text_and_no_keys() -> None:
    decoder = KeyDecoder()
    keys = [key for byte in b"\x1b[200~dy\x1b[A\r\x1b[201~j" for key in decoder.feed(bytes([byte]))]
    assert keys == [Key("paste", "dy\x1b[A\r"), Key("j")]


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_no_bytes_raise_and_none_are_kept_for_ever(pieces: list[bytes]) -> None:
    decoder = KeyDecoder()
    for piece in pieces:
        decoder.feed(piece)
    decoder.flush()
    if decoder._pasted is None:
        assert not decoder.is_waiting


@given(st.lists(st.sampled_from([*SEQUENCES, b"j", b"\r", "漢".encode()]), max_size=8), st.data())
def test_keys_are_the_same_wherever_the_stream_is_cut(sent: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(sent)
    at_once = KeyDecoder().feed(whole)
    place = data.draw(st.integers(0, len(whole)))
    decoder = KeyDecoder()
    assert decoder.feed(whole[:place]) + decoder.feed(whole[place:]) == at_once
