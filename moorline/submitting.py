"""How tasks get to the hub: what is submitted in the same moment travels in one request.

A request leaves at the end of the turn of the event loop in which its first task came, so that one task alone does not
wait. While a few requests are under way further tasks gather. Each task has its id before it leaves, so a request whose
answer was lost is sent again as it was, and the hub takes each task once.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from moorline.api import Accepted, Api
from moorline.errors import HubError, HubUnavailableError, InvalidTaskError
from moorline.handles import TaskHandle
from moorline.pauses import Pauses

# One request: what a hub commits in a few milliseconds, and a quarter of what it takes at most.
TASKS_PER_REQUEST: Final = 1_000
BYTES_PER_REQUEST: Final = 4 * 1024 * 1024

# Enough that the hub commits one while the next is on its way; more would only make the batches smaller.
REQUESTS_MAX: Final = 4

# What may wait to be sent: eight full requests. Whoever submits more waits.
PENDING_BYTES_MAX: Final = 32 * 1024 * 1024
# What a submit takes beside its lines, so that a million small ones are bounded too.
PARCEL_BYTES: Final = 1024

_LINE: Final = re.compile(r"line (\d+)")


def parts(lines: Sequence[bytes]) -> Iterator[slice]:
    """Cut lines, in order, into parts of at most `BYTES_PER_REQUEST`; a line that is longer is a part of its own."""
    start, size_bytes = 0, 0
    for place, line in enumerate(lines):
        if size_bytes + len(line) > BYTES_PER_REQUEST and place > start:
            yield slice(start, place)
            start, size_bytes = place, 0
        size_bytes += len(line)
    if start < len(lines):
        yield slice(start, len(lines))


def for_items(error: HubError, offset: int) -> HubError:
    """Let the error name the item that was meant, where it names a line of its request."""
    found = _LINE.fullmatch(error.where)
    if found:
        error.where = f"item {offset + int(found[1])}"
    return error


class Room:
    """A bound on bytes that are held: takers wait in order until there is room."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._free_bytes = size_bytes
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def take(self, wanted_bytes: int) -> int:
        """Take so much, or all there is if it is more than that; give how much it was, to be given back."""
        taken_bytes = min(wanted_bytes, self._size_bytes)
        if not self._waiting and taken_bytes <= self._free_bytes:
            self._free_bytes -= taken_bytes
            return taken_bytes
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (turn, taken_bytes)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # It had been let in and was cancelled before it knew.
                self.give_back(taken_bytes)
            elif entry in self._waiting:
                self._waiting.remove(entry)
                self._admit()
            raise
        return taken_bytes

    def give_back(self, given_bytes: int) -> None:
        """Give back what was taken."""
        self._free_bytes += given_bytes
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._waiting[0][1] <= self._free_bytes:
            turn, wanted_bytes = self._waiting.popleft()
            if not turn.done():
                self._free_bytes -= wanted_bytes
                turn.set_result(None)


class Parcel:
    """The tasks of one submit: they travel in the same request, and are accepted or refused together."""

    __slots__ = ("body", "deadline_s", "done", "handles", "is_decided", "taken_bytes")

    def __init__(self, handles: Sequence[TaskHandle[Any]], body: bytes, taken_bytes: int, deadline_s: float) -> None:
        self.handles = handles
        self.body = body
        self.taken_bytes = taken_bytes
        self.deadline_s = deadline_s
        self.is_decided = False
        self.done: asyncio.Future[list[Accepted]] = asyncio.get_running_loop().create_future()


