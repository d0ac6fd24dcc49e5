"""The event stream: server-sent events (WHATWG HTML, section 9.2), resumable without a gap or a repetition.

A stream reads the store page by page until nothing lies between its position and what the feed has published, and
follows the feed from there. If it falls behind, because its reader is slow or a burst is large, it goes back to
reading pages, at the reader's own pace. A reader that takes nothing at all is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from hub.events.endings import STOPPING, StreamEnd
from hub.events.filter import EventFilter
from hub.events.objects import sse_message
from hub.events.subscription import Subscription
from hub.http.answers import COMMON_HEADERS
from hub.http.api import Api
from hub.http.connection import while_connected
from hub.http.queries import EVENT_ID_MAX, event_query
from hub.http.security import TOKEN_ID
from hub.store.contract import Store
from hub.store.errors import StoreUnavailableError

logger = logging.getLogger(__name__)

# A comment on a quiet stream: proxies on the way see that it lives, and the hub notices a reader that is gone.
KEEPALIVE_S: Final = 15.0
_KEEPALIVE: Final = b": quiet\n\n"

# How long a piece may take to leave; a reader slower than that holds memory for nothing.
SEND_WITHIN_S: Final = 30.0

# How long the last message may take to leave before the connection is torn down.
LINGER_S: Final = 5.0

# One read of the store: a millisecond or two for small events, and never more than some megabytes with large values.
EVENTS_PER_PAGE: Final = 1_000
VALUES_AT_ONCE: Final = 32
PAGE_BYTES_TARGET: Final = 1024 * 1024

TOO_SLOW: Final = StreamEnd(
    code="too_slow",
    message=f"nothing was read for {SEND_WITHIN_S:.0f} s",
    remedy="read faster, filter more narrowly, and connect again with the last id that you saw",
)
UNREADABLE: Final = StreamEnd(
    code="degraded",
    message="the store cannot be read now",
    remedy="connect again in some seconds with the last id that you saw",
)

_encode = msgspec.json.Encoder().encode


class Hello(Struct, frozen=True, kw_only=True):
    """``data`` of the first message: the newest event's id, and which hub this is."""

    id: int
    hub_id: str


class Reset(Struct, frozen=True, kw_only=True):
    """``data`` of `reset`: events up to ``id`` are not all kept; read the state again."""

    id: int


