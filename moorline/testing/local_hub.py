"""A hub and its one node, in memory: the states, events and answers of the real ones, for as long as a test lasts."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from moorline.context import Context
from moorline.errors import DeclarationError
from moorline.history_views import Attempt
from moorline.options import Options, Retry
from moorline.task import Task
from moorline.task_ids import new_task_id
from moorline.task_lines import name_of
from moorline.testing.attempts import Conclusion, attempt, deadline_of
from moorline.testing.local_past import LocalPast
from moorline.views import FINAL_STATES, Explanation, LogLine, NodeReason, NodeView, Problem, Progress, TaskLogs

NODE_ID: Final = "local"

# What is kept for streams that come later; a test that misses more than this is told so.
EVENTS_MAX: Final = 100_000
LOG_LINES_MAX: Final = 1_000


class Refusal(Exception):  # noqa: N818  # an answer, not a fault
    """What the API answers instead of what was asked."""

    def __init__(self, status: int, code: str, message: str, *, remedy: str = "", where: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.problem = {"code": code, "message": message, "remedy": remedy, "where": where}


class NewTask(Struct, frozen=True, kw_only=True):
    """A task as it is submitted."""

    name: str
    id: str = ""
    payload: Raw = Raw(b"{}")
    options: dict[str, Any] = {}


class LocalTask(Struct, kw_only=True):
    """A task as this hub has it; the public fields are those of the API."""

    id: str
    name: str
    state: str = "queued"
    priority: int = 0
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    node: str | None = None
    target: str | None = None
    requires: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    origin: str = ""
    group: str = ""
    submitted_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    run_s: float | None = None
    progress: Progress | None = None
    error: Problem | None = None
    options: dict[str, Any] = {}
    payload: Raw | UnsetType = UNSET
    value: Raw | UnsetType = UNSET

    @property
    def is_final(self) -> bool:
        """Whether it has its outcome."""
        return self.state in FINAL_STATES


class StoredEvent(Struct, frozen=True, kw_only=True):
    """Something that happened, as the stream tells it."""

    kind: str
    at: float
    id: int | UnsetType = UNSET
    task_id: str = ""
    name: str = ""
    state: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    error: Problem | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    done: float | UnsetType = UNSET
    total: float | UnsetType | None = UNSET
    level: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class LocalHub:
    """Takes tasks and runs them. Use it on one event loop; close it.

    Args:
        tasks: the handlers of its node.
        slots: how many run at once.
    """

    def __init__(self, tasks: Iterable[Task[..., Any]], *, slots: int) -> None:
        self.hub_id: Final = f"local-{new_task_id()}"
        self._handlers: dict[str, Task[..., Any]] = {}
        self._slots = asyncio.Semaphore(slots)
        self._slots_count = slots
        self._keys: dict[str, asyncio.Semaphore] = {}
        self.tasks: dict[str, LocalTask] = {}
        self._by_idempotency_key: dict[str, str] = {}
        self.past = LocalPast()
        # Cleared where the node takes nothing new.
        self._takes_tasks = asyncio.Event()
        self._takes_tasks.set()
        self._cordoned = self._draining = self._has_left = False
        self._connects = 1
        self._logs: dict[str, deque[LogLine]] = {}
        self._logged: dict[str, int] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self.events: deque[StoredEvent] = deque(maxlen=EVENTS_MAX)
        self.last_event_id = 0
        self._listeners: set[Callable[[StoredEvent], None]] = set()
        self._closed = False
        self._started_at = time.time()
        self._totals = dict.fromkeys(("succeeded", "failed", "cancelled", "lost", "run_s"), 0.0)
        for task in tasks:
            self.serve(task)

    def serve(self, task: Task[..., Any]) -> None:
        """Let the node have this handler; the newest one of a name counts. Raises DeclarationError for what is none."""
        if isinstance(task, str):
            raise DeclarationError(f"{task!r} is a name; give the task itself")
        self._handlers[name_of(task)] = task

    # --- verbs --------------------------------------------------------------------------------------------------------

    def submit(self, new: Sequence[NewTask], *, group: str = "") -> list[tuple[LocalTask, bool]]:
        """Take tasks, all or none; give each with whether it was there before. Raises Refusal."""
        checked = [(task, _options_of(task, number)) for number, task in enumerate(new, 1)]
        for number, (task, _) in enumerate(checked, 1):
            self._check_name(task.name, number)
        return [self._take(task, options, group) for task, options in checked]

    def task(self, task_id: str) -> LocalTask:
        """Give a task. Raises Refusal."""
        try:
            return self.tasks[task_id]
        except KeyError:
            raise Refusal(404, "not_found", f"there is no task {task_id}") from None

    async def wait(self, task_id: str, within_s: float) -> LocalTask:
        """Give a task once it is final, or after so long."""
        task = self.task(task_id)
        if not task.is_final and within_s > 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(task_id, []).append(waiter)
            await asyncio.wait([waiter], timeout=within_s)
        return task

    def cancel(self, task_id: str) -> LocalTask:
        """Cancel a task; a final one stays as it is."""
        task = self.task(task_id)
        if not task.is_final:
            problem = Problem(kind="cancelled", message="cancelled through the API")
            self.past.end(task.id, task.name, "cancelled", time.time(), run_s=None, problem=problem)
            self._finish(task, "cancelled", problem=problem)
            self._runs[task_id].cancel()
        return task

    def retry(self, task_id: str) -> LocalTask:
        """Queue a final task without a value again. Raises Refusal."""
        task = self.task(task_id)
        if not task.is_final or task.state == "succeeded":
            raise Refusal(409, "conflict", f"task {task_id} is {task.state}", remedy="only what failed can be retried")
        task.failures, task.error, task.finished_at = 0, None, None
        self._start(task)
        return task

    def explain(self, task_id: str) -> Explanation:
        """Say why a task is where it is."""
        task = self.task(task_id)
        if task.is_final:
            return Explanation(task_id=task_id, state=task.state, summary=f"it has {task.state}")
        reason = "running_here" if task.state == "running" else self._why_not()
        nodes = [NodeReason(node_id=NODE_ID, reason=reason)]
        return Explanation(task_id=task_id, state=task.state, summary=f"it is {task.state}", nodes=nodes)

    def logs(self, task_id: str) -> TaskLogs:
        """Give what the handlers of a task logged."""
        self.task(task_id)
        lines = list(self._logs.get(task_id, ()))
        return TaskLogs(lines=lines, dropped=self._logged.get(task_id, 0) - len(lines))

    def attempts(self, task_id: str) -> list[Attempt]:
        """Give the attempts of a task, oldest first. Raises Refusal."""
        return self.past.attempts(self.task(task_id).id)

    def act_on_node(self, action: str) -> NodeView:
        """Cordon, uncordon, drain or disconnect the one node. Raises Refusal."""
        if action in {"drain", "disconnect"} and self._node_state() == "gone":
            raise Refusal(409, "conflict", f"node {NODE_ID} is gone", remedy="it has left: a local hub has no other")
        if action == "disconnect":
            self._connects += 1
            return self.node()
        if action == "drain":
            self._draining = True
            self._tell_of_node("node.draining")
            self._leave_when_idle()
        else:
            self._cordoned = action == "cordon"
            self._tell_of_node(f"node.{action}ed")
        if self._cordoned or self._draining:
            self._takes_tasks.clear()
        else:
            self._takes_tasks.set()
        return self.node()

    def node(self) -> NodeView:
        """Give the one node."""
        return NodeView(
            id=NODE_ID,
            name=NODE_ID,
            state=self._node_state(),
            cordoned=self._cordoned,
            slots=self._slots_count,
            slots_in_use=self._running(),
            handlers=sorted(self._handlers),
            first_seen_at=self._started_at,
            last_seen_at=time.time(),
            connected_at=self._started_at,
            connects=self._connects,
            disconnects=self._connects - 1,
            totals=dict(self._totals),
        )

    def stats(self) -> dict[str, Any]:
        """Give the counts."""
        states: dict[str, int] = {}
        for task in self.tasks.values():
            states[task.state] = states.get(task.state, 0) + 1
        hub = {"id": self.hub_id, "version": "local", "started_at": self._started_at}
        return {
            "hub": {**hub, "uptime_s": time.time() - self._started_at, "degraded": None},
            "tasks": states,
            "nodes": {self._node_state(): 1},
            "sessions": 0 if self._node_state() == "gone" else 1,
            "totals": self._totals,
            "last_event_id": self.last_event_id,
        }

    def listen(self, listener: Callable[[StoredEvent], None]) -> Callable[[], None]:
        """Call back with each event from now on; give what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def close(self) -> None:
        """Stop what runs, without an outcome; a plain function when it looks at its context. Twice is harmless."""
        self._closed = True
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _running(self) -> int:
        return sum(task.state == "running" for task in self.tasks.values())

    def _node_state(self) -> str:
        if not self._draining:
            return "online"
        return "draining" if self._running() else "gone"

    def _why_not(self) -> str:
        """Say why the node does not run a task that waits."""
        if self._draining:
            return "draining"
        return "cordoned" if self._cordoned else "busy"

    def _check_name(self, name: str, number: int) -> None:
        if name not in self._handlers:
            known = ", ".join(sorted(self._handlers)) or "none"
            raise Refusal(
                422,
                "unknown_name",
                f"nothing here handles {name!r}; there are: {known}",
                remedy="give the task itself, or LocalClient(tasks=[…])",
                where=f"line {number}",
            )

    def _take(self, new: NewTask, options: Options, group: str) -> tuple[LocalTask, bool]:
        task_id = new.id or new_task_id()
        key = options.idempotency_key
        known = self.tasks.get(self._by_idempotency_key.get(key, "") if key else task_id) or self.tasks.get(task_id)
        if known is not None:
            return known, True
        task = LocalTask(
            id=task_id,
            name=new.name,
            priority=options.priority,
            target=options.node,
            requires=options.requires,
            labels=options.labels,
            origin=new.options.get("origin", ""),
            group=group,
            submitted_at=time.time(),
            options=new.options,
            payload=new.payload,
        )
        if key:
            self._by_idempotency_key[key] = task_id
        self.tasks[task_id] = task
        self._start(task)
        return task, False

    def _start(self, task: LocalTask) -> None:
        self._become(task, "queued")
        options = _options_of(NewTask(name=task.name, options=task.options), 1)
        run = asyncio.create_task(self._run(task, options), name=f"moorline task {task.id}")
        self._runs[task.id] = run
        run.add_done_callback(lambda done: self._runs.pop(task.id) if self._runs.get(task.id) is done else None)

    async def _run(self, task: LocalTask, options: Options) -> None:
        """Carry out attempts until there is an outcome."""
        retry = options.retry or Retry(max_attempts=1)
        async with AsyncExitStack() as held:
            if options.concurrency_key is not None:
                limit = asyncio.Semaphore(options.concurrency_limit)
                await held.enter_async_context(self._keys.setdefault(options.concurrency_key, limit))
            await held.enter_async_context(self._slots)
            await self._takes_tasks.wait()
            if options.deadline is not None and _passed(options.deadline):
                problem = Problem(kind="expired", message="the deadline passed before it started")
                self._finish(task, "expired", problem=problem)
                return
            while not task.is_final:
                await self._takes_tasks.wait()
                conclusion = await self._attempt(task, options)
                self._settle(task, conclusion, retry)

    async def _attempt(self, task: LocalTask, options: Options) -> Conclusion:
        task.attempt += 1
        task.node, task.started_at, task.progress = NODE_ID, time.time(), None
        self._become(task, "running")
        self.past.begin(task.id, task.attempt, NODE_ID, task.started_at)
        begun_s = time.monotonic()
        deadline_s = deadline_of(options.timeout_s)
        number = task.attempt
        loop = asyncio.get_running_loop()

        def on_progress(done: float, total: float | None, message: str) -> None:
            loop.call_soon_threadsafe(self._note_progress, task, Progress(done=done, total=total, message=message))

        def on_log(level: str, message: str) -> None:
            line = LogLine(at=time.time(), attempt=number, level=level, message=message)
            loop.call_soon_threadsafe(self._note_line, task, line)

        context = Context(
            task_id=task.id,
            attempt=number,
            name=task.name,
            node_id=NODE_ID,
            instance_id=self.hub_id,
            deadline_s=deadline_s,
            on_progress=on_progress,
            on_log=on_log,
            is_cancelled=lambda: (
                self._closed
                or task.is_final
                or task.attempt != number
                or (deadline_s is not None and time.monotonic() >= deadline_s)
            ),
        )
        if isinstance(task.payload, UnsetType):
            raise AssertionError("a task was taken without its payload")
        conclusion = await attempt(self._handlers[task.name], bytes(task.payload), context, options.timeout_s)
        task.run_s = time.monotonic() - begun_s
        # Let lines and progress that a thread has handed over come before the outcome.
        await asyncio.sleep(0)
        return conclusion

    def _settle(self, task: LocalTask, conclusion: Conclusion, retry: Retry) -> None:
        problem = conclusion.problem
        outcome = "succeeded" if problem is None else "failed"
        self.past.end(task.id, task.name, outcome, time.time(), run_s=task.run_s, problem=problem)
        if problem is None:
            self._finish(task, "succeeded", value=conclusion.value)
            return
        task.failures += 1
        if problem.retryable and task.failures < retry.max_attempts:
            task.error = problem
            self._become(task, "scheduled")
            self._become(task, "queued")
        else:
            self._finish(task, "failed", problem=problem)
            return
        self._leave_when_idle()

    def _finish(self, task: LocalTask, state: str, *, value: bytes = b"", problem: Problem | None = None) -> None:
        task.error = problem
        task.finished_at = time.time()
        if state == "succeeded":
            task.value = Raw(value)
        if state in self._totals:
            self._totals[state] += 1
        self._totals["run_s"] += task.run_s or 0.0
        self._become(task, state)
        for waiter in self._waiters.pop(task.id, ()):
            if not waiter.done():
                waiter.set_result(None)
        self._leave_when_idle()

    def _become(self, task: LocalTask, state: str) -> None:
        task.state = state
        self.last_event_id += 1
        self._keep(self._event(task, f"task.{state}", self.last_event_id, task.error or UNSET, task.value))

    def _leave_when_idle(self) -> None:
        """Tell, once, that a node that was to drain has nothing left to do."""
        if self._node_state() == "gone" and not self._has_left:
            self._has_left = True
            self._tell_of_node("node.gone")

    def _tell_of_node(self, kind: str) -> None:
        self.last_event_id += 1
        self._keep(StoredEvent(kind=kind, at=time.time(), id=self.last_event_id, name=NODE_ID, node_id=NODE_ID))

    def _keep(self, event: StoredEvent) -> None:
        self.events.append(event)
        self._tell(event)

    def _note_progress(self, task: LocalTask, progress: Progress) -> None:
        task.progress = progress
        event = self._event(task, "task.progress")
        said = {"done": progress.done, "total": progress.total, "message": progress.message}
        self._tell(msgspec.structs.replace(event, **said))

    def _note_line(self, task: LocalTask, line: LogLine) -> None:
        self._logs.setdefault(task.id, deque(maxlen=LOG_LINES_MAX)).append(line)
        self._logged[task.id] = self._logged.get(task.id, 0) + 1
        event = self._event(task, "task.log")
        self._tell(msgspec.structs.replace(event, level=line.level, message=line.message))

    def _event(
        self,
        task: LocalTask,
        kind: str,
        number: int | UnsetType = UNSET,
        error: Problem | UnsetType = UNSET,
        value: Raw | UnsetType = UNSET,
    ) -> StoredEvent:
        return StoredEvent(
            kind=kind,
            at=time.time(),
            id=number,
            task_id=task.id,
            name=task.name,
            state=task.state,
            attempt=task.attempt,
            node_id=task.node or "",
            origin=task.origin,
            group=task.group,
            error=error,
            value=value,
        )

    def _tell(self, event: StoredEvent) -> None:
        for listener in list(self._listeners):
            listener(event)


def _options_of(task: NewTask, number: int) -> Options:
    """Read the options of a task. Raises Refusal."""
    said = {key: value for key, value in task.options.items() if key != "origin"}
    try:
        if "retry" in said:
            said["retry"] = Retry(**said["retry"])
        return Options().changed(**said)
    except (DeclarationError, TypeError) as error:
        raise Refusal(400, "invalid_option", str(error), where=f"line {number}") from error


def _passed(moment: datetime | float) -> bool:
    return (moment.timestamp() if isinstance(moment, datetime) else moment) <= time.time()
