"""Bodies in: their type, their size and the time that they take are bounded before anything is parsed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from typing import Final

from aiohttp import StreamReader, web

from hub.http.errors import (
    BUSY_RETRY_AFTER_S,
    MalformedRequestError,
    PayloadTooLargeError,
    TooManyConnectionsError,
    UnsupportedMediaTypeError,
)

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

# The largest body takes 13 s over 10 Mbit/s; one that needs longer drips on purpose or will never come.
BODY_WITHIN_S: Final = 30.0

# What all batches that are being read, decoded and committed may take together. Eight of the largest, or twenty full
# ones of small tasks: far more than a store commits at once.
BATCHES_BYTES_MAX: Final = 192 * 1024 * 1024

# The same for single tasks, two hundred of the largest. Apart, so that batches over slow links do not hold them up.
SINGLES_BYTES_MAX: Final = 64 * 1024 * 1024

# What one task takes in memory beside its bytes, and the shortest line that is one: `{"name":"a"}`.
_TASK_BYTES: Final = 700
_LINE_BYTES_MIN: Final = 13

# How long a request waits for room, and how many do.
ROOM_WITHIN_S: Final = 10.0
WAITING_MAX: Final = 1_000


def media_type(request: web.Request, allowed: Collection[str]) -> str:
    """Give the type of the body.

    Raises:
        UnsupportedMediaTypeError: it is none of ``allowed``, or the body is compressed.
    """
    found = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    choice = " or ".join(sorted(allowed))
    if found not in allowed:
        raise UnsupportedMediaTypeError(f"Content-Type is {found or 'missing'}", f"send Content-Type: {choice}")
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise UnsupportedMediaTypeError(f"Content-Encoding is {encoding[:40]}", "send the body as it is, uncompressed")
    return found


def cost_bytes(content_length: int | None, bytes_max: int, tasks_max: int) -> int:
    """Give what a body may come to take in memory, as bytes and as tasks; the worst, since it is not read yet."""
    size_bytes = bytes_max if content_length is None else min(content_length, bytes_max)
    return size_bytes + _TASK_BYTES * min(tasks_max, size_bytes // _LINE_BYTES_MIN + 1)


async def read_body(request: web.Request, bytes_max: int) -> bytes:
    """Give the whole body.

    Raises:
        PayloadTooLargeError: it has more than ``bytes_max`` bytes; known by its Content-Length, or once they came.
        MalformedRequestError: it did not come in time, or its framing is broken.
    """
    announced = request.content_length
    if announced is not None and announced > bytes_max:
        raise _too_large(f"{announced}", bytes_max)
    content = request.content
    try:
        if content.is_eof():
            # All of it came with the head, as with most single tasks: there is nothing to wait for.
            body = content.read_nowait()
        else:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await _read_on(content, bytes_max)
    except TimeoutError:
        message = f"the body did not come within {BODY_WITHIN_S:.0f} s"
        raise MalformedRequestError(message, "send it at once, or in smaller parts") from None
    except (web.RequestPayloadError, ConnectionError, ValueError) as error:
        raise MalformedRequestError(f"the body is broken: {error}", "frame it as HTTP says (RFC 9112, 6)") from error
    if len(body) > bytes_max:
        raise _too_large(f"{len(body)}", bytes_max)
    return body


async def _read_on(content: StreamReader, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size_bytes = 0
    while chunk := await content.readany():
        chunks.append(chunk)
        size_bytes += len(chunk)
        if size_bytes > bytes_max:
            raise _too_large(f"more than {bytes_max}", bytes_max)
    return b"".join(chunks)


def _too_large(found: str, bytes_max: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"the body has {found} bytes", f"at most {bytes_max} bytes in one request")


class Room:
    """Memory for bodies, given out first come, first served. Who finds none waits a while."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._free_bytes = bytes_max
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    def held(self, size_bytes: int) -> _Held:
        """Hold room for so many bytes: `async with room.held(n):`.

        Raises on entry:
            TooManyConnectionsError: there was none within `ROOM_WITHIN_S`, or too many wait already.
        """
        return _Held(self, min(size_bytes, self._bytes_max))

    async def _take(self, size_bytes: int) -> None:
        if not self._waiting and size_bytes <= self._free_bytes:
            self._free_bytes -= size_bytes
            return
        if len(self._waiting) >= WAITING_MAX:
            raise _no_room(f"{WAITING_MAX} requests wait for room already")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size_bytes))
        try:
            async with asyncio.timeout(ROOM_WITHIN_S):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # It was served in the same moment: give it back.
                self._free_bytes += size_bytes
            turn.cancel()
            self._serve()
            if isinstance(error, TimeoutError):
                raise _no_room(f"no room for the body within {ROOM_WITHIN_S:.0f} s") from None
            raise

    def _give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            turn, size_bytes = self._waiting[0]
            if not turn.done():
                if size_bytes > self._free_bytes:
                    return
                self._free_bytes -= size_bytes
                turn.set_result(None)
            self._waiting.popleft()


class _Held:
    """Room that is held inside of an `async with`."""

    __slots__ = ("_room", "_size_bytes")

    def __init__(self, room: Room, size_bytes: int) -> None:
        self._room = room
        self._size_bytes = size_bytes

    async def __aenter__(self) -> None:
        await self._room._take(self._size_bytes)

    async def __aexit__(self, *_: object) -> None:
        self._room._give_back(self._size_bytes)


def _no_room(message: str) -> TooManyConnectionsError:
    return TooManyConnectionsError(message, "send the same again in a second", retry_after_s=BUSY_RETRY_AFTER_S)