async def stream_events(api: Api, request: web.Request) -> web.StreamResponse:
    """Hold a stream of events open until the reader or the hub ends it."""
    query = event_query(request)
    subscription = api.backend.events.subscribe(query.wanted, token_id=request[TOKEN_ID])
    response = web.StreamResponse(
        # X-Accel-Buffering: nginx hands events on as they come.
        headers={**COMMON_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    )
    stream = _Stream(api, request, response, subscription)
    try:
        with while_connected(request):
            last_id = await stream.last_id()
            await response.prepare(request)
            await stream.run(last_id, query.last_event_id)
    except ConnectionError:
        # The reader is gone; there is nobody to be told.
        logger.debug("an event stream's reader left")
    except Exception:
        if not response.prepared:
            raise
        # The edge of a stream that has begun: no other answer can be given any more. The reader comes back.
        logger.exception("an event stream broke")
    finally:
        subscription.close()
    return response


class _Stream:
    """One open stream."""

    def __init__(
        self, api: Api, request: web.Request, response: web.StreamResponse, subscription: Subscription
    ) -> None:
        self._backend = api.backend
        self._request = request
        self._response = response
        self._subscription = subscription

    async def last_id(self) -> int:
        """Give the id of the newest event that is known."""
        feed = self._backend.events
        if feed.last_id:
            return feed.last_id
        stored = await self._backend.read(lambda store: store.events(EVENT_ID_MAX, 1))
        return max(stored.last_id, feed.last_id)

    async def run(self, last_id: int, resume_behind: int | None) -> None:
        """Send events until somebody ends the stream."""
        try:
            await self._open(last_id, resume_behind)
            await self._send(end_message(await self._follow()))
        except TimeoutError:
            await self._cut_off()

    async def _open(self, last_id: int, resume_behind: int | None) -> None:
        subscription = self._subscription
        if resume_behind is None:
            # From this very moment on: what was published since `last_id` was asked for came before the stream.
            last_id = max(last_id, self._backend.events.last_id)
            subscription.follow(last_id)
        else:
            subscription.position = resume_behind
        hello = Hello(id=last_id, hub_id=self._backend.health().hub_id)
        await self._send(b"event: hello\nid: %d\ndata: %b\n\n" % (subscription.position, _encode(hello)))

    async def _follow(self) -> StreamEnd:
        """Send events in order, from the store or the feed; give why the hub ends the stream."""
        subscription = self._subscription
        while subscription.end is None:
            if piece := subscription.take():
                await self._send(piece)
            elif subscription.is_following:
                if not await subscription.wait(KEEPALIVE_S):
                    await self._send(_KEEPALIVE)
            elif not await self._catch_up():
                return UNREADABLE
        if subscription.end is STOPPING:
            await self._send(subscription.take())
        return subscription.end

    async def _catch_up(self) -> bool:
        """Read one page behind the position, and follow the feed if nothing lies in between any more; False: the store
        cannot be read.
        """
        subscription = self._subscription
        position = subscription.position
        try:
            page = await self._backend.read(lambda store: read_page(store, position, subscription.wanted))
        except StoreUnavailableError as error:
            logger.warning("an event stream ends: %s", error)
            return False
        await self._send(page.piece)
        if page.position >= max(page.last_id, self._backend.events.last_id):
            subscription.follow(page.position)
        else:
            subscription.position = page.position
        return True

    async def _send(self, piece: bytes) -> None:
        """Send bytes. Raises TimeoutError if they do not leave in time, ConnectionError if the reader is gone."""
        if piece:
            async with asyncio.timeout(SEND_WITHIN_S):
                await self._response.write(piece)

    async def _cut_off(self) -> None:
        """Put the last message behind what waits in the socket, and end the connection whether or not it is read."""
        transport = self._request.transport
        if transport is None:
            return
        peer = self._request.remote
        logger.warning("the event stream of %s is cut off: %s", peer, TOO_SLOW.message)
        self._subscription.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await self._response.write(end_message(TOO_SLOW))
                return
        transport.abort()


class EventPagePiece(Struct, frozen=True, kw_only=True):
    """A page of the store as bytes: ``position`` is where the next one begins, ``last_id`` the newest event's id."""

    piece: bytes
    position: int
    last_id: int


def read_page(store: Store, position: int, wanted: EventFilter) -> EventPagePiece:
    """Read events behind ``position`` with the values of tasks that succeeded. Runs on the reader's thread."""
    page = store.events(position, EVENTS_PER_PAGE)
    # An id that is still to come was given by another history of this hub: a backup was restored.
    if page.missed or position > page.last_id:
        reset = b"event: reset\nid: %d\ndata: %b\n\n" % (page.last_id, _encode(Reset(id=page.last_id)))
        return EventPagePiece(piece=reset, position=page.last_id, last_id=page.last_id)
    meant = [event for event in page.events if wanted.wants(event)]
    messages: list[bytes] = []
    size_bytes = 0
    for start in range(0, len(meant), VALUES_AT_ONCE):
        some = meant[start : start + VALUES_AT_ONCE]
        succeeded = [event.task_id for event in some if event.kind == "task.succeeded"]
        values = store.values(succeeded) if succeeded else {}
        for event in some:
            value = values.get(event.task_id) if event.kind == "task.succeeded" else None
            messages.append(sse_message(event, value))
            size_bytes += len(messages[-1])
        if size_bytes > PAGE_BYTES_TARGET:
            return EventPagePiece(piece=b"".join(messages), position=some[-1].id, last_id=page.last_id)
    is_full = len(page.events) == EVENTS_PER_PAGE
    newest = page.events[-1].id if page.events else position
    return EventPagePiece(
        piece=b"".join(messages),
        position=newest if is_full else max(newest, page.last_id),
        last_id=page.last_id,
    )


def end_message(end: StreamEnd) -> bytes:
    """Give the last message of a stream."""
    return b"event: end\ndata: %b\n\n" % _encode(end)
