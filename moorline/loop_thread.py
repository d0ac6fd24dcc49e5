"""An event loop on a thread of its own, for a program that has none. It never keeps that program alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")


class LoopThread:
    """Turns from its creation until `stop`. Any number of threads may use it at once.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._lock = threading.Lock()
        self._is_ending = False
        self._ended = asyncio.Event()
        # Made here, used there: it must not become the loop of the thread that makes it.
        self._loop: Final = asyncio.new_event_loop()
        # A daemon: a program that forgets to close its client ends all the same.
        self._thread = threading.Thread(target=self._turn, name=name, daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this very thread, which must never wait for itself."""
        return threading.current_thread() is self._thread

    def start(self, function: Callable[[], Awaitable[T]]) -> Future[T]:
        """Begin a coroutine function here; give what it comes to. After `stop` it is cancelled at once."""

        async def running() -> T:
            return await function()

        with self._lock:
            if not self._is_ending:
                return asyncio.run_coroutine_threadsafe(running(), self._loop)
        refused: Future[T] = Future()
        refused.cancel()
        return refused

    def stop(self) -> None:
        """Cancel what still runs, and end the thread soon. Waits for nothing; twice is harmless."""
        with self._lock:
            if self._is_ending:
                return
            self._is_ending = True
            self._loop.call_soon_threadsafe(self._ended.set)

    def join(self, within_s: float | None = None) -> None:
        """Wait until the thread has ended, or so long."""
        if not self.is_current:
            self._thread.join(within_s)

    def _turn(self) -> None:
        # Not `asyncio.Runner`, which waits at its end for the loop's executor in a further thread: from Python 3.12 on
        # none can be started once the program ends.
        try:
            self._loop.run_until_complete(self._ended.wait())
            self._loop.run_until_complete(_cancel_all())
        finally:
            self._loop.close()


async def _cancel_all() -> None:
    """Cancel every other task of the running loop, and wait until they have ended."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
