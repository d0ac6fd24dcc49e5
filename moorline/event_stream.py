"""The hub's event stream: server-sent events (WHATWG HTML, section 9.2), taken up again for ever where it broke off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Final, NamedTuple

import msgspec

from moorline.answers import error_of
from moorline.errors import HubError, HubUnavailableError
from moorline.pauses import Pauses
from moorline.transport import Answer, StreamedAnswer, Transport
from moorline.views import Event

PATH: Final = "/v1/events"

# A value has at most 256 KiB, an error's traceback 16 KiB. Whoever sends more than this without an end is no hub.
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024

# Against a hub that lets everybody in and throws them out, pauses must grow: only a stream that lived counts as good.
STEADY_AFTER_S: Final = 10.0


class Message(NamedTuple):
    """One server-sent event. ``id`` is None where it carries none."""

    event: str
    id: int | None
    data: bytes


class EventParser:
    """Cut a stream of bytes into messages. No I/O.

    Lines end in LF or CRLF; a lone CR, which nobody sends, is dropped. Comments and unknown fields are ignored.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[Message]:
        """Give the messages that this piece completes.

        Raises:
            HubError: a message is larger than any hub's, or has an id that is no number.
        """
        if b"\r" in piece:
            piece = piece.replace(b"\r", b"")
        *blocks, self._rest = (self._rest + piece if self._rest else piece).split(b"\n\n")
        if len(self._rest) > MESSAGE_BYTES_MAX:
            raise HubError(f"an event has more than {MESSAGE_BYTES_MAX} bytes; this is not a hub's event stream")
        return [message for block in blocks if (message := _parsed(block)) is not None]


def _parsed(block: bytes) -> Message | None:
    event, number, data = "message", None, None
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data = value if data is None else data + b"\n" + value
        elif field == b"id":
            number = _number(value)
        elif field == b"event":
            event = value.decode("utf-8", "replace")
    return None if data is None else Message(event, number, data)


def _number(text: bytes) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise HubError(f"an event has the id {text[:40]!r}; a hub's are numbers") from error


class Hello(msgspec.Struct, frozen=True):
    """How a stream begins: the newest event's id, and whose it is."""

    id: int
    hub_id: str = ""


class EventStream:
    """One subscription that outlives connections.

    Messages come in batches, in order: `hello` after each connect; `reset` where events may have been missed that do
    not come any more (the hub no longer keeps them, or its store is another one): read the state again.

    Args:
        transport: the way to the hub.
        filters: query parameters, see `docs/reference/http-api.md`.
        pauses: between tries to connect.
        last_id: begin behind this event; with None, with what happens from now on.
    """

    def __init__(
        self, transport: Transport, filters: Mapping[str, str], *, pauses: Pauses, last_id: int | None = None
    ) -> None:
        self._transport = transport
        self._filters = dict(filters)
        self._pauses = pauses
        self._last_id = last_id
        self._hub_id = ""
        self.last_failure: HubUnavailableError | None = None
        """Why the newest try to connect failed, or the newest connection ended; None: it has not."""
        # The newest event when this connection began.
        self._newest_id: int | None = None

    async def batches(self) -> AsyncGenerator[list[Message], None]:
        """Give batches for ever; close the generator to leave.

        Raises:
            HubError: it can never work (no token, not a hub). A hub that is away is waited for.
        """
        failures = 0
        while True:
            begun_s = time.monotonic()
            retry_after_s = None
            self._newest_id = None
            try:
                async with self._transport.stream(PATH, query=self._query()) as answer:
                    if answer.status != 200:
                        raise await _refusal(answer)
                    parser = EventParser()
                    async for piece in answer.pieces:
                        messages = self._noted(parser.feed(piece))
                        if messages:
                            yield messages
            except HubUnavailableError as error:
                self.last_failure = error
                retry_after_s = error.retry_after_s
            failures = 1 if time.monotonic() - begun_s >= STEADY_AFTER_S else failures + 1
            await asyncio.sleep(self._pauses.after(failures, retry_after_s))

    def _query(self) -> dict[str, str]:
        if self._last_id is None:
            return self._filters
        return {**self._filters, "last_event_id": str(self._last_id)}

    def _noted(self, messages: list[Message]) -> list[Message]:
        """Note how far we are; put a `reset` behind a `hello` that shows another store."""
        given: list[Message] = []
        for message in messages:
            given.append(message)
            if message.event == "hello":
                if self._is_another_store(message):
                    given.append(Message("reset", None, b"{}"))
            elif message.event == "reset":
                self._last_id = self._newest_id if message.id is None else message.id
            elif message.id is not None:
                self._last_id = message.id
        return given

    def _is_another_store(self, message: Message) -> bool:
        hello = _hello(message)
        is_other = self._hub_id not in {"", hello.hub_id}
        self._hub_id = hello.hub_id
        self._newest_id = hello.id
        # A hub that resumes names its newest event too; what lies between ours and that is still on its way.
        if is_other or self._last_id is None:
            self._last_id = hello.id
        return is_other


def _hello(message: Message) -> Hello:
    try:
        return msgspec.json.decode(message.data, type=Hello)
    except msgspec.DecodeError as error:
        raise HubError(f"the event stream begins with {message.data[:80]!r}; it is not a hub's") from error


async def _refusal(answer: StreamedAnswer) -> HubError:
    body = b""
    async for piece in answer.pieces:
        body += piece
        if len(body) > MESSAGE_BYTES_MAX:
            break
    return error_of(Answer(status=answer.status, body=body, retry_after_s=answer.retry_after_s))


_event_decoder: Final = msgspec.json.Decoder(Event)


def event_of(message: Message) -> Event | None:
    """Give the event that a message tells; None for what concerns only the stream itself."""
    if message.event == "reset":
        return Event(kind="reset", id=message.id)
    if message.event != "message":
        return None
    try:
        return _event_decoder.decode(message.data)
    except msgspec.DecodeError as error:
        raise HubError(
            f"the hub sent an event that is none: {error}", remedy="upgrade moorline on this side"
        ) from error
