"""Tasks in: from the bytes of a request to values that are valid. Nothing behind this door checks them again.

The common case is one pass of the decoder. Only where that refuses a text is it looked at more closely: it may carry
times as text, and otherwise the caller is told what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hub.http.errors import (
    InvalidOptionError,
    InvalidTaskError,
    MalformedJsonError,
    PayloadTooLargeError,
    TooManyTasksError,
)
from hub.http.faults import TIME_WORDS, FaultFinder, quoted
from hub.store.tasks import DEFAULT_OPTIONS, NewTask, TaskOptions
from protocol.codec import check_json
from protocol.frames import Identifier
from protocol.limits import PAYLOAD_BYTES_MAX, PLAIN_WORDS, is_identifier, is_plain

# One batch: so much that a request costs nothing per task, so little that its commit stays short.
TASKS_MAX: Final = 10_000
BATCH_BYTES_MAX: Final = 16 * 1024 * 1024

# One task: its payload, and room for its options (128 labels of 400 bytes).
TASK_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 64 * 1024

# The latest time that a task may name, in the year 5138: beyond it a number is not in seconds.
AT_MAX: Final = 1e11

Time = float | Annotated[datetime, Meta(tz=True)] | None


class TaskRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A task to submit, as most clients write it: times as numbers. Its id and name are still to be looked at."""

    id: str | UnsetType = UNSET
    name: str
    payload: Raw | UnsetType = UNSET
    options: TaskOptions = DEFAULT_OPTIONS


class TimedOptions(TaskOptions, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a task is to be run. ``docs/reference/http-api.md`` says each in a line."""

    # Wider than in the base: a text becomes a number before anybody else sees the options.
    not_before: Time = None  # type: ignore[assignment]
    deadline: Time = None  # type: ignore[assignment]


class TimedTaskRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task to submit. ``payload`` is a JSON object of the handler's named parameters."""

    id: Identifier | UnsetType = UNSET
    name: Identifier
    payload: Raw | UnsetType = UNSET
    options: TimedOptions = TimedOptions()


_plain = msgspec.json.Decoder(TaskRequest)
_timed = msgspec.json.Decoder(TimedTaskRequest)
_faults = FaultFinder(TimedTaskRequest, "the task")

# What decoders raise for texts that are wrong: not UTF-8 and nested too deeply are not among msgspec's own.
_REFUSALS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class TaskDecoder:
    """Decodes and checks tasks.

    Args:
        new_id: gives an identifier for a task that has none.
        payload_bytes_max: the largest payload.
    """

    def __init__(self, new_id: Callable[[], str], payload_bytes_max: int) -> None:
        self._new_id = new_id
        self._payload_bytes_max = payload_bytes_max

    def one(self, text: bytes) -> NewTask:
        """Give the one task of a body.

        Raises:
            ApiError: it is not a task, or not a valid one.
        """
        return self._checked(_decode(text))

    def batch(self, text: bytes) -> list[NewTask]:
        """Give the tasks of a body with one on each line (NDJSON); empty lines are skipped.

        Raises:
            ApiError: too many, or one is not valid; ``where`` names its line.
        """
        # Line by line: the decoder's own way takes several tasks on one line, which no limit on lines would see.
        lines = text.split(b"\n", TASKS_MAX + 1)
        if not lines[-1]:
            del lines[-1]
        if len(lines) > TASKS_MAX:
            count = text.count(b"\n") + (not text.endswith(b"\n"))
            raise TooManyTasksError(f"the batch has {count} lines", f"at most {TASKS_MAX} in one request")
        return [self._checked(_decode(line, number), number) for number, line in enumerate(lines, 1) if line.strip()]

    def _checked(self, request: TaskRequest, line: int = 0) -> NewTask:
        payload = b"{}" if isinstance(request.payload, UnsetType) else bytes(request.payload)
        if len(payload) > self._payload_bytes_max:
            message = f"payload has {len(payload)} bytes"
            remedy = f"at most {self._payload_bytes_max}; keep larger things in a store of files and pass their address"
            raise PayloadTooLargeError(message, remedy, where=_where(line))
        problem = check_json(payload)
        if problem is not None:
            message = f"payload is not valid: {problem}"
            raise MalformedJsonError(message, "a JSON object of the handler's named parameters", where=_where(line))
        if not payload.startswith(b"{"):
            shown = payload[:40].decode("utf-8", "ignore")
            message = f"payload is {shown}"
            raise InvalidTaskError(message, "a JSON object of the handler's named parameters", where=_where(line))
        options = request.options
        if options.not_before is not None:
            _check_time("not_before", options.not_before, line)
        if options.deadline is not None:
            _check_time("deadline", options.deadline, line)
        if options is not DEFAULT_OPTIONS:
            _check_texts(options, line)
        return NewTask(
            task_id=self._new_id() if isinstance(request.id, UnsetType) else request.id,
            name=request.name,
            payload=payload,
            options=options,
        )


def _decode(text: bytes, line: int = 0) -> TaskRequest:
    try:
        plain = _plain.decode(text)
    except _REFUSALS:
        pass
    else:
        if (plain.id is UNSET or is_identifier(plain.id)) and is_identifier(plain.name):
            return plain
    try:
        timed = _timed.decode(text)
    except _REFUSALS as error:
        raise _faults.fault(text, error, _where(line)) from None
    return TaskRequest(id=timed.id, name=timed.name, payload=timed.payload, options=_plain_options(timed.options))


def _plain_options(timed: TimedOptions) -> TaskOptions:
    values = msgspec.structs.asdict(timed)
    values["not_before"] = _seconds(timed.not_before)
    values["deadline"] = _seconds(timed.deadline)
    return TaskOptions(**values)


def _seconds(at: Time) -> float | None:
    return at.timestamp() if isinstance(at, datetime) else at


def _check_time(name: str, at: float, line: int) -> None:
    if not 0 <= at <= AT_MAX:
        raise InvalidOptionError(f"options.{name} is {at:.12g}", TIME_WORDS, where=_where(line))


def _check_texts(options: TaskOptions, line: int) -> None:
    """Refuse what could be stored and not be found again."""
    for name, text in (
        ("origin", options.origin),
        ("concurrency_key", options.concurrency_key),
        ("idempotency_key", options.idempotency_key),
        *((f"labels.{key}", value) for key, value in options.labels.items()),
        *((f"requires.{key}", value) for key, value in options.requires.items()),
    ):
        if text and not is_plain(text):
            raise InvalidOptionError(f"options.{name} is {quoted(text)}", PLAIN_WORDS, where=_where(line))


def _where(line: int) -> str:
    return f"line {line}" if line else ""
