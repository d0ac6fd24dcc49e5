"""Keys out of the bytes that a terminal sends. Pure: bytes go in as they come, keys come out.

A terminal sends a key as one character or as an escape sequence (ECMA-48, xterm's ctlseqs), and a read may end in the
middle of either. A lone escape is the beginning of a sequence or the key Esc: only time tells, so `flush` is called
when nothing has come for a moment.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

# How long a sequence may take to arrive in whole. Its bytes are sent at once; a slow link may part them.
ESCAPE_WITHIN_S: Final = 0.05

# No key's sequence is longer; one without an end must not eat what is typed.
SEQUENCE_BYTES_MAX: Final = 32

# What is pasted beyond this is dropped: no filter is longer.
PASTE_CHARACTERS_MAX: Final = 4096


class Key(NamedTuple):
    """A key by its name: a character, or a word such as ``up``. ``text`` holds what was pasted, for ``paste``."""

    name: str
    text: str = ""


_CONTROLS: Final = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x01": "home",
    "\x02": "pageup",
    "\x04": "delete",
    "\x05": "end",
    "\x06": "pagedown",
    "\x0c": "redraw",
    "\x0e": "down",
    "\x10": "up",
    "\x15": "clear",
    "\x17": "erase",
    "\x1a": "suspend",
}

_BY_LETTER: Final = {b"A": "up", b"B": "down", b"C": "right", b"D": "left", b"H": "home", b"F": "end", b"Z": "backtab"}
_BY_NUMBER: Final = {
    1: "home", 2: "insert", 3: "delete", 4: "end", 5: "pageup", 6: "pagedown", 7: "home", 8: "end",
}  # fmt: skip

# CSI: parameter bytes, intermediate bytes, and one that ends it. SS3: one letter, which may have a parameter before it.
_CSI: Final = re.compile(rb"\x1b\[([0-?]*)[ -/]*([@-~])")
_SS3: Final = re.compile(rb"\x1bO([0-9;]*)([A-Za-z])")
_UNFINISHED: Final = re.compile(rb"\x1b(\[[0-?]*[ -/]*|O[0-9;]*)?\Z")
_PASTE_BEGINS: Final = b"\x1b[200~"
_PASTE_ENDS: Final = b"\x1b[201~"


class KeyDecoder:
    """Turns a stream of bytes into keys. What is unknown is swallowed as a whole, so that no piece of it acts."""

    def __init__(self) -> None:
        self._rest = b""
        self._pasted: bytearray | None = None
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def is_waiting(self) -> bool:
        """Whether an escape has come that may be a key by itself."""
        return bool(self._rest) and self._pasted is None

    def feed(self, piece: bytes) -> list[Key]:
        """Give the keys that this piece completes."""
        self._rest += piece
        keys: list[Key] = []
        while self._rest:
            if self._pasted is not None:
                if not self._take_paste(keys):
                    break
            elif self._rest.startswith(b"\x1b"):
                if not self._take_sequence(keys):
                    break
            else:
                end = self._rest.find(b"\x1b")
                plain, self._rest = (self._rest, b"") if end < 0 else (self._rest[:end], self._rest[end:])
                keys += [key for character in self._characters.decode(plain) if (key := _key_of(character))]
        return keys

    def flush(self) -> list[Key]:
        """Give what has been waited for as the keys that it is: nothing more came."""
        if not self.is_waiting:
            return []
        rest, self._rest = self._rest, b""
        # A sequence that broke off is nobody's key; one escape alone, or two, is Esc.
        return [Key("esc")] if rest.strip(b"\x1b") == b"" else []

    def _take_sequence(self, keys: list[Key]) -> bool:
        """Take one sequence off the rest; False: its end is still to come."""
        rest = self._rest
        if rest.startswith(_PASTE_BEGINS):
            self._rest = rest[len(_PASTE_BEGINS) :]
            self._pasted = bytearray()
            return True
        found = _CSI.match(rest) or _SS3.match(rest)
        if found is not None:
            self._rest = rest[found.end() :]
            name = _name_of(found[1], found[2])
            if name:
                keys.append(Key(name))
            return True
        if _UNFINISHED.match(rest) and len(rest) < SEQUENCE_BYTES_MAX:
            return False
        if rest[1:2] in {b"[", b"O"}:
            # No sequence, or one that is too long: what stands there is not taken for keys.
            self._rest = rest[SEQUENCE_BYTES_MAX:]
            return True
        # Esc and then another key, or Alt with it; both mean that somebody wants out.
        keys.append(Key("esc"))
        self._rest = rest[1:] if rest[1:2] == b"\x1b" else rest[2:]
        return True

    def _take_paste(self, keys: list[Key]) -> bool:
        """Take what was pasted off the rest; False: its end is still to come."""
        pasted = self._pasted
        if pasted is None:
            return True
        text, mark, rest = self._rest.partition(_PASTE_ENDS)
        if not mark:
            # The end mark may be cut in two; the bytes that could be its beginning stay.
            keep = len(_PASTE_ENDS) - 1
            text, rest = self._rest[:-keep], self._rest[-keep:]
        if len(pasted) < 4 * PASTE_CHARACTERS_MAX:
            pasted += text
        self._rest = rest
        if not mark:
            return False
        self._pasted = None
        keys.append(Key("paste", pasted.decode("utf-8", "replace")[:PASTE_CHARACTERS_MAX]))
        return True


def _key_of(character: str) -> Key | None:
    name = _CONTROLS.get(character)
    if name:
        return Key(name)
    return Key(character) if character.isprintable() else None


def _name_of(parameters: bytes, last: bytes) -> str:
    if last == b"~":
        number = parameters.partition(b";")[0]
        return _BY_NUMBER.get(int(number), "") if number.isdigit() else ""
    return "enter" if last == b"M" else _BY_LETTER.get(last, "")
