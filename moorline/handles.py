"""Handles: what a program holds of the tasks that it submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from moorline.errors import ResultTimeoutError, TaskError
from moorline.outcomes import Forgotten, Outcome
from moorline.views import TaskView

if TYPE_CHECKING:
    from moorline.client import Client

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class TaskHandle(Generic[R_co]):
    """One submitted task. Dropping a handle does not touch the task.

    Attributes:
        id: the task's id, at the hub and everywhere.
        name: the task's name; empty if it is not known.
    """

    __slots__ = ("__weakref__", "_client", "_settled", "_watchers", "id", "is_accepted", "is_streamed", "name")

    def __init__(self, client: Client, task_id: str, name: str, *, is_streamed: bool) -> None:
        self.id: str = task_id
        self.name: str = name
        self._client = client
        self._settled: Outcome | Forgotten | None = None
        # Who waits. None rather than an empty list: most handles of a batch never have one before they are settled.
        self._watchers: list[Callable[[], None]] | None = None
        # Whether the hub has said that it has the task, and whether its outcome comes by the client's own stream.
        self.is_accepted: bool = not is_streamed
        self.is_streamed: bool = is_streamed

    @property
    def is_done(self) -> bool:
        """Whether `result` would answer at once, as far as this client knows."""
        return self._settled is not None

    async def result(self, timeout_s: float | None = None) -> R_co:
        """Wait for the outcome and give the value. May be called often; cancelling it does not touch the task.

        Waits through restarts of the hub, however long.

        Raises:
            TaskFailed, TaskCancelled, TaskExpired, TaskLost: there is an outcome, and it is no value.
            ResultTimeoutError: there is none within ``timeout_s`` seconds. The task goes on.
            NotFoundError: the hub no longer knows the task.
            HubError: the hub no longer lets this client listen.
        """
        if self._settled is None:
            await self._wait(timeout_s)
        return self.settled_result()

    async def cancel(self) -> TaskView:
        """Cancel the task; a final one stays as it is. Gives the task as it is then."""
        return await self._client.cancel(self.id)

    async def get(self) -> TaskView:
        """Give the task as the hub has it now."""
        return await self._client.get(self.id)

    def __repr__(self) -> str:
        state = "open" if self._settled is None else getattr(self._settled, "state", "forgotten")
        return f"<task {self.id} {self.name or 'unnamed'}: {state}>"

    # --- the client's side --------------------------------------------------------------------------------------------

    def watch(self, on_settled: Callable[[], None]) -> None:
        """Call back once it has its outcome, now if it has it; on the client's event loop."""
        if self._settled is not None:
            on_settled()
            return
        if self._watchers is None:
            self._watchers = []
        self._watchers.append(on_settled)
        self._client.expect(self)

    def settled_result(self) -> R_co:
        """Give the value of a handle that is done, or raise as `result` does; on any thread."""
        if self._settled is None:
            raise AssertionError("a handle was asked for its outcome before it was settled")
        value: R_co = self._settled.result()
        return value

    @property
    def is_watched(self) -> bool:
        """Whether anybody waits for it."""
        return bool(self._watchers)

    def settle(self, settled: Outcome | Forgotten) -> None:
        """Take the outcome; the first one counts."""
        if self._settled is not None:
            return
        self._settled = settled
        watchers, self._watchers = self._watchers, None
        for on_settled in watchers or ():
            on_settled()

    async def _wait(self, timeout_s: float | None) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self.watch(wake)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError as error:
            raise ResultTimeoutError(self.id, timeout_s or 0.0) from error
        finally:
            if self._watchers is not None and not waiter.done():
                self._watchers.remove(wake)


class Group(Generic[R]):
    """The tasks of one broadcast: one for each node that was online and matched. A mapping of node id to handle.

    Attributes:
        id: the group's id, a filter of `Client.list` and `Client.events`.
        handles: by node id.
    """

    __slots__ = ("handles", "id")

    def __init__(self, group_id: str, handles: Mapping[str, TaskHandle[R]]) -> None:
        self.id: str = group_id
        self.handles: dict[str, TaskHandle[R]] = dict(handles)

    def __len__(self) -> int:
        return len(self.handles)

    def __iter__(self) -> Iterator[str]:
        return iter(self.handles)

    def __getitem__(self, node_id: str) -> TaskHandle[R]:
        return self.handles[node_id]

    async def results(self, timeout_s: float | None = None) -> dict[str, R | TaskError]:
        """Wait for all, and give by node id what came: a value, or the error that stands for another outcome.

        Raises:
            ResultTimeoutError: not all have an outcome within ``timeout_s`` seconds; those that have can be read from
                their handles.
        """
        loop = asyncio.get_running_loop()
        deadline_s = None if timeout_s is None else loop.time() + timeout_s
        found: dict[str, R | TaskError] = {}
        for node_id, handle in self.handles.items():
            left_s = None if deadline_s is None else max(0.0, deadline_s - loop.time())
            try:
                found[node_id] = await handle.result(left_s)
            except TaskError as error:
                found[node_id] = error
        return found

    def __repr__(self) -> str:
        return f"<group {self.id}: {len(self.handles)} nodes>"
