"""Carry out one attempt of a task in this process, as a node would."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

import orjson

from moorline.binding import BadArgumentsError, bind
from moorline.context import Context
from moorline.task import Task
from moorline.values import as_json
from moorline.views import Problem


class Conclusion(NamedTuple):
    """What an attempt came to: JSON, or a problem."""

    value: bytes = b""
    problem: Problem | None = None


async def attempt(task: Task[..., Any], payload: bytes, context: Context, timeout_s: float | None) -> Conclusion:
    """Run the handler. Cancelling this cancels an async handler; a plain one goes on in its thread, where it can see
    that its context is cancelled.
    """
    arguments_or_problem = _bound(task, orjson.loads(payload), context)
    if isinstance(arguments_or_problem, Problem):
        return Conclusion(problem=arguments_or_problem)
    try:
        async with asyncio.timeout(timeout_s) as clock:
            if task.is_async:
                return await _call_async(task, arguments_or_problem)
            return await asyncio.to_thread(_call, task, arguments_or_problem)
    except TimeoutError:
        if not clock.expired():
            raise
        message = f"the handler ran longer than {timeout_s:g} s"
        return Conclusion(problem=Problem(kind="timeout", message=message, retryable=True))


def deadline_of(timeout_s: float | None) -> float | None:
    """Give when an attempt that begins now has used up its time, on `time.monotonic`."""
    return None if timeout_s is None else time.monotonic() + timeout_s


def _bound(task: Task[..., Any], payload: Mapping[str, Any], context: Context) -> dict[str, Any] | Problem:
    try:
        return bind(task, payload, context)
    except BadArgumentsError as error:
        return Problem(kind="bad_arguments", message=str(error))


async def _call_async(task: Task[..., Any], arguments: dict[str, Any]) -> Conclusion:
    try:
        return _succeeded(await task.function(**arguments))
    except Exception as error:  # the handler's edge
        return Conclusion(problem=_raised(error))


def _call(task: Task[..., Any], arguments: dict[str, Any]) -> Conclusion:
    try:
        return _succeeded(task.function(**arguments))
    except Exception as error:  # the handler's edge
        return Conclusion(problem=_raised(error))


def _succeeded(value: object) -> Conclusion:
    try:
        return Conclusion(value=as_json(value))
    except (TypeError, RecursionError) as error:
        message = f"the result is not JSON: {error}; return numbers, text, lists, dicts or None"
        return Conclusion(problem=Problem(kind="bad_result", message=message))


def _raised(error: Exception) -> Problem:
    lines = traceback.format_exception(type(error), error, _users_frames(error.__traceback__))
    return Problem(
        kind="error", message=str(error), type=type(error).__qualname__, traceback="".join(lines), retryable=True
    )


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of this file that lead to the user's."""
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames
