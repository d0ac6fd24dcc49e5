"""Handles for programs without an event loop: those of `moorline.handles`, each verb waiting for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from moorline.errors import TaskError
from moorline.handles import Group, TaskHandle
from moorline.views import TaskView

if TYPE_CHECKING:
    from moorline.sync_client import SyncClient

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class SyncTaskHandle(Generic[R_co]):
    """One submitted task, see `moorline.TaskHandle`."""

    __slots__ = ("_client", "_handle")

    def __init__(self, client: SyncClient, handle: TaskHandle[R_co]) -> None:
        self._client = client
        self._handle = handle

    @property
    def id(self) -> str:
        """The task's id."""
        return self._handle.id

    @property
    def name(self) -> str:
        """The task's name; empty if it is not known."""
        return self._handle.name

    @property
    def is_done(self) -> bool:
        """Whether `result` would answer at once."""
        return self._handle.is_done

    def result(self, timeout_s: float | None = None) -> R_co:
        """Wait for the outcome and give the value. Raises as `TaskHandle.result` does."""
        # What is known is known without the client's thread, and after the client was closed.
        if self._handle.is_done:
            return self._handle.settled_result()
        return self._client.call(partial(self._handle.result, timeout_s))

    def cancel(self) -> TaskView:
        """Cancel the task; a final one stays as it is."""
        return self._client.cancel(self.id)

    def get(self) -> TaskView:
        """Give the task as the hub has it now."""
        return self._client.get(self.id)

    def __repr__(self) -> str:
        return repr(self._handle)


class SyncGroup(Generic[R]):
    """The tasks of one broadcast, see `moorline.Group`. A mapping of node id to handle."""

    __slots__ = ("_client", "_group", "handles")

    def __init__(self, client: SyncClient, group: Group[R]) -> None:
        self._client = client
        self._group = group
        self.handles: dict[str, SyncTaskHandle[R]] = {
            node_id: SyncTaskHandle(client, handle) for node_id, handle in group.handles.items()
        }

    @property
    def id(self) -> str:
        """The group's id."""
        return self._group.id

    def __len__(self) -> int:
        return len(self.handles)

    def __iter__(self) -> Iterator[str]:
        return iter(self.handles)

    def __getitem__(self, node_id: str) -> SyncTaskHandle[R]:
        return self.handles[node_id]

    def results(self, timeout_s: float | None = None) -> dict[str, R | TaskError]:
        """Wait for all, and give by node id a value or the error that stands for another outcome."""
        return self._client.call(partial(self._group.results, timeout_s))
