"""What a stream tells: an event as an object, and as the bytes of a server-sent event (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hub.store.events import Event
from protocol.frames import TaskError

_encode = msgspec.json.Encoder().encode


class ErrorObject(Struct, frozen=True, kw_only=True):
    """Why an attempt failed. ``kind`` is stable; the rest is for people."""

    kind: str
    message: str
    type: str
    traceback: str
    retryable: bool


def error_object(error: TaskError) -> ErrorObject:
    """Give a task's error with every field."""
    return ErrorObject(
        kind=error.kind,
        message=error.message,
        type=error.type,
        traceback=error.traceback,
        retryable=error.retryable,
    )


class EventObject(Struct, frozen=True, gc=False):
    """The ``data`` of one event. Texts are empty where they do not apply; ``value`` is there where a task succeeded,
    ``error`` where an attempt failed, ``reason`` where a node left. `task.progress` and `task.log` carry no ``id``.
    """

    id: int | UnsetType
    at: float
    kind: str
    task_id: str = ""
    name: str = ""
    state: str = ""
    attempt: int = 0
    node_id: str = ""
    origin: str = ""
    group: str = ""
    reason: str | UnsetType = UNSET
    error: ErrorObject | UnsetType = UNSET
    value: Raw | UnsetType = UNSET
    done: float | UnsetType = UNSET
    total: float | UnsetType | None = UNSET
    level: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


def sse_message(event: Event, value: bytes | None) -> bytes:
    """Give the bytes of one stored event; ``value`` is that of the task if it succeeded."""
    said = EventObject(
        event.id,
        event.at,
        event.kind,
        event.task_id,
        event.name,
        event.state,
        event.attempt,
        event.node_id,
        event.origin,
        event.group,
        event.reason or UNSET,
        UNSET if event.error is None else error_object(event.error),
        UNSET if value is None else Raw(_on_one_line(value)),
    )
    return b"id: %d\ndata: %b\n\n" % (event.id, _encode(said))


def live_message(said: EventObject) -> bytes:
    """Give the bytes of something that is told once and stored nowhere: it has no id to resume from."""
    return b"data: %b\n\n" % _encode(said)


def _on_one_line(text: bytes) -> bytes:
    """Take line ends out of a JSON text. Strings cannot hold one, so they are white space (RFC 8259, 2 and 7)."""
    if b"\n" in text or b"\r" in text:
        return text.replace(b"\n", b" ").replace(b"\r", b" ")
    return text
