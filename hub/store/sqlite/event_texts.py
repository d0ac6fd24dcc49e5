"""The stored form of a transaction's events: a JSON array, compressed where that is worth it.

Events of one transaction repeat each other in almost everything: a thousand of them take 130 KB as text and some 20
compressed. What is not written needs no place in the log, no copy into the database and no wait for the disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import msgspec

from hub.store.events import Event

# Below this a text fits the page that is written anyway.
PLAIN_BYTES_MAX: Final = 1024

# The quickest: higher levels take several times as long and save little.
_LEVEL: Final = 1

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Event]).decode


def packed(events: Sequence[Event]) -> bytes:
    """Give the stored form of events."""
    text = _encode(events)
    return text if len(text) <= PLAIN_BYTES_MAX else zlib.compress(text, _LEVEL)


def unpacked(body: bytes) -> list[Event]:
    """Give the events of a stored form. A compressed one never begins with the bracket of an array (RFC 1950)."""
    return _decode(body if body.startswith(b"[") else zlib.decompress(body))
