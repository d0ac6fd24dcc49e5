"""For tests of task packs and of programs that use them: run tasks without a hub, and break the links to a real one.

`LocalClient` is `moorline.Client` with a hub in memory behind it. Payloads and results go through JSON, arguments are
bound as a node binds them, and errors come back as they would from afar. What is not simulated: retries, delays and
`not_before` do not wait; `requires`, `node`, `lease_s` and `on_lost` change nothing, for there is one node, which never
dies; `isolation="process"` runs in a thread. Filters are refused, and `bulk`, `alerts`, `silence`, `end_silence`,
`test_alerts`, `history`, `node_history` and `audit` raise HubError with the code `not_simulated`: test what uses them
against a hub, such as `moorline dev`.

`FaultProxy` stands between a program and a real server, and breaks their connections as networks do; `FaultProxyThread`
is the same for tests that are not async.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from moorline.call_types import AnyResult, Async, ContextLater, Misfit
from moorline.client import Client
from moorline.context import Context
from moorline.sync_client import SyncClient
from moorline.task import Task
from moorline.testing.fault_proxy import FaultProxy
from moorline.testing.fault_proxy_thread import FaultProxyThread
from moorline.testing.local_hub import LocalHub
from moorline.testing.local_transport import LocalTransport

__all__ = ["FaultProxy", "FaultProxyThread", "LocalClient", "LocalSyncClient", "run_locally"]

P = ParamSpec("P")
T = TypeVar("T")

# As many as a node has by default.
SLOTS = 8


class LocalClient(Client):
    """The verbs of `moorline.Client`, for tasks that run in this process.

    Args:
        tasks: what may be submitted by name. A task that is submitted itself is known from then on.
        slots: how many run at once.

    Raises:
        DeclarationError: one of the tasks is none.
        ValueError: there are no slots.
    """

    def __init__(self, tasks: Iterable[Task[..., Any]] = (), *, slots: int = SLOTS) -> None:
        if slots < 1:
            raise ValueError(f"slots is {slots}; it must be at least 1")
        self._hub = LocalHub(tasks, slots=slots)
        super().__init__(transport=LocalTransport(self._hub))

    def _middle_of(self, task: Task[..., Any] | str) -> bytes:
        if not isinstance(task, str):
            self._hub.serve(task)
        return super()._middle_of(task)


class LocalSyncClient(SyncClient):
    """The verbs of `moorline.SyncClient`, for tasks that run in this process. Arguments as for `LocalClient`."""

    def __init__(self, tasks: Iterable[Task[..., Any]] = (), *, slots: int = SLOTS) -> None:
        super().__init__(client=LocalClient(tasks, slots=slots))


@overload
def run_locally(task: Task[P, Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@overload
def run_locally(task: Task[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@overload
def run_locally(task: Task[Concatenate[Context, P], Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@overload
def run_locally(task: Task[Concatenate[Context, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...


@overload
def run_locally(task: Misfit, /, *args: Any, **kwargs: Any) -> AnyResult: ...


@overload
def run_locally(task: ContextLater[Async[T]], /, *args: Any, **kwargs: Any) -> T: ...


@overload
def run_locally(task: ContextLater[T], /, *args: Any, **kwargs: Any) -> T: ...


def run_locally(task: Task[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run one task as a node would, and give its value as a client would get it. Not from within an event loop.

    Raises:
        RuntimeError: an event loop runs here.
        DeclarationError: it is no task.
        TaskError: it has no value; ``remote_traceback`` says where it failed.
        BadArgumentsError: these are not arguments of the task.
        InvalidTaskError: the arguments are not JSON.
    """

    async def run() -> Any:
        async with LocalClient() as client:
            handle = await client.submit(task, *args, **kwargs)
            return await handle.result()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    raise RuntimeError("run_locally starts an event loop, and one runs here already; use LocalClient in a coroutine")
