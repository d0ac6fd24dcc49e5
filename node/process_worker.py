"""What runs in a child process: one handler at a time, in a worker of `anyio.to_process`.

A child must not outlive its node, or its attempt could go on while the hub has it run again elsewhere. So it leads a
process group of its own, which the node kills as a whole; the kernel kills the child when the node's thread that
started it ends; and where the kernel cannot, a watchdog that sees another parent kills the group. What a handler has
started is out of the kernel's reach when the node is killed: a supervisor's control group has to take care of that.

The worker talks to its node through descriptors 0 and 1. They are taken away while user code runs, or a program that
it starts would read the next order, or write into the answer. What such handlers print goes nowhere; what they give to
`ctx.logger` goes to the hub.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from moorline.binding import BadArgumentsError, bind
from moorline.context import Context
from node.app_loader import AnyTask, load_apps
from node.clock import steady_s
from node.copies import end_copy_of
from node.decisions.conclusions import Conclusion, clean, failed, raised, succeeded
from node.errors import AppError
from node.process_reports import ReportSender
from protocol.limits import LOG_LINE_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX

# How soon an orphan is noticed where the kernel does not tell.
WATCH_EVERY_S: Final = 1.0

# From linux/prctl.h.
PR_SET_PDEATHSIG: Final = 1


class Job(NamedTuple):
    """An attempt, as it is handed to a child. ``reports`` is the address of the node's socket."""

    apps: tuple[str, ...]
    name: str
    task_id: str
    attempt: int
    payload: bytes
    timeout_s: float | None
    node_id: str
    instance_id: str
    node_pid: int
    reports: str
    result_bytes_max: int


class Work(NamedTuple):
    """What came of a job, and when its handler ran by this machine's steady clock; None if it did not."""

    conclusion: Conclusion
    started_s: float | None
    ended_s: float


def work(job: Job) -> Work:
    """Run the handler of one attempt. In the child."""
    _settle_in(job.node_pid)
    sender = ReportSender(job.reports)
    try:
        sender.send(("hello", job.task_id, job.attempt, os.getpid()))
        with _without_standard_streams():
            return _run(job, sender)
    finally:
        sender.close()


def _run(job: Job, sender: ReportSender) -> Work:
    try:
        task = _load(job.apps)[job.name]
    except AppError as error:
        return Work(failed("crashed", f"the process of the task could not load it: {error}"), None, steady_s())
    deadline_s = None if job.timeout_s is None else time.monotonic() + job.timeout_s
    arguments = arguments_of(task, job.payload, _context(job, sender, deadline_s))
    if isinstance(arguments, Conclusion):
        return Work(arguments, None, steady_s())
    sender.send(("begun", job.task_id, job.attempt))
    started_s, pid = steady_s(), os.getpid()
    try:
        value = task.function(**arguments)
    except BaseException as error:
        end_copy_of(pid)
        return Work(raised(error, __file__), started_s, steady_s())
    end_copy_of(pid)
    ended_s = steady_s()
    return Work(succeeded(value, job.result_bytes_max), started_s, ended_s)


def arguments_of(handler: AnyTask, payload: bytes, context: Context) -> dict[str, Any] | Conclusion:
    """Make the arguments of a handler from a payload, or say why there are none."""
    try:
        named = orjson.loads(payload)
        if not isinstance(named, dict):
            return failed("bad_arguments", f"the payload is not an object; the handler is {handler.signature_text}")
        return bind(handler, named, context)
    except BadArgumentsError as error:
        return failed("bad_arguments", str(error))
    except orjson.JSONDecodeError as error:
        return failed("bad_arguments", f"the payload is not JSON: {error}")


def _context(job: Job, sender: ReportSender, deadline_s: float | None) -> Context:
    def tell_progress(done: float, total: float | None, message: str) -> None:
        sender.offer(("progress", job.task_id, job.attempt, done, total, clean(message, MESSAGE_CHARACTERS_MAX)))

    def tell_log(level: str, message: str) -> None:
        sender.offer(("log", job.task_id, job.attempt, level, clean(message, LOG_LINE_CHARACTERS_MAX)))

    def is_late() -> bool:
        # There is nothing else to see here: a cancelled child is killed.
        return deadline_s is not None and time.monotonic() >= deadline_s

    return Context(
        task_id=job.task_id,
        attempt=job.attempt,
        name=job.name,
        node_id=job.node_id,
        instance_id=job.instance_id,
        deadline_s=deadline_s,
        on_progress=tell_progress,
        on_log=tell_log,
        is_cancelled=is_late,
    )


@cache
def _load(apps: tuple[str, ...]) -> dict[str, AnyTask]:
    """Import the apps: once, since a worker lives on."""
    return load_apps(apps)


@cache
def _settle_in(node_pid: int) -> None:
    """Tie this process's life to its node's: once."""
    os.setsid()
    if sys.platform == "linux":
        # It takes effect when the thread that started us ends, which lives as long as the node.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != node_pid:
        # The node died before it could be watched.
        os._exit(1)
    threading.Thread(target=_watch, args=(node_pid,), name="watchdog", daemon=True).start()


def _watch(node_pid: int) -> None:
    while os.getppid() == node_pid:
        time.sleep(WATCH_EVERY_S)
    os.killpg(0, signal.SIGKILL)


@contextlib.contextmanager
def _without_standard_streams() -> Iterator[None]:
    """Point descriptors 0, 1 and 2 nowhere for a while."""
    # The worker's own; `dup` makes them such that no program started here inherits them. 2 leads to a pipe that nobody
    # reads, and would block whoever writes much to it.
    kept = [os.dup(descriptor) for descriptor in (0, 1)]
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            # What a handler printed and Python still keeps must not follow into the streams that come back.
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        for descriptor, copy in enumerate(kept):
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nowhere)
