"""What a handler came to, in words that fit the wire: its value as JSON, or why there is none."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Final, NamedTuple

from moorline.values import as_json
from protocol.codec import check_json, is_shallow
from protocol.frames import Outcome, TaskError
from protocol.limits import DEPTH_MAX, LABEL_CHARACTERS_MAX, MESSAGE_CHARACTERS_MAX, TRACEBACK_CHARACTERS_MAX

# Frames of a traceback that are kept: a recursion of a thousand says nothing more.
TRACEBACK_FRAMES_MAX: Final = 50


class Conclusion(NamedTuple):
    """How a handler ended. ``value`` is JSON, there when it `succeeded`; ``error`` when it `failed`."""

    outcome: Outcome
    value: bytes = b""
    error: TaskError | None = None


CANCELLED: Final = Conclusion("cancelled")


def succeeded(value: object, bytes_max: int) -> Conclusion:
    """Conclude with what the handler returned; `bad_result` if it is not JSON or has more than ``bytes_max`` bytes."""
    try:
        text = as_json(value)
    except (TypeError, RecursionError) as error:
        return failed("bad_result", f"the result is not JSON: {error}; return numbers, text, lists, dicts or None")
    if len(text) > bytes_max:
        return failed(
            "bad_result",
            f"the result has {len(text)} bytes, and the hub takes at most {bytes_max}; "
            "put it where its readers can fetch it, and return the address",
        )
    # It is JSON; it may be nested too deeply, if it is long enough for that.
    problem = None if len(text) <= DEPTH_MAX or is_shallow(value) else check_json(text)
    return failed("bad_result", f"the result is {problem}") if problem else Conclusion("succeeded", text)


def failed(kind: str, message: str, *, is_retryable: bool = False) -> Conclusion:
    """Conclude with an error of our own making."""
    error = TaskError(kind=kind, message=clean(message, TRACEBACK_CHARACTERS_MAX), retryable=is_retryable)
    return Conclusion("failed", error=error)


def timed_out(timeout_s: float) -> Conclusion:
    """Conclude that it ran longer than it may."""
    return failed("timeout", f"the handler ran longer than {timeout_s:g} s", is_retryable=True)


def raised(error: BaseException, ours: str) -> Conclusion:
    """Conclude with what the handler raised. The frames in the file ``ours`` that led there are left out."""
    return Conclusion(
        "failed",
        error=TaskError(
            kind="error",
            message=text_of(error),
            type=clean(type(error).__qualname__, LABEL_CHARACTERS_MAX),
            traceback=_traceback_of(error, ours),
        ),
    )


def clean(text: str, characters_max: int) -> str:
    """Cut a text to size, and replace what is not a character (lone surrogates): it must be encodable as UTF-8."""
    # User code's own kind of text cannot be encoded, and may do whatever it likes when it is measured or cut.
    text = str.__str__(text)
    if len(text) > characters_max:
        text = text[: characters_max - 1] + "…"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# What follows asks an exception of the user's own, which may raise whatever it likes, `SystemExit` too. An attempt
# whose end cannot be told would hold its slot for ever.


def text_of(error: BaseException) -> str:
    """Give the text of an exception, cut to what fits the wire."""
    try:
        return clean(str(error), MESSAGE_CHARACTERS_MAX)
    except BaseException as second:
        return f"(its text cannot be had: {type(second).__name__})"


def _traceback_of(error: BaseException, ours: str) -> str:
    try:
        frames = _users_frames(error.__traceback__, ours)
        lines = traceback.format_exception(type(error), error, frames, limit=-TRACEBACK_FRAMES_MAX)
        text = "".join(lines)
        if len(text) > TRACEBACK_CHARACTERS_MAX:
            # The end says what happened.
            text = "…" + text[1 - TRACEBACK_CHARACTERS_MAX :]
        return clean(text, TRACEBACK_CHARACTERS_MAX)
    except BaseException as second:
        return f"(the traceback cannot be had: {type(second).__name__})"


def _users_frames(frames: TracebackType | None, ours: str) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename == ours:
        frames = frames.tb_next
    return frames
