"""Frames survive the wire, and what is not a frame is refused before anything acts on it."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import frames
from protocol.close_codes import CloseCode, is_fatal
from protocol.codec import check_json, encode, encode_messages, hub_frames_decoder, node_frames_decoder
from protocol.errors import BadFrameError, FrameTooBigError, OutOfTurnError
from protocol.limits import (
    DEPTH_MAX,
    FRAME_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_TARGET,
    is_identifier,
    is_plain,
)

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,40}", fullmatch=True)
keys = st.tuples(identifiers, st.integers(1, 2**31 - 1))


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


@given(keys=st.lists(keys, max_size=50), sequence=st.integers(0, 2**53 - 1))
def test_hub_frames_come_back_as_they_were_sent(keys: list[tuple[str, int]], sequence: int) -> None:
    sent: list[frames.Frame] = [
        frames.Ack(attempts=keys),
        frames.HeartbeatAck(sequence=sequence),
        frames.Verdicts(keep=keys, forget=keys[:1]),
        frames.UnknownSession(session_id="s1"),
    ]
    assert hub_frames_decoder().decode(b"\n".join(map(encode, sent))) == sent


@given(task_id=identifiers, attempt=st.integers(1, 2**31 - 1), payload=st.dictionaries(st.text(), st.integers()))
def test_a_payload_keeps_its_bytes(task_id: str, attempt: int, payload: dict[str, int]) -> None:
    text = json.dumps(payload, ensure_ascii=False, separators=(" ,", ": ")).encode()
    task = frames.Task(task_id=task_id, attempt=attempt, name="x", payload=msgspec.Raw(text), lease_s=1)
    (back,) = hub_frames_decoder().decode(encode(task))
    assert isinstance(back, frames.Task)
    assert bytes(back.payload) == text.strip()


def test_every_frame_names_its_type_in_the_words_of_the_protocol() -> None:
    names = {str(kind.__struct_config__.tag) for kind in frames.Frame.__subclasses__()}
    assert names == {
        *("register", "resume", "heartbeat", "result", "progress", "log", "drain", "bye"),
        *("registered", "resumed", "unknown_session", "refused", "task", "cancel", "ack"),
        *("heartbeat_ack", "verdicts", "go_away"),
    }
    assert frames.frame_type(frames.Bye()) == "bye"


def test_unknown_fields_are_ignored() -> None:
    (back,) = node_frames_decoder().decode(b'{"type":"bye","reason":"x","newer":[1,2]}')
    assert back == frames.Bye(reason="x")


def test_a_hub_refuses_unknown_frame_types() -> None:
    with pytest.raises(BadFrameError, match="`dance` is not known here"):
        node_frames_decoder().decode(b'{"type":"dance"}')


def test_a_node_counts_and_skips_unknown_frame_types() -> None:
    decoder = hub_frames_decoder()
    got = decoder.decode(b'{"type":"dance","x":1}\n\n{"type":"heartbeat_ack","sequence":3}\n{"type":"sing"}')
    assert got == [frames.HeartbeatAck(sequence=3)]
    assert decoder.unknown_frames == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", None),
        (b"nonsense", "not a frame"),
        (b"[]", "not a frame"),
        (b'"text"', "not a frame"),
        (b'{"type":5}', "not a frame"),
        (b"{}", "not a frame"),
        (b'{"type":"heartbeat"}', "sequence"),
        (b'{"type":"heartbeat","sequence":-1}', "sequence"),
        (b'{"type":"heartbeat","sequence":"1"}', "sequence"),
        (b'{"type":"heartbeat","sequence":1.5}', "sequence"),
        (b'{"type":"heartbeat","sequence":1,"load":NaN}', "malformed"),
        (b'{"type":"bye","reason":"\\ud800"}', "frame"),
        (b'{"type":"bye","reason":"\xff"}', "not UTF-8"),
        (b'{"type":"\xff"}', "not UTF-8"),
        (b'{"type":"bye","reason":"' + b"x" * 2000 + b'"}', "reason"),
        (b'{"type":"result","task_id":"","attempt":1,"outcome":"succeeded"}', "task_id"),
        (b'{"type":"result","task_id":"' + b"a" * 129 + b'","attempt":1,"outcome":"succeeded"}', "task_id"),
        (b'{"type":"progress","task_id":"a b","attempt":1,"done":1}', "task_id"),
        (b'{"type":"progress","task_id":"a\\n","attempt":1,"done":1}', "task_id"),
        (b'{"type":"result","task_id":"a","attempt":0,"outcome":"succeeded"}', "attempt"),
        (b'{"type":"result","task_id":"a","attempt":1,"outcome":"won"}', "outcome"),
        (b"[" * 100_000, "not a frame"),
        (b'{"type":"result","task_id":"a","attempt":1,"outcome":"succeeded","value":' + b"[" * 90_000, "deep"),
        (b'{"type":"heartbeat","sequence":' + b"9" * 10_000 + b"}", "sequence|number|malformed"),
    ],
)
def test_what_is_not_a_frame_is_refused_with_its_reason(line: bytes, problem: str | None) -> None:
    decoder = node_frames_decoder()
    if problem is None:
        assert decoder.decode(line) == []
        return
    with pytest.raises(BadFrameError, match=problem) as caught:
        decoder.decode(b'{"type":"bye"}\n' + line)
    assert caught.value.close_code is CloseCode.BAD_FRAME
    assert len(str(caught.value)) < 500


def test_what_is_no_identifier_is_refused_in_words_that_fit_a_close_reason() -> None:
    line = b'{"type":"register","node_id":"my node","instance_id":"i","slots":1,"inventory":{}}'
    with pytest.raises(BadFrameError) as caught:
        node_frames_decoder().decode(line)
    assert "Expected 1-128 of `A-Za-z0-9_.:@-` - at `$.node_id`" in str(caught.value)[:123]
    assert "regex" not in str(caught.value)


def test_one_byte_over_the_limit_of_a_frame_is_too_much() -> None:
    decoder = node_frames_decoder()
    frame = b'{"type":"bye","pad":"' + b"x" * (FRAME_BYTES_MAX - 23) + b'"}'
    assert len(frame) == FRAME_BYTES_MAX
    assert decoder.decode(frame + b'\n{"type":"bye"}') == [frames.Bye(), frames.Bye()]
    with pytest.raises(FrameTooBigError, match=f"{FRAME_BYTES_MAX + 1} bytes") as caught:
        decoder.decode(frame + b' \n{"type":"bye"}')
    assert caught.value.close_code is CloseCode.TOO_BIG


def test_one_byte_over_the_limit_of_a_message_is_too_much() -> None:
    with pytest.raises(FrameTooBigError, match="a message has"):
        node_frames_decoder().decode(b" " * (MESSAGE_BYTES_MAX + 1))


def test_frames_are_grouped_in_order_and_messages_stay_under_the_limit() -> None:
    big = [frames.Task(task_id=f"t{n}", attempt=1, name="x", payload=raw("y" * 250_000), lease_s=1) for n in range(9)]
    small = [frames.HeartbeatAck(sequence=n) for n in range(1000)]
    sent: list[frames.Frame] = [*small, *big, *small]
    messages = list(encode_messages(sent))
    assert max(map(len, messages)) <= MESSAGE_BYTES_TARGET + FRAME_BYTES_MAX <= MESSAGE_BYTES_MAX
    assert len(messages) <= 11
    decoder = hub_frames_decoder()
    assert [frame for message in messages for frame in decoder.decode(message)] == sent


def test_nothing_to_say_is_no_message() -> None:
    assert list(encode_messages([])) == []


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "text",
    [b"{}", b"null", b'"\xc3\xa4"', nested(DEPTH_MAX), b'{"a":{"b":[1,2.5e3,true]}}', b'"' + b"[" * 500 + b'"'],
)
def test_json_that_every_decoder_takes_passes(text: bytes) -> None:
    assert check_json(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"{", b"NaN", b"Infinity", b"'a'", b'"\\ud800"', b'"\xff"', b"01", b"1e999", b"1" * 10_000),
        *(nested(DEPTH_MAX + 1), nested(100_000), b'{"a":' * 101 + b"1" + b"}" * 101),
    ],
)
def test_json_that_some_decoder_would_refuse_is_refused(text: bytes) -> None:
    assert check_json(text)


@given(st.binary(max_size=300))
def test_hostile_bytes_give_frames_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(BadFrameError, FrameTooBigError):
        node_frames_decoder().decode(data)


@given(st.text(max_size=140))
def test_identifiers_are_what_the_frames_accept(text: str) -> None:
    line = json.dumps({"type": "cancel", "task_id": text, "attempt": 1}).encode()
    try:
        decoded = len(hub_frames_decoder().decode(line)) == 1
    except BadFrameError:
        decoded = False
    assert decoded == is_identifier(text)


@given(st.text(max_size=40) | st.sampled_from(["a\0", "a\n", "\n", "\x1b[31m", "\x7f", "\x85", "é\u2028", ""]))
def test_plain_text_is_what_the_frames_accept(text: str) -> None:
    greeting = {"type": "register", "node_id": "n", "instance_id": "i", "slots": 1, "inventory": {}}
    line = json.dumps(greeting | {"name": text, "labels": {"site": text}, "version": text}).encode()
    if is_plain(text):
        assert len(node_frames_decoder().decode(line)) == 1
    else:
        with pytest.raises(BadFrameError, match=r"Expected text without control characters - at|malformed"):
            node_frames_decoder().decode(line)


def test_errors_say_what_was_wrong() -> None:
    assert "frame `bye` came out of turn; expected register" in str(OutOfTurnError("bye", "register"))
    assert str(BadFrameError("empty")) == "empty"


def test_only_what_a_person_must_mend_is_fatal() -> None:
    assert [code for code in CloseCode if is_fatal(code)] == [CloseCode.BAD_FRAME, CloseCode.UNAUTHORIZED]
    assert not is_fatal(1006)
