"""Calls that wait for the commit of what they asked for."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from hub import failpoints
from hub.decisions.effects import RequestId
from hub.errors import HubDegradedError, HubStoppingError

T = TypeVar("T")

# How long a call waits for its commit. A commit takes a millisecond; past this the disk is stuck, and the caller may
# repeat the call with the same ids.
COMMIT_WITHIN_S: Final = 30.0

# Calls that wait at once; past it callers are told to come back.
CALLS_MAX: Final = 10_000


class Calls:
    """The calls under way, by the number that goes to the core and comes back with the answer. On the event loop."""

    def __init__(self) -> None:
        self._futures: dict[RequestId, asyncio.Future[object]] = {}
        self._last: RequestId = 0

    def __len__(self) -> int:
        return len(self._futures)

    @property
    def why_full(self) -> str | None:
        """Say that as many calls wait as may; None if there is room."""
        return f"{CALLS_MAX} calls wait already" if len(self._futures) >= CALLS_MAX else None

    def begin(self) -> RequestId:
        """Give the number of a new call."""
        self._last += 1
        self._futures[self._last] = asyncio.get_running_loop().create_future()
        return self._last

    def future(self, request: RequestId) -> asyncio.Future[object]:
        """Give what will have the answer, however long it takes, or HubStoppingError. Nobody need wait for it."""
        future = self._futures[request]
        # A failure that is not asked for is not one that was forgotten.
        future.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        return future

    async def wait(self, request: RequestId) -> object:
        """Wait for the answer, and give it. Cancelling the wait does not undo the call.

        Raises:
            HubDegradedError: there is no commit in time.
            HubStoppingError: the hub has ended meanwhile.
            Exception: the answer is one.
        """
        try:
            async with asyncio.timeout(COMMIT_WITHIN_S):
                return await self._futures[request]
        except TimeoutError:
            message = (
                f"no commit within {COMMIT_WITHIN_S:.0f} s; whether it happened is open: repeat it with the same id"
            )
            raise HubDegradedError(message) from None
        finally:
            self._futures.pop(request, None)

    def answer(self, request: RequestId, answer: object) -> None:
        """Answer a call with a value, or with an exception; nothing if nobody waits any more."""
        future = self._futures.pop(request, None)
        if future is None or future.done():
            return
        failpoints.before_reply(answer)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    def end(self) -> None:
        """Tell all who still wait that the hub has ended."""
        for future in self._futures.values():
            if not future.done():
                future.set_exception(HubStoppingError())


def expect(answer: object, kind: type[T]) -> T:
    """Give an answer of the store, which is of this kind but for a bug of ours."""
    if not isinstance(answer, kind):
        raise AssertionError(f"the store answered {type(answer).__name__} where {kind.__name__} was due")
    return answer
