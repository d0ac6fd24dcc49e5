"""Callers that wait until one task has its outcome."""

from __future__ import annotations

import asyncio

from hub.events.endings import TooManyStreamsError


class TaskWatch:
    """Waits until one task has its outcome. Made by `EventFeed.watch`; made *before* the store is asked, it misses
    nothing.
    """

    def __init__(self, watches: TaskWatches, task_id: str) -> None:
        self._watches = watches
        self._task_id = task_id
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait(self, within_s: float) -> bool:
        """Wait for the outcome; False: there is none after ``within_s``, or the feed has closed."""
        try:
            async with asyncio.timeout(within_s):
                await self._done
        except TimeoutError:
            return False
        return not self._watches.is_closed

    def close(self) -> None:
        """Stop waiting. Twice is harmless."""
        self._watches.remove(self._task_id, self)

    def finish(self) -> None:
        """Let the caller go. Twice is harmless."""
        if not self._done.done():
            self._done.set_result(None)


class TaskWatches:
    """All of them, found by their task."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._by_task: dict[str, set[TaskWatch]] = {}
        self._count = 0
        self.is_closed = False
        """Whether nobody is to wait any more."""

    def __len__(self) -> int:
        return self._count

    def add(self, task_id: str) -> TaskWatch:
        """Begin to wait for a task's outcome.

        Raises:
            TooManyStreamsError: as many callers wait as may.
        """
        if self._count >= self._count_max:
            raise TooManyStreamsError("waiting requests", self._count_max)
        watch = TaskWatch(self, task_id)
        self._count += 1
        self._by_task.setdefault(task_id, set()).add(watch)
        if self.is_closed:
            watch.finish()
        return watch

    def remove(self, task_id: str, watch: TaskWatch) -> None:
        """Forget one. Twice is harmless."""
        watches = self._by_task.get(task_id)
        if watches is None or watch not in watches:
            return
        self._count -= 1
        watches.discard(watch)
        if not watches:
            del self._by_task[task_id]

    def finish(self, task_id: str) -> None:
        """Let go who waits for this task: it has its outcome."""
        for watch in self._by_task.get(task_id, ()):
            watch.finish()

    def close(self) -> None:
        """Let everybody go, and who comes later at once. Twice is harmless."""
        self.is_closed = True
        for task_id in self._by_task:
            self.finish(task_id)
