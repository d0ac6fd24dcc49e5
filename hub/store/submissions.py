"""How tasks come into the store: submitted, or broadcast to each node."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hub.decisions.lifecycle import TaskState
from hub.store.assignments import Assignment, Offer
from hub.store.tasks import NewTask

# `luck` is a number drawn evenly from 0 to 1 for whatever the operation has to place at random: a backend draws none.


class Submit(Struct, frozen=True, kw_only=True):
    """Insert tasks; fill offered slots. A task takes a slot in the same commit only if nothing older or more urgent
    that is eligible waits for it. A repeated id or idempotency key gives the task that was there first.
    """

    tasks: Sequence[NewTask]
    offers: Sequence[Offer] = ()


class Accepted(Struct, frozen=True, gc=False):
    """One submitted task, in the order of `Submit.tasks`."""

    task_id: str
    state: TaskState
    existing: bool


class Submitted(Struct, frozen=True, kw_only=True):
    """Answer to `Submit`. ``assignments`` may hold older tasks than the submitted ones, highest priority first."""

    accepted: list[Accepted]
    assignments: list[Assignment]


class Broadcast(Struct, frozen=True, kw_only=True):
    """Insert one task, aimed at it, for each node that is here, not cordoned or draining, and can serve the template.

    Here is who is online, and who lost its session when a hub stopped and has not been heard of since: a restart must
    not make a broadcast pass anybody by.

    The tasks' ids are ``{group}.{node_id}`` (cut and hashed if too long); a repeated group gives the tasks that were
    made first. ``template.task_id`` is the group.
    """

    template: NewTask


class Broadcasted(Struct, frozen=True, kw_only=True):
    """Answer to `Broadcast`: ``(node_id, accepted)`` by node id."""

    tasks: list[tuple[str, Accepted]]
