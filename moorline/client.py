"""The client: submit tasks to a hub, wait for what they come to, and ask it all that `moorline.hub_verbs` can."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeAlias, TypeVar, overload

from moorline.api import Accepted
from moorline.binding import BadArgumentsError
from moorline.call_types import AnyResult, Async, AsyncTask, ContextLater, Misfit
from moorline.context import Context
from moorline.errors import (
    DeclarationError,
    ForbiddenError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    UnauthorizedError,
)
from moorline.following import Following
from moorline.handles import Group, TaskHandle
from moorline.home_loop import HomeLoop
from moorline.http_transport import HttpTransport
from moorline.hub_verbs import HubVerbs
from moorline.options import Options, check_identifier
from moorline.pauses import Pauses
from moorline.progress_bar import progress_bar
from moorline.submitting import TASKS_PER_REQUEST, Parcel, Submitter, for_items, parts
from moorline.task import Task
from moorline.task_ids import new_task_id
from moorline.task_lines import Middles, line_of, name_of, payload_of, payload_of_item
from moorline.transport import Transport
from moorline.views import FINAL_STATES

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:8780"

# Pauses between tries to reach a hub that is away: the first new try soon, since most absences are restarts.
SUBMIT_PAUSES: Final = Pauses(first_s=0.2, maximum_s=5.0)
STREAM_PAUSES: Final = Pauses(first_s=1.0, maximum_s=10.0)

Items: TypeAlias = Iterable[Any]


class Client(HubVerbs):
    """A program's way to one hub. An async context manager; usable without ``async with`` if it is closed in the end.

    Use it on one event loop, the one of its first call: on another one, its calls raise RuntimeError. Any number of
    coroutines may use it at once. It lives through restarts of its hub: waits
    go on, and submits are tried again with the same ids, so that no task is taken twice.

    Args:
        url: the hub's HTTP address.
        token: a token of the role `submit`, `read` where nothing is changed, or `admin` to act on nodes and alerts;
            None on loopback without tokens.
        ca: a file of certificates (PEM) to trust instead of the system's.
        proxy: an HTTP proxy on the way.
        submit_timeout_s: how long a submit tries to reach a hub before it raises HubUnavailableError.
        request_timeout_s: how long any one request may take.
        transport: another way to a hub than HTTP; ``url``, ``token``, ``ca`` and ``proxy`` are then not used.

    The environment is not looked at: `MOORLINE_URL` and its like are settings of the command line.

    Raises:
        ValueError: the url or the token is none.
        OSError: ``ca`` cannot be read.

    Attributes:
        origin: the mark on each task of this client, a filter of `list` and `events`.
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
    ) -> None:
        self._submit_timeout_s = submit_timeout_s
        transport = transport or HttpTransport(url, token=token, ca=ca, proxy=proxy)
        super().__init__(transport, request_timeout_s=request_timeout_s, stream_pauses=STREAM_PAUSES)
        self.origin: Final = f"client-{new_task_id()}"
        self._following = Following(self._api, self._transport, origin=self.origin, pauses=STREAM_PAUSES)
        self._submitter = Submitter(self._api, timeout_s=submit_timeout_s, pauses=SUBMIT_PAUSES)
        self._middles = Middles(self.origin)
        self._home = HomeLoop()
        self._closed = False

    async def __aenter__(self) -> Self:
        self._check_usable()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the hub. What was accepted goes on there; whoever still waits gets HubUnavailableError. Twice is
        harmless.
        """
        self._home.check()
        self._closed = True
        await self._submitter.close()
        await self._following.close()
        await self._transport.close()

    # --- submit -------------------------------------------------------------------------------------------------------

    @overload
    async def submit(self, task: Task[P, Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[T]: ...

    @overload
    async def submit(self, task: Task[P, T], /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[T]: ...

    @overload
    async def submit(
        self, task: Task[Concatenate[Context, P], Async[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle[T]: ...

    @overload
    async def submit(
        self, task: Task[Concatenate[Context, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle[T]: ...

    @overload
    async def submit(self, task: Misfit, /, *args: Any, **kwargs: Any) -> TaskHandle[AnyResult]: ...

    @overload
    async def submit(self, task: ContextLater[Async[T]], /, *args: Any, **kwargs: Any) -> TaskHandle[T]: ...

    @overload
    async def submit(self, task: ContextLater[T], /, *args: Any, **kwargs: Any) -> TaskHandle[T]: ...

    @overload
    async def submit(self, task: str, /, **kwargs: Any) -> TaskHandle[Any]: ...

    async def submit(self, task: Task[..., Any] | str, /, *args: Any, **kwargs: Any) -> TaskHandle[Any]:
        """Submit a task; when this returns, the hub has committed it and will not lose it.

        ``client.submit(add, 1, 2)``, ``client.submit(add.options(priority=5), a=1, b=2)`` or, where the function is
        not at hand, ``client.submit("add", a=1, b=2)``. A parameter of type `Context` is left out; type checkers
        check the others if it stands first. Cancelling this call does not call the task back. In JSON, NaN and infinity
        become null.

        Raises:
            DeclarationError: the task is none: a function without `@task`, or a text that cannot be a name.
            BadArgumentsError: these are not arguments of the task.
            InvalidTaskError: the arguments are not JSON, or the hub refuses the task.
            HubUnavailableError: no hub could be reached in ``submit_timeout_s``; whether it has the task is open.
            HubError: another leaf, such as UnauthorizedError.
        """
        name = name_of(task)
        payload = payload_of(task, args, kwargs)
        return await self._submit(name, self._middle_of(task), payload)

    async def submit_payload(
        self, name: str, payload: Mapping[str, Any], options: Options | None = None
    ) -> TaskHandle[Any]:
        """Submit a task by its name, with a payload that is ready. Raises as `submit` does."""
        check_identifier("the name of a task", name)
        if options is not None and not isinstance(options, Options):
            raise DeclarationError(f"options is {options!r}; it must be Options, such as Options(priority=1)")
        return await self._submit(name, self._middles.made(name, options or Options()), payload)

    @overload
    async def submit_many(self, task: AsyncTask[T], items: Items, /) -> list[TaskHandle[T]]: ...

    @overload
    async def submit_many(self, task: Task[..., T], items: Items, /) -> list[TaskHandle[T]]: ...

    @overload
    async def submit_many(self, task: str, items: Items, /) -> list[TaskHandle[Any]]: ...

    async def submit_many(self, task: Task[..., Any] | str, items: Items, /) -> list[TaskHandle[Any]]:
        """Submit a task for each item, in requests of up to 1,000 or 4 MiB: far quicker than one by one.

        An item is a mapping (named arguments), a tuple (positional ones), or anything else (the one argument). Gives
        the handles in the order of the items.

        Raises:
            As `submit` does; ``where`` then names the item, counted from 1. The others of its request are refused with
            it; those of other requests may have been accepted: a note on the error says how many.
        """
        await self._open()
        handles: list[TaskHandle[Any]] = []
        parcels: list[Parcel] = []
        try:
            for chunk in _chunks(items, TASKS_PER_REQUEST):
                made, lines = self._lines(task, chunk, len(handles))
                for part in parts(lines):
                    # One by one: those before one that raises are known, and awaited below.
                    parcels.append(await self._submitter.post(made[part], lines[part]))  # noqa: PERF401
                handles += made
                # Let what is ready leave, and outcomes come in, before the next thousand is made.
                await asyncio.sleep(0)
        finally:
            # Also where an item cannot be sent: what is on its way is awaited, so that nobody is left unheard.
            await self._settle_parcels(parcels)
        return handles

    @overload
    async def broadcast(self, task: Task[P, Async[T]], /, *args: P.args, **kwargs: P.kwargs) -> Group[T]: ...

    @overload
    async def broadcast(self, task: Task[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Group[T]: ...

    @overload
    async def broadcast(
        self, task: Task[Concatenate[Context, P], Async[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> Group[T]: ...

    @overload
    async def broadcast(
        self, task: Task[Concatenate[Context, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Group[T]: ...

    @overload
    async def broadcast(self, task: Misfit, /, *args: Any, **kwargs: Any) -> Group[AnyResult]: ...

    @overload
    async def broadcast(self, task: ContextLater[Async[T]], /, *args: Any, **kwargs: Any) -> Group[T]: ...

    @overload
    async def broadcast(self, task: ContextLater[T], /, *args: Any, **kwargs: Any) -> Group[T]: ...

    @overload
    async def broadcast(self, task: str, /, **kwargs: Any) -> Group[Any]: ...

    async def broadcast(self, task: Task[..., Any] | str, /, *args: Any, **kwargs: Any) -> Group[Any]:
        """Submit one task to each node that is online and matches its requirements.

        A node that lost its session when the hub stopped, and is not back yet, counts as online.

        Raises as `submit` does.
        """
        name = name_of(task)
        payload = payload_of(task, args, kwargs)
        await self._open()
        group_id = new_task_id()
        accepted = await self._patiently_broadcast(line_of(group_id, self._middle_of(task), payload, name))
        handles = {member.node: TaskHandle[Any](self, member.id, name, is_streamed=True) for member in accepted.tasks}
        for handle in handles.values():
            handle.is_accepted = True
            self._following.add(handle)
        # The hub made the ids: outcomes may have come before we knew them.
        self._following.doubt(handles.values())
        return Group(accepted.group, handles)

    # --- wait ---------------------------------------------------------------------------------------------------------

    def handle(self, task_id: str) -> TaskHandle[Any]:
        """Give a handle for a task that somebody else submitted, or this program in an earlier life."""
        return TaskHandle(self, task_id, "", is_streamed=False)

    async def as_completed(self, handles: Iterable[TaskHandle[T]]) -> AsyncGenerator[TaskHandle[T], None]:
        """Give each handle once it has its outcome, in that order: ``async for handle in client.as_completed(…)``."""
        done: deque[TaskHandle[T]] = deque()
        some_done = asyncio.Event()

        def watch(handle: TaskHandle[T]) -> None:
            if not isinstance(handle, TaskHandle):
                raise TypeError(f"{handle!r} is no handle of this client; client.handle(id) gives one for a task's id")

            def note() -> None:
                done.append(handle)
                some_done.set()

            handle.watch(note)

        waiting = 0
        for handle in handles:
            waiting += 1
            watch(handle)
        while waiting:
            await some_done.wait()
            some_done.clear()
            while done:
                waiting -= 1
                yield done.popleft()

    @overload
    def map(
        self, task: AsyncTask[T], items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> AsyncGenerator[T, None]: ...

    @overload
    def map(
        self, task: Task[..., T], items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> AsyncGenerator[T, None]: ...

    @overload
    def map(
        self, task: str, items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> AsyncGenerator[Any, None]: ...

    async def map(
        self, task: Task[..., Any] | str, items: Items, /, *, window: int = 5_000, progress: bool = False
    ) -> AsyncGenerator[Any, None]:
        """Submit a task for each item and give the values in the order of the items.

        Args:
            task: what to run.
            items: see `submit_many`; read as results are taken, so it may be endless.
            window: how many tasks are ahead of the caller at most.
            progress: show a bar on stderr, or in the notebook.

        Raises:
            TaskError: at the place of an item whose task has no value; what was submitted behind it goes on.
            ValueError: ``window`` is below 1.
            As `submit_many` does.
        """
        if window < 1:
            raise ValueError(f"window is {window}; it must be at least 1")
        remaining = iter(items)
        total = len(items) if isinstance(items, Sized) else None
        ahead: deque[TaskHandle[Any]] = deque()
        with progress_bar(name_of(task), total, is_shown=progress) as advance:
            while True:
                # Half a window at a time, so that requests are large.
                if len(ahead) <= window // 2:
                    ahead += await self.submit_many(task, islice(remaining, window - len(ahead)))
                if not ahead:
                    return
                value = await ahead.popleft().result()
                advance()
                yield value

    # --- for handles --------------------------------------------------------------------------------------------------

    def expect(self, handle: TaskHandle[Any]) -> None:
        """See to it that this handle gets its outcome. Handles call it when somebody begins to wait."""
        self._check_usable()
        self._following.wait_for(handle)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _check_usable(self) -> None:
        if self._closed:
            raise HubUnavailableError("the client is closed", remedy="make another one")
        self._home.check()

    async def _open(self) -> None:
        """Listen for outcomes, before the first of them can come."""
        self._check_usable()
        if self._following.is_open:
            return
        try:
            await self._following.open(self._submit_timeout_s)
        except (UnauthorizedError, ForbiddenError) as error:
            # Whoever submits is told what submitting needs, which is more than listening.
            raise type(error)(
                error.message,
                code=error.code,
                remedy=error.remedy.replace("role read", "role submit"),
                where=error.where,
            ) from error

    async def _submit(self, name: str, middle: bytes, payload: Mapping[str, Any]) -> TaskHandle[Any]:
        self._check_usable()
        if not self._following.is_open:
            await self._open()
        task_id = new_task_id()
        line = line_of(task_id, middle, payload, name)
        handle: TaskHandle[Any] = TaskHandle(self, task_id, name, is_streamed=True)
        self._following.add(handle)
        parcel = await self._submitter.post([handle], [line])
        try:
            (accepted,) = await parcel.done
        except HubError:
            self._following.remove(handle)
            raise
        self._note_accepted(handle, accepted)
        return handle

    def _note_accepted(self, handle: TaskHandle[Any], accepted: Accepted) -> None:
        handle.is_accepted = True
        if accepted.id != handle.id:
            # An idempotency key led to an earlier task; its outcome goes to whoever submitted that one.
            self._following.remove(handle)
            handle.id = accepted.id
            handle.is_streamed = False
        elif accepted.existing and accepted.state in FINAL_STATES:
            # The first answer was lost, and the outcome may have been told while the stream was broken, too.
            self._following.doubt([handle])

    async def _settle_parcels(self, parcels: Sequence[Parcel]) -> None:
        """Wait for the hub's answers to all of them, and raise the first error."""
        first_error: HubError | None = None
        offset, accepted_count = 0, 0
        for parcel in parcels:
            try:
                answers = await parcel.done
            except HubError as error:
                first_error = first_error or for_items(error, offset)
                for handle in parcel.handles:
                    self._following.remove(handle)
            else:
                accepted_count += len(answers)
                for handle, accepted in zip(parcel.handles, answers, strict=True):
                    self._note_accepted(handle, accepted)
            offset += len(parcel.handles)
        if first_error is not None:
            first_error.add_note(f"{accepted_count} of {offset} tasks were accepted")
            raise first_error

    def _lines(
        self, task: Task[..., Any] | str, items: Sequence[Any], offset: int
    ) -> tuple[Sequence[TaskHandle[Any]], Sequence[bytes]]:
        name, middle = name_of(task), self._middle_of(task)
        handles: list[TaskHandle[Any]] = []
        lines: list[bytes] = []
        for number, item in enumerate(items, offset + 1):
            task_id = new_task_id()
            try:
                lines.append(line_of(task_id, middle, payload_of_item(task, item), name))
            except (BadArgumentsError, InvalidTaskError) as error:
                error.add_note(f"in item {number}")
                raise
            handles.append(TaskHandle(self, task_id, name, is_streamed=True))
        for handle in handles:
            self._following.add(handle)
        return handles, lines

    def _middle_of(self, task: Task[..., Any] | str) -> bytes:
        return self._middles.of(task)

    async def _patiently_broadcast(self, body: bytes) -> Any:
        """Broadcast; again, with the same id, until the hub answers or the time is over."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + self._submit_timeout_s
        failures = 0
        while True:
            try:
                return await self._api.broadcast(body)
            except HubUnavailableError as error:
                failures += 1
                pause_s = SUBMIT_PAUSES.after(failures, error.retry_after_s)
                if loop.time() + pause_s > deadline_s:
                    raise
                await asyncio.sleep(pause_s)


def _chunks(items: Items, size: int) -> Iterator[Sequence[Any]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
