"""Frames to bytes and back: one JSON object per line, many lines in one WebSocket text message.

Decoding checks size first, then syntax, types and bounds in one pass. Payloads and results stay the bytes that they
were: `check_json` looks at them once, where they enter the system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec
import orjson

from protocol.errors import BadFrameError, FrameTooBigError
from protocol.frames import (
    Ack,
    Bye,
    Cancel,
    Drain,
    Frame,
    GoAway,
    Heartbeat,
    HeartbeatAck,
    HubFrame,
    Log,
    NodeFrame,
    Progress,
    Refused,
    Register,
    Registered,
    Result,
    Resume,
    Resumed,
    Task,
    UnknownSession,
    Verdicts,
)
from protocol.limits import (
    DEPTH_MAX,
    FRAME_BYTES_MAX,
    IDENTIFIER_CHARACTERS_MAX,
    IDENTIFIER_PATTERN,
    MESSAGE_BYTES_MAX,
    MESSAGE_BYTES_TARGET,
    PLAIN_PATTERN,
    PLAIN_WORDS,
)

F = TypeVar("F")

# What the decoder raises for texts that are wrong: not UTF-8 and nested too deeply are not among msgspec's own.
_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

# What the decoder says of a text that must be plain.
_PLAIN_IN_CODE = f"`str` matching regex {PLAIN_PATTERN!r}"

# How msgspec names the pattern of identifiers, and what is said in its place: a close reason has 123 bytes, and the
# pattern would leave no room for the field.
_PATTERN_SAID = f"`str` matching regex {IDENTIFIER_PATTERN!r}"
_IDENTIFIER_SAID = f"1-{IDENTIFIER_CHARACTERS_MAX} of `A-Za-z0-9_.:@-`"

_encoder = msgspec.json.Encoder()


class _Envelope(msgspec.Struct):
    type: str


_envelope = msgspec.json.Decoder(_Envelope)


def encode(frame: Frame) -> bytes:
    """Give one frame as one line without its line end."""
    return _encoder.encode(frame)


def encode_messages(frames: Iterable[Frame], bytes_target: int = MESSAGE_BYTES_TARGET) -> Iterator[bytes]:
    """Group frames, in order, into as few messages as keep each near ``bytes_target`` bytes.

    A message passes the target only by its last frame, so it stays under `MESSAGE_BYTES_MAX`.
    """
    lines: list[bytes] = []
    size_bytes = 0
    for frame in frames:
        line = _encoder.encode(frame)
        lines.append(line)
        size_bytes += len(line) + 1
        if size_bytes >= bytes_target:
            yield b"\n".join(lines)
            lines, size_bytes = [], 0
    if lines:
        yield b"\n".join(lines)


class Decoder(Generic[F]):
    """Decode the messages of one direction.

    Args:
        frame_types: the union of frames that may come.
        ignore_unknown: count and skip lines of an unknown ``type`` (hub to node) instead of refusing them.
        frame_bytes_max: the longest line.
        message_bytes_max: the longest message.
    """

    def __init__(
        self,
        frame_types: Sequence[type[Frame]],
        *,
        ignore_unknown: bool,
        frame_bytes_max: int = FRAME_BYTES_MAX,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        union = frame_types[0]
        for frame_type in frame_types[1:]:
            union = union | frame_type  # type: ignore[assignment]
        self._decoder: msgspec.json.Decoder[F] = msgspec.json.Decoder(union)
        self._known = frozenset(str(kind.__struct_config__.tag) for kind in frame_types)
        self._ignore_unknown = ignore_unknown
        self._frame_bytes_max = frame_bytes_max
        self._message_bytes_max = message_bytes_max
        self.unknown_frames = 0
        """How many lines of an unknown type were skipped so far."""

    def decode(self, message: bytes) -> list[F]:
        """Give the frames of one message, in order.

        Raises:
            FrameTooBigError: the message, or a line in it, is longer than allowed.
            BadFrameError: a line is not JSON, not a known frame, or has a field of the wrong type or size. None of
                the message's frames is given then.
        """
        size_bytes = len(message)
        if size_bytes > self._frame_bytes_max:
            self._check_sizes(message, size_bytes)
        try:
            return self._decoder.decode_lines(message)
        except _REFUSALS:
            return list(self._decode_each(message))

    def _check_sizes(self, message: bytes, size_bytes: int) -> None:
        if size_bytes > self._message_bytes_max:
            raise FrameTooBigError("a message", size_bytes, self._message_bytes_max)
        longest = max(map(len, message.split(b"\n")))
        if longest > self._frame_bytes_max:
            raise FrameTooBigError("a frame", longest, self._frame_bytes_max)

    def _decode_each(self, message: bytes) -> Iterator[F]:
        """Find the line that is at fault, or skip the lines that may be skipped."""
        for line in message.split(b"\n"):
            if not line.strip():
                continue
            try:
                yield self._decoder.decode(line)
            except RecursionError:
                raise BadFrameError("JSON is nested too deeply", line) from None
            except UnicodeDecodeError:
                raise BadFrameError("not UTF-8", line) from None
            except msgspec.MsgspecError as error:
                frame_type = _type_of(line)
                if frame_type is None:
                    raise BadFrameError(f"not a frame ({error})", line) from None
                if frame_type in self._known:
                    raise BadFrameError(f"frame `{frame_type}` is wrong ({_in_words(error)})", line) from None
                if not self._ignore_unknown:
                    raise BadFrameError(f"frame type `{frame_type[:64]}` is not known here", line) from None
                self.unknown_frames += 1


def _in_words(error: msgspec.MsgspecError) -> str:
    return str(error).replace(_PATTERN_SAID, _IDENTIFIER_SAID).replace(_PLAIN_IN_CODE, PLAIN_WORDS)


def _type_of(line: bytes) -> str | None:
    try:
        return _envelope.decode(line).type
    except _REFUSALS:
        return None


def node_frames_decoder() -> Decoder[NodeFrame]:
    """Make the decoder a hub uses: an unknown frame type is refused, since ignoring it could lose something."""
    return Decoder((Register, Resume, Heartbeat, Result, Progress, Log, Drain, Bye), ignore_unknown=False)


def hub_frames_decoder() -> Decoder[HubFrame]:
    """Make the decoder a node uses: an unknown frame type is counted and skipped, so that hubs may be newer."""
    return Decoder(
        (
            Registered,
            Resumed,
            UnknownSession,
            Refused,
            Task,
            Cancel,
            Ack,
            HeartbeatAck,
            Verdicts,
            GoAway,
        ),
        ignore_unknown=True,
    )


def check_json(text: bytes | memoryview) -> str | None:
    """Say what is wrong with a JSON text, or None if every decoder of ours will take it.

    Refuses what is not UTF-8 JSON (RFC 8259): NaN, lone surrogates, numbers beyond a double; and nesting deeper than
    `DEPTH_MAX`.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return str(error)
    # Each level takes two brackets.
    if len(text) <= 2 * DEPTH_MAX or is_shallow(value):
        return None
    raw = bytes(text)
    # Brackets within strings are counted too: the exact look is only for the few texts that have many.
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX and _depth(value) > DEPTH_MAX:
        return f"nested deeper than {DEPTH_MAX} levels"
    return None


def is_shallow(value: object) -> bool:
    """Tell whether a value has so few parts that its JSON text cannot be nested too deeply; False: look at it.

    Quicker by far than to count the brackets of a large text, and most large texts are large for a few long strings.
    """
    parts = [value]
    for part in parts:
        # These exactly: an encoder does not ask a subclass for its values or its length, and those may be anything.
        if type(part) is dict:
            children = part.values()
        elif type(part) is list or type(part) is tuple:
            children = part  # type: ignore[assignment]  # any collection will do
        elif part is None or isinstance(part, str | int | float):
            continue
        else:
            return False
        if len(parts) + len(children) > DEPTH_MAX:
            return False
        parts.extend(children)
    return True


def _depth(value: object) -> int:
    deepest = 0
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(item, dict):
            waiting.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            waiting.extend((child, depth + 1) for child in item)
    return deepest
