"""A task as it was submitted, its options, and the class that says who can serve it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from hub.decisions.retry import RetryPolicy
from protocol.frames import Identifier, LabelText
from protocol.limits import LABELS_MAX

WEEK_S = 7 * 24 * 3600.0


Labels: TypeAlias = Annotated[dict[Identifier, LabelText], Meta(max_length=LABELS_MAX)]


class TaskOptions(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a task is to be run; valid when it exists. ``docs/reference/http-api.md`` says each in a line."""

    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    requires: Labels = {}
    node: Identifier | None = None
    delay_s: Annotated[float, Meta(ge=0, le=366 * 24 * 3600.0)] = 0.0
    not_before: float | None = None
    deadline: float | None = None
    retry: RetryPolicy = RetryPolicy()
    timeout_s: Annotated[float, Meta(gt=0, le=30 * 24 * 3600.0)] | None = None
    lease_s: Annotated[float, Meta(ge=1, le=WEEK_S)] = 300.0
    on_lost: Literal["retry", "fail"] = "retry"
    concurrency_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    concurrency_limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    labels: Labels = {}
    origin: Annotated[str, Meta(max_length=128)] = ""


DEFAULT_OPTIONS = TaskOptions()


class NewTask(Struct, frozen=True, kw_only=True, gc=False):
    """A task as it was submitted: checked at the door. ``payload`` is a JSON object as bytes."""

    task_id: str
    name: str
    payload: bytes = b"{}"
    options: TaskOptions = DEFAULT_OPTIONS
    group: str = ""


class TaskClass(Struct, frozen=True, gc=False):
    """Tasks that the same nodes can serve: same name, same requirements, same target.

    There are few classes, so that a node finds its next task among a million without a scan: the queue's index is
    (class, priority, age), and a node asks the classes that it can serve. ``requires`` is sorted by key.
    """

    name: str
    requires: tuple[tuple[str, str], ...] = ()
    target: str = ""


def class_of(name: str, options: TaskOptions) -> TaskClass:
    """Give the class of a task with this name and these options."""
    requires = tuple(sorted(options.requires.items())) if options.requires else ()
    return TaskClass(name, requires, options.node or "")
