"""The client for programs without an event loop: the verbs of `moorline.Client`, each waiting for its answer.

An event loop runs on a thread of its own. Any number of threads may use one client at once; Ctrl-C in a call ends that
call.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Final, Literal, ParamSpec, Self, TypeVar, overload

from moorline.call_types import AnyResult, Async, AsyncTask, ContextLater, Misfit
from moorline.client import DEFAULT_URL, Client, Items
from moorline.context import Context
from moorline.errors import HubUnavailableError
from moorline.handles import TaskHandle
from moorline.history_views import Attempt, AuditEntry, ErrorGroup, History, NodeHistory
from moorline.hub_verbs import BULK_TASKS_MAX
from moorline.loop_thread import LoopThread
from moorline.options import Options
from moorline.sync_handles import SyncGroup, SyncTaskHandle
from moorline.task import Task
from moorline.transport import Transport
from moorline.views import (
    Alerts,
    Bulk,
    ChannelTest,
    Event,
    Explanation,
    Identity,
    NodeCell,
    NodePage,
    NodeView,
    SilenceView,
    Stats,
    TaskLogs,
    TaskPage,
    TaskView,
)

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_END: Final = object()

# A program that ends without closing its client waits no longer than this for the connections to be closed.
EXIT_WITHIN_S: Final = 1.0


class SyncClient:
    """A program's way to one hub, see `moorline.Client` for the arguments, the verbs and what they raise.

    A context manager. Usable without ``with``: a program that ends, or drops it, closes it. It works where an event
    loop runs, such as in a notebook, but holds the loop up during each call: coroutines use `moorline.Client`. With
    ``client`` it wraps that one, which nobody else may use then; the other arguments are not used.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str | None = None,
        *,
        ca: Path | str | None = None,
        proxy: str | None = None,
        submit_timeout_s: float = 60.0,
        request_timeout_s: float = 30.0,
        transport: Transport | None = None,
        client: Client | None = None,
    ) -> None:
        self._client = client or Client(
            url,
            token,
            ca=ca,
            proxy=proxy,
            submit_timeout_s=submit_timeout_s,
            request_timeout_s=request_timeout_s,
            transport=transport,
        )
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._closed = False
        # What has been asked for one by one and is not at its end.
        self._iterated: weakref.WeakSet[AsyncGenerator[Any, None]] = weakref.WeakSet()
        _unclosed.add(self)

    @property
    def origin(self) -> str:
        """The mark on each task of this client."""
        return self._client.origin

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the hub, and end the thread. Calls of other threads end with HubUnavailableError. Twice is
        harmless.
        """
        self._close(None)

    def _close(self, within_s: float | None) -> None:
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is None:
            return
        with suppress(TimeoutError):
            thread.start(self._close_client).result(within_s)
        # What other threads still wait for is cancelled.
        thread.stop()
        thread.join(within_s)

    async def _close_client(self) -> None:
        for items in list(self._iterated):
            # One that is being asked by another thread is cancelled with the rest.
            with suppress(RuntimeError):
                await items.aclose()
        await self._client.close()

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function of the async client on the client's thread and give what it gives.

        For what this class does not wrap. An exception on this side, such as KeyboardInterrupt, cancels it.
        """
        future = self._opened().start(function)
        try:
            return future.result()
        except CancelledError:
            raise HubUnavailableError("the client was closed before the hub answered") from None
        except BaseException:
            future.cancel()
            raise

    # --- submit -------------------------------------------------------------------------------------------------------

    @overload
    def submit(self, task: Task[P, Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> SyncTaskHandle[T]: ...

    @overload
    def submit(self, task: Task[P, T], /, *args: P.args, **kwargs: P.kwargs) -> SyncTaskHandle[T]: ...

    @overload
    def submit(
        self, task: Task[Concatenate[Context, P], Async[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncTaskHandle[T]: ...

    @overload
    def submit(
        self, task: Task[Concatenate[Context, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncTaskHandle[T]: ...

    @overload
    def submit(self, task: Misfit, /, *args: Any, **kwargs: Any) -> SyncTaskHandle[AnyResult]: ...

    @overload
    def submit(self, task: ContextLater[Async[T]], /, *args: Any, **kwargs: Any) -> SyncTaskHandle[T]: ...

    @overload
    def submit(self, task: ContextLater[T], /, *args: Any, **kwargs: Any) -> SyncTaskHandle[T]: ...

    @overload
    def submit(self, task: str, /, **kwargs: Any) -> SyncTaskHandle[Any]: ...

    def submit(self, task: Task[..., Any] | str, /, *args: Any, **kwargs: Any) -> SyncTaskHandle[Any]:
        """See `Client.submit`."""
        submit: Callable[[], Awaitable[TaskHandle[Any]]] = partial(self._client.submit, task, *args, **kwargs)
        return SyncTaskHandle(self, self.call(submit))

    def submit_payload(
        self, name: str, payload: Mapping[str, Any], options: Options | None = None
    ) -> SyncTaskHandle[Any]:
        """See `Client.submit_payload`."""
        return SyncTaskHandle(self, self.call(partial(self._client.submit_payload, name, payload, options)))

    @overload
    def submit_many(self, task: AsyncTask[T], items: Items, /) -> list[SyncTaskHandle[T]]: ...

    @overload
    def submit_many(self, task: Task[..., T], items: Items, /) -> list[SyncTaskHandle[T]]: ...

    @overload
    def submit_many(self, task: str, items: Items, /) -> list[SyncTaskHandle[Any]]: ...

    def submit_many(self, task: Task[..., Any] | str, items: Items, /) -> list[SyncTaskHandle[Any]]:
        """See `Client.submit_many`."""
        submit: Callable[[], Awaitable[Sequence[TaskHandle[Any]]]] = partial(self._client.submit_many, task, items)
        return [SyncTaskHandle(self, handle) for handle in self.call(submit)]

    @overload
    def broadcast(self, task: Task[P, Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> SyncGroup[T]: ...

    @overload
    def broadcast(self, task: Task[P, T], /, *args: P.args, **kwargs: P.kwargs) -> SyncGroup[T]: ...

    @overload
    def broadcast(
        self, task: Task[Concatenate[Context, P], Async[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncGroup[T]: ...

    @overload
    def broadcast(
        self, task: Task[Concatenate[Context, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> SyncGroup[T]: ...

    @overload
    def broadcast(self, task: Misfit, /, *args: Any, **kwargs: Any) -> SyncGroup[AnyResult]: ...

    @overload
    def broadcast(self, task: ContextLater[Async[T]], /, *args: Any, **kwargs: Any) -> SyncGroup[T]: ...

    @overload
    def broadcast(self, task: ContextLater[T], /, *args: Any, **kwargs: Any) -> SyncGroup[T]: ...

    @overload
    def broadcast(self, task: str, /, **kwargs: Any) -> SyncGroup[Any]: ...

    def broadcast(self, task: Task[..., Any] | str, /, *args: Any, **kwargs: Any) -> SyncGroup[Any]:
        """See `Client.broadcast`."""
        return SyncGroup(self, self.call(partial(self._client.broadcast, task, *args, **kwargs)))

    # --- wait ---------------------------------------------------------------------------------------------------------

    def handle(self, task_id: str) -> SyncTaskHandle[Any]:
        """See `Client.handle`."""
        return SyncTaskHandle(self, self._client.handle(task_id))

    def as_completed(self, handles: Iterable[SyncTaskHandle[T]]) -> Iterator[SyncTaskHandle[T]]:
        """See `Client.as_completed`."""
        by_handle: dict[TaskHandle[T], SyncTaskHandle[T]] = {}
        for handle in handles:
            if not isinstance(handle, SyncTaskHandle):
                raise TypeError(f"{handle!r} is no handle of this client; client.handle(id) gives one for a task's id")
            by_handle[handle._handle] = handle
        for done in self._iterate(self._client.as_completed(by_handle)):
            yield by_handle[done]

    @overload
    def map(
        self, task: AsyncTask[T], items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> Iterator[T]: ...

    @overload
    def map(
        self, task: Task[..., T], items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> Iterator[T]: ...

    @overload
    def map(self, task: str, items: Items, /, *, window: int = 5_000, progress: bool = False) -> Iterator[Any]: ...

    def map(
        self, task: Task[..., Any] | str, items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> Iterator[Any]:
        """See `Client.map`."""
        return self._iterate(self._client.map(task, items, window=window, progress=progress))

    # --- look at tasks ------------------------------------------------------------------------------------------------

    def get(self, task_id: str) -> TaskView:
        """See `Client.get`."""
        return self.call(partial(self._client.get, task_id))

    def explain(self, task_id: str) -> Explanation:
        """See `Client.explain`."""
        return self.call(partial(self._client.explain, task_id))

    def logs(self, task_id: str) -> TaskLogs:
        """See `Client.logs`."""
        return self.call(partial(self._client.logs, task_id))

    def attempts(self, task_id: str) -> Sequence[Attempt]:
        """See `Client.attempts`."""
        return self.call(partial(self._client.attempts, task_id))

    def errors(self, *, limit: int = 100) -> Sequence[ErrorGroup]:
        """See `Client.errors`."""
        return self.call(partial(self._client.errors, limit=limit))

    def cancel(self, task_id: str) -> TaskView:
        """See `Client.cancel`."""
        return self.call(partial(self._client.cancel, task_id))

    def retry(self, task_id: str) -> TaskView:
        """See `Client.retry`."""
        return self.call(partial(self._client.retry, task_id))

    def task_page(
        self,
        filter: str = "",  # noqa: A002  # the word of the API
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """See `Client.task_page`."""
        return self.call(partial(self._client.task_page, filter, limit=limit, cursor=cursor))

    def bulk(
        self,
        action: Literal["cancel", "retry"],
        filter: str,  # noqa: A002
        *,
        count_only: bool = False,
        limit: int = BULK_TASKS_MAX,
        cursor: str | None = None,
    ) -> Bulk:
        """See `Client.bulk`."""
        return self.call(partial(self._client.bulk, action, filter, count_only=count_only, limit=limit, cursor=cursor))

    # --- look at the hub ----------------------------------------------------------------------------------------------

    def nodes(
        self,
        filter: str = "",  # noqa: A002
        *,
        sort: str = "id",
    ) -> Sequence[NodeView]:
        """See `Client.nodes`."""
        return self.call(partial(self._client.nodes, filter, sort=sort))

    def node_page(
        self,
        filter: str = "",  # noqa: A002
        *,
        sort: str = "id",
        limit: int = 100,
        cursor: str | None = None,
    ) -> NodePage:
        """See `Client.node_page`."""
        return self.call(partial(self._client.node_page, filter, sort=sort, limit=limit, cursor=cursor))

    def slot_map(self) -> Sequence[NodeCell]:
        """See `Client.slot_map`."""
        return self.call(self._client.slot_map)

    def node(self, node_id: str) -> NodeView:
        """See `Client.node`."""
        return self.call(partial(self._client.node, node_id))

    def cordon(self, node_id: str) -> NodeView:
        """See `Client.cordon`."""
        return self.call(partial(self._client.cordon, node_id))

    def uncordon(self, node_id: str) -> NodeView:
        """See `Client.uncordon`."""
        return self.call(partial(self._client.uncordon, node_id))

    def drain(self, node_id: str) -> NodeView:
        """See `Client.drain`."""
        return self.call(partial(self._client.drain, node_id))

    def disconnect(self, node_id: str) -> NodeView:
        """See `Client.disconnect`."""
        return self.call(partial(self._client.disconnect, node_id))

    def alerts(self) -> Alerts:
        """See `Client.alerts`."""
        return self.call(self._client.alerts)

    def silence(
        self, *, for_s: float, rule: str | None = None, subject: str | None = None, comment: str = ""
    ) -> SilenceView:
        """See `Client.silence`."""
        return self.call(partial(self._client.silence, for_s=for_s, rule=rule, subject=subject, comment=comment))

    def end_silence(self, silence_id: str) -> SilenceView:
        """See `Client.end_silence`."""
        return self.call(partial(self._client.end_silence, silence_id))

    def test_alerts(self) -> Sequence[ChannelTest]:
        """See `Client.test_alerts`."""
        return self.call(self._client.test_alerts)

    def me(self) -> Identity:
        """See `Client.me`."""
        return self.call(self._client.me)

    def stats(self) -> Stats:
        """See `Client.stats`."""
        return self.call(self._client.stats)

    def history(
        self, *, step_s: int = 10, since: datetime | float | None = None, until: datetime | float | None = None
    ) -> History:
        """See `Client.history`."""
        return self.call(partial(self._client.history, step_s=step_s, since=since, until=until))

    def node_history(self, node_id: str, *, since: datetime | float | None = None) -> NodeHistory:
        """See `Client.node_history`."""
        return self.call(partial(self._client.node_history, node_id, since=since))

    def audit(self, *, limit: int | None = None) -> Iterator[AuditEntry]:
        """See `Client.audit`."""
        return self._iterate(self._client.audit(limit=limit))

    def events(
        self,
        *,
        kind: str | Iterable[str] = (),
        origin: str | None = None,
        task: str | None = None,
        node: str | None = None,
        name: str | None = None,
        group: str | None = None,
        last_id: int | None = None,
    ) -> Iterator[Event]:
        """See `Client.events`."""
        return self._iterate(
            self._client.events(kind=kind, origin=origin, task=task, node=node, name=name, group=group, last_id=last_id)
        )

    def list(
        self,
        *,
        filter: str = "",  # noqa: A002
        state: str | Iterable[str] = (),
        name: str | None = None,
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        since: datetime | float | None = None,
        group: str | None = None,
        origin: str | None = None,
        ids: Iterable[str] = (),
        limit: int | None = None,
    ) -> Iterator[TaskView]:
        """See `Client.list`."""
        return self._iterate(
            self._client.list(
                filter=filter,
                state=state,
                name=name,
                node=node,
                labels=labels,
                since=since,
                group=group,
                origin=origin,
                ids=ids,
                limit=limit,
            )
        )

    # --- inside -------------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise HubUnavailableError("the client is closed", remedy="make another one")

    def _opened(self) -> LoopThread:
        with self._lock:
            self._check_open()
            if self._thread is None:
                self._thread = LoopThread("moorline client")
                # At the end of the program there is time to wait for it: see `_close_all`.
                weakref.finalize(self, _abandon, self._thread, self._client).atexit = False
            return self._thread

    def _iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        self._iterated.add(items)
        # A step that Ctrl-C broke off must be over before the generator can be closed.
        step = asyncio.Lock()

        async def following() -> Any:
            async with step:
                return await anext(items, _END)

        async def closing() -> None:
            async with step:
                await items.aclose()

        try:
            while (item := self.call(following)) is not _END:
                yield item
        finally:
            thread = self._thread
            if thread is not None:
                closed = thread.start(closing)
                # Whoever throws an iterator away may be the collector of garbage, on any thread.
                if not thread.is_current:
                    with suppress(CancelledError):
                        closed.result()


_unclosed: Final[weakref.WeakSet[SyncClient]] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for client in list(_unclosed):
        client._close(EXIT_WITHIN_S)


def _abandon(thread: LoopThread, client: Client) -> None:
    """Close the client of a `SyncClient` that nobody holds any more. Waits for nothing: the garbage is collected."""
    thread.start(client.close).add_done_callback(lambda _: thread.stop())
