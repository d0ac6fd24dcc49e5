"""The thread that answers questions, on a connection of its own: a slow question never holds up a commit."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from hub.store.contract import Store
from hub.store.errors import StoreUnavailableError

T = TypeVar("T")

# Questions that wait at once. Each takes milliseconds: more would only wait past their deadline.
WAITING_MAX: Final = 1_000

# How long a caller waits for an answer, its turn included.
ANSWER_WITHIN_S: Final = 10.0


class StoreBusyError(StoreUnavailableError):
    """Too many questions wait, or this one was not answered in time. Try again later."""


class _Question:
    """A query and the future that its caller waits for."""

    __slots__ = ("answer", "loop", "query")

    def __init__(self, query: Callable[[Store], object], loop: asyncio.AbstractEventLoop) -> None:
        self.query = query
        self.loop = loop
        self.answer: asyncio.Future[object] = loop.create_future()


class StoreReader:
    """Owns the thread ``store-reader``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[_Question] = deque()
        self._wake = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._work, name="store-reader", daemon=True)

    def start(self) -> None:
        """Begin to answer. Twice is harmless."""
        if self._thread.ident is None:
            self._thread.start()

    async def read(self, query: Callable[[Store], T], *, within_s: float = ANSWER_WITHIN_S) -> T:
        """Ask the store. Cancelling drops the question if its turn has not come.

        Raises:
            StoreBusyError: too many questions wait, the time is over, or the reader has stopped.
            StoreUnavailableError: the database cannot be read now.
            Exception: whatever the query raises.
        """
        question = _Question(query, asyncio.get_running_loop())
        with self._wake:
            if self._is_stopping:
                raise StoreBusyError("the store is closing; ask again when the hub is back")
            if len(self._waiting) >= WAITING_MAX:
                raise StoreBusyError(f"{WAITING_MAX} questions wait for the store; ask again in a second")
            self._waiting.append(question)
            self._wake.notify()
        try:
            async with asyncio.timeout(within_s):
                return await question.answer  # type: ignore[return-value] # the future of this very query
        except TimeoutError:
            raise StoreBusyError(f"the store did not answer within {within_s:g} s; ask again later") from None

    def stop(self) -> None:
        """Answer what waits, and end. Blocks; twice is harmless."""
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    # --- on the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (question := self._take()) is not None:
            if question.answer.cancelled():
                continue
            try:
                answer = question.query(self._store)
            except Exception as error:
                # The edge of a query: whatever it raises belongs to its caller.
                _hand_back(question, _fail, error)
            else:
                _hand_back(question, _succeed, answer)

    def _take(self) -> _Question | None:
        with self._wake:
            while not self._waiting and not self._is_stopping:
                self._wake.wait()
            return self._waiting.popleft() if self._waiting else None


def _hand_back(question: _Question, how: Callable[[asyncio.Future[object], T], None], what: T) -> None:
    try:
        question.loop.call_soon_threadsafe(how, question.answer, what)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def _succeed(answer: asyncio.Future[object], value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[object], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