class Submitter:
    """Sends parcels, together where that is possible. Use it on one event loop; close it.

    Args:
        api: the way to the hub.
        timeout_s: how long a submit tries to reach a hub.
        pauses: between tries.
    """

    def __init__(self, api: Api, *, timeout_s: float, pauses: Pauses) -> None:
        self._api = api
        self._timeout_s = timeout_s
        self._pauses = pauses
        self._room = Room(PENDING_BYTES_MAX)
        self._pending: deque[Parcel] = deque()
        self._is_leaving = False
        self._requests: dict[asyncio.Task[None], list[Parcel]] = {}
        self._closed = False

    async def post(self, handles: Sequence[TaskHandle[Any]], lines: Sequence[bytes]) -> Parcel:
        """Take tasks, at most `TASKS_PER_REQUEST`, a line each, to be sent soon. Waits while too much is pending.

        Await ``done`` of what it gives: the hub's answers, in order, after its commit; cancelling that does not call
        the tasks back. It raises HubUnavailableError if no hub took them in time, or another HubError.
        """
        body = b"".join(lines)
        taken_bytes = await self._room.take(len(body) + PARCEL_BYTES)
        if self._closed:
            self._room.give_back(taken_bytes)
            raise HubUnavailableError("the client is closed", remedy="make another one")
        parcel = Parcel(handles, body, taken_bytes, time.monotonic() + self._timeout_s)
        self._pending.append(parcel)
        if not self._is_leaving:
            self._is_leaving = True
            asyncio.get_running_loop().call_soon(self._leave)
        return parcel

    async def close(self) -> None:
        """Stop. Whoever waits for an answer gets HubUnavailableError. Twice is harmless."""
        self._closed = True
        requests = dict(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        # Also the parcels of a request that was cancelled before it began, which could tell nobody itself.
        for parcels in (*requests.values(), list(self._pending)):
            self._fail(parcels, HubUnavailableError("the client was closed before the hub answered"))
        self._pending.clear()

    def _leave(self) -> None:
        """Send what is pending, as far as requests are free."""
        self._is_leaving = False
        while self._pending and len(self._requests) < REQUESTS_MAX and not self._closed:
            parcels = self._gathered()
            request = asyncio.create_task(self._deliver(parcels), name="moorline submit")
            self._requests[request] = parcels
            request.add_done_callback(self._returned)

    def _returned(self, request: asyncio.Task[None]) -> None:
        del self._requests[request]
        self._leave()

    def _gathered(self) -> list[Parcel]:
        parcels = [self._pending.popleft()]
        tasks, size_bytes = len(parcels[0].handles), len(parcels[0].body)
        while self._pending:
            tasks += len(self._pending[0].handles)
            size_bytes += len(self._pending[0].body)
            if tasks > TASKS_PER_REQUEST or size_bytes > BYTES_PER_REQUEST:
                break
            parcels.append(self._pending.popleft())
        return parcels

    async def _deliver(self, parcels: list[Parcel]) -> None:
        """Send one request until the hub has decided about each parcel, or their time is over."""
        try:
            await self._try_until_late(parcels)
        except Exception as error:
            # The top of a task: whoever waits for an answer must get one, also for a fault of our own.
            self._fail(parcels, error)

    async def _try_until_late(self, parcels: list[Parcel]) -> None:
        failures = 0
        while parcels:
            try:
                await self._send(parcels)
                return
            except HubUnavailableError as error:
                failures += 1
                now_s = time.monotonic()
                self._fail([parcel for parcel in parcels if parcel.deadline_s <= now_s], error)
                parcels = [parcel for parcel in parcels if not parcel.is_decided]
                if parcels:
                    left_s = min(parcel.deadline_s for parcel in parcels) - now_s
                    await asyncio.sleep(min(left_s, self._pauses.after(failures, error.retry_after_s)))

    async def _send(self, parcels: list[Parcel]) -> None:
        """Send once. A request is refused as a whole: halve it, until only those fail that are to blame."""
        count = sum(len(parcel.handles) for parcel in parcels)
        try:
            accepted = await self._api.submit(b"".join([parcel.body for parcel in parcels]), count)
            if len(accepted) != count:
                raise HubError(f"the hub answered {len(accepted)} tasks of {count}")
        except InvalidTaskError as error:
            if len(parcels) == 1:
                self._fail(parcels, error)
                return
            middle = len(parcels) // 2
            await self._send(parcels[:middle])
            await self._send(parcels[middle:])
        except HubUnavailableError:
            raise
        except HubError as error:
            self._fail(parcels, error)
        else:
            self._accept(parcels, accepted)

    def _accept(self, parcels: list[Parcel], accepted: list[Accepted]) -> None:
        start = 0
        for parcel in parcels:
            end = start + len(parcel.handles)
            self._decide(parcel)
            # Its submitter may have been cancelled meanwhile; the task stays submitted.
            if not parcel.done.done():
                parcel.done.set_result(accepted[start:end])
            start = end

    def _fail(self, parcels: list[Parcel], error: Exception) -> None:
        for parcel in parcels:
            if not parcel.is_decided:
                self._decide(parcel)
                if not parcel.done.done():
                    parcel.done.set_exception(error)

    def _decide(self, parcel: Parcel) -> None:
        parcel.is_decided = True
        self._room.give_back(parcel.taken_bytes)
