"""Runs handlers: `async def` on an event loop of their own, functions in threads, isolated ones in child processes.

No handler ever runs on the session's thread, so one that blocks for a minute costs the session nothing. What each kind
can promise differs, and so does what a timeout, a cancel or a lease that ran out does to it:

- `async def`: its asyncio task is cancelled at its next await.
- a plain function: nothing can stop it. `ctx.cancelled` turns true, and its attempt ends when it returns; its slot is
  kept until then, or two attempts of a task could overlap. One that must be stoppable declares ``isolation="process"``.
- a process: it is killed at once, with its process group.

Whatever the reason, an attempt's end is told once, when its handler has truly ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import anyio
import anyio.to_process

from moorline.context import Context
from node.app_loader import AnyTask
from node.clock import steady_s
from node.copies import end_copy_of
from node.decisions.conclusions import CANCELLED, Conclusion, failed, raised, succeeded, timed_out
from node.decisions.effects import Ended
from node.loop_thread import LoopThread
from node.mailbox import Mailbox
from node.process_reports import Message, ReportReceiver
from node.process_worker import Job, Work, arguments_of, work
from node.reports import Reports
from node.truth import Truth
from protocol.frames import AttemptKey, Task
from protocol.limits import RESULT_BYTES_MAX

logger = logging.getLogger(__name__)

# How long the threads have to end once they are told to; a handler that does not return is abandoned with its thread.
CLOSE_WITHIN_S: Final = 2.0

# Children that were found dead, one after the other, before one takes a job. An idle one may have been killed for its
# memory; three in a row are no accident.
IDLE_DEATHS_MAX: Final = 3

# Nobody asked for it: such an attempt is no more `cancelled` than one whose process was killed.
_CANCELLED_BY_OTHERS: Final = failed(
    "crashed", "another handler of this node cancelled the tasks of its event loop", is_retryable=True
)


class Run:
    """One attempt that the executor has in hand."""

    __slots__ = (
        "deadline_s",
        "handler",
        "has_ended",
        "is_killed_late",
        "is_stopped",
        "key",
        "pid",
        "started_s",
        "task",
        "work",
    )

    def __init__(self, task: Task, handler: AnyTask) -> None:
        self.task = task
        self.key: AttemptKey = (task.task_id, task.attempt)
        self.handler = handler
        self.has_ended = False
        self.is_stopped = False
        self.is_killed_late = False
        self.started_s: float | None = None
        self.deadline_s: float | None = None
        self.work: asyncio.Task[None] | None = None
        self.pid: int | None = None

    @property
    def is_function(self) -> bool:
        """Whether it runs in a thread."""
        return not self.handler.is_async and self.handler.isolation == "thread"

    def begin(self) -> None:
        """Note that its handler starts now."""
        self.started_s = steady_s()

    def is_cancelled(self) -> bool:
        """Tell the handler whether it should end."""
        return self.is_stopped or (self.deadline_s is not None and time.monotonic() >= self.deadline_s)


class Executor:
    """Runs attempts and tells what they came to.

    Args:
        tasks: handlers by name.
        apps: where they came from; child processes load them again.
        node_id, instance_id: who we are, for user code.
        folder: where the socket for child processes may be; this node's own.
        slots: how many threads and processes there may be. Whoever starts attempts keeps to it.
        loop: the session's event loop; all but what `start` starts happens there.
        reports: takes progress and log lines.
        truth: takes the starts and ends of handlers.
        on_ended: is told, on ``loop``, which attempts have ended, in batches.
    """

    def __init__(
        self,
        tasks: Mapping[str, AnyTask],
        *,
        apps: Sequence[str],
        node_id: str,
        instance_id: str,
        folder: Path,
        slots: int,
        loop: asyncio.AbstractEventLoop,
        reports: Reports,
        truth: Truth,
        on_ended: Callable[[list[Ended]], None],
    ) -> None:
        self.result_bytes_max = RESULT_BYTES_MAX
        """What the hub takes; results above it fail where they are made."""
        self._tasks = tasks
        self._apps = tuple(apps)
        self._node_id = node_id
        self._instance_id = instance_id
        self._folder = folder
        self._slots = slots
        self._session_loop = loop
        self._reports = reports
        self._truth = truth
        self._on_ended = on_ended
        self._ended: Mailbox[tuple[Ended, bool]] = Mailbox(loop, self._hand_over)
        self._runs: dict[AttemptKey, Run] = {}
        self._receiver: ReportReceiver | None = None
        self._functions: SimpleQueue[Run | None] = SimpleQueue()
        self._functions_in_hand = 0
        self._threads: list[threading.Thread] = []
        self._pid_lock = threading.Lock()
        # Of attempts in child processes that have begun and have a time limit. On the session's loop.
        self._late_timers: dict[AttemptKey, asyncio.TimerHandle] = {}
        self._pid = os.getpid()
        self._handlers = LoopThread("handlers")
        # Apart from the handlers': one that blocks its loop, or cancels all that is on it, must not reach the children.
        self._children = LoopThread("children")

    def start(self) -> None:
        """Begin to run what comes."""
        self._handlers.start()
        kinds = {task.isolation for task in self._tasks.values() if not task.is_async}
        if "process" in kinds:
            self._children.start()
            self._receiver = ReportReceiver(self._folder)
            self._session_loop.add_reader(self._receiver.fileno(), self._read_reports)

    def run(self, tasks: Sequence[Task]) -> None:
        """Start attempts. On the session's loop."""
        for_loop: list[Run] = []
        for_children: list[Run] = []
        for task in tasks:
            handler = self._tasks.get(task.name)
            if handler is None:
                known = ", ".join(sorted(self._tasks)[:20])
                problem = failed("unknown_handler", f"this node has no handler {task.name}; it has {known}")
                self._ended.put((_ended((task.task_id, task.attempt), problem, None, steady_s()), False))
                continue
            run = self._runs[task.task_id, task.attempt] = Run(task, handler)
            if run.is_function:
                self._start_function(run)
            else:
                (for_loop if handler.is_async else for_children).append(run)
        if for_loop:
            self._handlers.loop.call_soon_threadsafe(self._begin, for_loop)
        if for_children:
            self._children.loop.call_soon_threadsafe(self._begin, for_children)

    def stop(self, key: AttemptKey) -> None:
        """Stop an attempt as far as its kind allows. On the session's loop; ignored if it has ended."""
        run = self._runs.get(key)
        if run is None:
            return
        run.is_stopped = True
        if run.handler.is_async:
            self._handlers.loop.call_soon_threadsafe(_cancel, run)
        elif run.handler.isolation == "process":
            self._kill(run)

    def close(self) -> None:
        """End all threads and child processes, whatever runs; twice is harmless. On the session's loop."""
        for run in list(self._runs.values()):
            self.stop(run.key)
        if self._receiver is not None:
            self._session_loop.remove_reader(self._receiver.fileno())
            self._receiver.close()
            self._receiver = None
        for _ in self._threads:
            self._functions.put(None)
        loops = (self._handlers, self._children)
        for turning in loops:
            turning.close()
        give_up_s = time.monotonic() + CLOSE_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, give_up_s - time.monotonic()))
        abandoned = [thread.name for thread in self._threads if thread.is_alive()]
        abandoned += [turning.name for turning in loops if not turning.join(give_up_s)]
        for name in abandoned:
            logger.warning("thread %s does not end; it is abandoned with what it runs", name)

    # --- the end of an attempt --------------------------------------------------------------------------------------

    def _end(self, run: Run, conclusion: Conclusion, started_s: float | None, ended_s: float) -> None:
        """Say what an attempt came to. Any thread."""
        self._runs.pop(run.key, None)
        self._ended.put((_ended(run.key, conclusion, started_s, ended_s), run.is_function))

    def _hand_over(self, items: list[tuple[Ended, bool]]) -> None:
        """Tell which attempts have ended, after all that they have said. On the session's loop."""
        if self._receiver is not None:
            self._read_reports()
        ended = [item for item, _ in items]
        for item in ended:
            # A time limit may be days: what waits for it must not keep the payload of what has ended.
            late = self._late_timers.pop(item.key, None)
            if late is not None:
                late.cancel()
        self._functions_in_hand -= sum(is_function for _, is_function in items)
        self._reports.drop_progress(item.key for item in ended)
        self._reports.flush_lines()
        self._on_ended(ended)

    def _context(self, run: Run) -> Context:
        task = run.task
        return Context(
            task_id=task.task_id,
            attempt=task.attempt,
            name=task.name,
            node_id=self._node_id,
            instance_id=self._instance_id,
            deadline_s=run.deadline_s,
            on_progress=partial(self._reports.progress, run.key),
            on_log=partial(self._reports.log, run.key),
            is_cancelled=run.is_cancelled,
        )

    def _bind(self, run: Run) -> dict[str, Any] | Conclusion:
        """Make the arguments of a handler, or say why there are none. The handler's time counts from here."""
        if run.task.timeout_s is not None:
            run.deadline_s = time.monotonic() + run.task.timeout_s
        return arguments_of(run.handler, bytes(run.task.payload), self._context(run))

    # --- plain functions, in threads --------------------------------------------------------------------------------

    def _start_function(self, run: Run) -> None:
        """Give a function to a thread that is free, or to a new one. On the session's loop."""
        self._functions_in_hand += 1
        if self._functions_in_hand > len(self._threads) and len(self._threads) < self._slots:
            # A daemon: a function that never returns must not keep the process from ending.
            name = f"function-{len(self._threads)}"
            self._threads.append(threading.Thread(target=self._serve_functions, name=name, daemon=True))
            self._threads[-1].start()
        self._functions.put(run)

    def _serve_functions(self) -> None:
        while (run := self._functions.get()) is not None:
            conclusion = CANCELLED if run.is_stopped else self._call(run)
            self._end(run, conclusion, run.started_s, steady_s())

    def _call(self, run: Run) -> Conclusion:
        arguments = self._bind(run)
        if isinstance(arguments, Conclusion):
            return arguments
        run.begin()
        self._truth.note(run.key, "start")
        try:
            # Within: whatever a value does when it is looked at, this thread must live to tell.
            conclusion = succeeded(run.handler.function(**arguments), self.result_bytes_max)
        except BaseException as error:
            conclusion = raised(error, __file__)
        finally:
            end_copy_of(self._pid)
            self._truth.note(run.key, "end")
        timeout_s = run.task.timeout_s
        if timeout_s is not None and run.deadline_s is not None and time.monotonic() >= run.deadline_s:
            return timed_out(timeout_s)
        # A function that raised because it saw that it is cancelled has been cancelled.
        return CANCELLED if run.is_stopped and conclusion.outcome == "failed" else conclusion

    # --- coroutines, on the handlers' event loop ----------------------------------------------------------------------

    def _begin(self, runs: list[Run]) -> None:
        for run in runs:
            if run.is_stopped:
                self._end(run, CANCELLED, None, steady_s())
            else:
                # The run, which is kept until its end, keeps the task.
                how = self._run_async(run) if run.handler.is_async else self._run_process(run)
                run.work = asyncio.get_running_loop().create_task(how)
                run.work.add_done_callback(partial(self._end_unbegun, run))

    def _end_unbegun(self, run: Run, _: asyncio.Task[None]) -> None:
        """Tell the end of an attempt whose task was cancelled before it took its first step: by user code, which may
        cancel every task that it finds.
        """
        if self._runs.get(run.key) is run:
            self._end(run, CANCELLED if run.is_stopped else _CANCELLED_BY_OTHERS, None, steady_s())

    async def _run_async(self, run: Run) -> None:
        if run.is_stopped:
            self._end(run, CANCELLED, None, steady_s())
            return
        arguments = self._bind(run)
        if isinstance(arguments, Conclusion):
            self._end(run, arguments, None, steady_s())
            return
        run.begin()
        self._truth.note(run.key, "start")
        conclusion = await self._await(run, arguments)
        end_copy_of(self._pid)
        self._truth.note(run.key, "end")
        self._end(run, conclusion, run.started_s, steady_s())

    async def _await(self, run: Run, arguments: dict[str, Any]) -> Conclusion:
        timeout_s = run.task.timeout_s
        try:
            if timeout_s is None:
                return succeeded(await run.handler.function(**arguments), self.result_bytes_max)
            async with asyncio.timeout(timeout_s) as scope:
                conclusion = succeeded(await run.handler.function(**arguments), self.result_bytes_max)
        except BaseException as error:
            conclusion = CANCELLED if run.is_stopped else raised(error, __file__)
        return timed_out(timeout_s) if timeout_s is not None and scope.expired() else conclusion

    # --- child processes --------------------------------------------------------------------------------------------

    async def _run_process(self, run: Run) -> None:
        """Hand an attempt to a child. It is ended by killing the child, never by cancelling this."""
        task = run.task
        job = Job(
            apps=self._apps,
            name=task.name,
            task_id=task.task_id,
            attempt=task.attempt,
            payload=bytes(task.payload),
            timeout_s=task.timeout_s,
            node_id=self._node_id,
            instance_id=self._instance_id,
            node_pid=os.getpid(),
            reports=self._receiver.address if self._receiver is not None else "",
            result_bytes_max=self.result_bytes_max,
        )
        self._truth.note(run.key, "start")
        try:
            conclusion, started_s, ended_s = await self._work(run, job)
        except asyncio.CancelledError:
            # The node closes, and the child with it.
            conclusion, started_s, ended_s = CANCELLED, run.started_s, steady_s()
        except BaseException as error:
            conclusion, started_s, ended_s = _obituary(run, error), run.started_s, steady_s()
        self._forget_child(run)
        self._truth.note(run.key, "end")
        self._end(run, conclusion, started_s, ended_s)

    async def _work(self, run: Run, job: Job) -> Work:
        """Have a child do it. One that died before it took the job is replaced: no handler has run."""
        for _ in range(IDLE_DEATHS_MAX):
            with contextlib.suppress(anyio.BrokenWorkerProcess):
                # Slots bound how many there are; the limiter must not bound them a second time.
                return await anyio.to_process.run_sync(work, job, cancellable=True, limiter=anyio.CapacityLimiter(1))
            await self._hear_reports()
            if run.pid is not None or run.is_stopped:
                break
        raise anyio.BrokenWorkerProcess

    async def _hear_reports(self) -> None:
        """Wait until all that children have said is heard."""
        heard = asyncio.run_coroutine_threadsafe(self._read_reports_soon(), self._session_loop)
        await asyncio.wrap_future(heard)

    async def _read_reports_soon(self) -> None:
        self._read_reports()

    def _kill(self, run: Run) -> None:
        """Kill the child that runs an attempt, with all that it started. Until the child has said hello it runs no user
        code. On the session's loop.
        """
        with self._pid_lock:
            if run.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)

    def _forget_child(self, run: Run) -> None:
        """Note that the child may serve others now. No other attempt can have been given to it yet: the children's loop
        has not turned since it answered.
        """
        with self._pid_lock:
            run.has_ended = True
            run.pid = None

    def _kill_late(self, run: Run) -> None:
        run.is_killed_late = not run.has_ended
        self._kill(run)

    def _read_reports(self) -> None:
        """Take what child processes have said. On the session's loop."""
        if self._receiver is not None:
            for message in self._receiver.read():
                self._take_report(message)

    def _take_report(self, message: Message) -> None:
        key = (message[1], message[2])
        run = self._runs.get(key)
        match message:
            case ("hello", _, _, pid) if run is not None:
                with self._pid_lock:
                    run.pid = None if run.has_ended else pid
                if run.is_stopped:
                    self._kill(run)
            case ("begun", _, _) if run is not None:
                run.begin()
                if run.task.timeout_s is not None and key not in self._late_timers:
                    late = self._session_loop.call_later(run.task.timeout_s, self._kill_late, run)
                    self._late_timers[key] = late
            case ("progress", _, _, done, total, text) if run is not None:
                self._reports.progress(key, done, total, text)
            case ("log", _, _, level, text):
                self._reports.log(key, level, text)


def _ended(key: AttemptKey, conclusion: Conclusion, started_s: float | None, ended_s: float) -> Ended:
    outcome, value, error = conclusion
    return Ended(key=key, outcome=outcome, value=value, error=error, started_s=started_s, ended_s=ended_s)


def _cancel(run: Run) -> None:
    """Cancel a handler's asyncio task. One that has not begun will see that it is stopped: to cancel it now would end
    it before it can say so. On the handlers' loop.
    """
    if run.work is not None and run.started_s is not None:
        run.work.cancel()


def _obituary(run: Run, error: BaseException) -> Conclusion:
    """Conclude from the death of a child."""
    if run.is_killed_late and run.task.timeout_s is not None:
        return timed_out(run.task.timeout_s)
    if run.is_stopped:
        return CANCELLED
    is_dead = isinstance(error, anyio.BrokenWorkerProcess)
    reason = "killed (for its memory?) or crashed in native code" if is_dead else repr(error)
    return failed("crashed", f"the process of the task died: {reason}", is_retryable=True)
