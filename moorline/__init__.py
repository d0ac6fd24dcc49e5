"""Moorline for user code: declare tasks, submit them, wait for their outcomes.

>>> from moorline import Client, task
>>> @task
... def add(a: int, b: int) -> int:
...     return a + b
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moorline.binding import BadArgumentsError
from moorline.context import Context
from moorline.errors import (
    ConflictError,
    DeclarationError,
    ForbiddenError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    MoorlineError,
    NotFoundError,
    ResultTimeoutError,
    TaskCancelled,
    TaskError,
    TaskExpired,
    TaskFailed,
    TaskLost,
    UnauthorizedError,
)
from moorline.options import Options, Retry
from moorline.task import Task, task

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.handles import Group, TaskHandle
    from moorline.sync_client import SyncClient

__all__ = [
    "BadArgumentsError",
    "Client",
    "ConflictError",
    "Context",
    "DeclarationError",
    "ForbiddenError",
    "Group",
    "HubError",
    "HubUnavailableError",
    "InvalidTaskError",
    "MoorlineError",
    "NotFoundError",
    "Options",
    "ResultTimeoutError",
    "Retry",
    "SyncClient",
    "Task",
    "TaskCancelled",
    "TaskError",
    "TaskExpired",
    "TaskFailed",
    "TaskHandle",
    "TaskLost",
    "UnauthorizedError",
    "task",
]

# A node imports this package for `task` and `Context`, and must not pay a quarter of a second for the HTTP client.
_LAZY = {
    "Client": "moorline.client",
    "Group": "moorline.handles",
    "SyncClient": "moorline.sync_client",
    "TaskHandle": "moorline.handles",
}


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415  # see _LAZY

    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value
