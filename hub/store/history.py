"""What the store keeps of the past, as values: samples, spans of nodes, groups of errors, attempts, the audit log.

Part of the contract (`hub.store.contract`): the operations are written as all others are, in order and durably; the
views are answers to queries. ``*_at`` are seconds since 1970 on the wall clock.
"""

from __future__ import annotations

from msgspec import Struct

from hub.decisions.samples import Sample
from protocol.frames import TaskError

# --- operations ------------------------------------------------------------------------------------------------------


class NoteSample(Struct, frozen=True, kw_only=True):
    """Keep a sample; roll up what is due, and remove samples that are too old. Answer: None."""

    sample: Sample


class Deed(Struct, frozen=True, kw_only=True):
    """Somebody does something. ``who``: the token's name and id, or where no token was needed, `local`.

    ``action`` is a dotted word, as `node.drain`; ``target`` the id of what it is done to; ``detail`` a line for people.
    """

    who: str
    role: str
    address: str
    action: str
    target: str = ""
    detail: str = ""


class NoteDeed(Struct, frozen=True, kw_only=True):
    """Write a line into the audit log. It is put before the operation that does it, so that nothing is done without its
    line; that it was done does not follow. Answer: None.
    """

    deed: Deed


# --- views ------------------------------------------------------------------------------------------------------------


class NodeSpan(Struct, frozen=True, kw_only=True):
    """A time in which a node's state was the same. ``ended_at`` None: it still is. ``reason``: why it left."""

    state: str
    reason: str
    began_at: float
    ended_at: float | None


class ErrorGroup(Struct, frozen=True, kw_only=True):
    """Attempts that ended alike. ``message`` is that of the first one, without what differs; ``place`` is
    `file:line in function`, empty where no traceback is known.
    """

    id: str
    name: str
    kind: str
    type: str
    message: str
    place: str
    count: int
    first_at: float
    last_at: float
    last_task_id: str


class AttemptView(Struct, frozen=True, kw_only=True):
    """One attempt of a task. ``outcome`` None: it runs. ``returned``: its node left before it had begun.

    ``run_s`` is what the node measured, None where it never said so. A long traceback is cut: all of it stands in the
    task's own error.
    """

    attempt: int
    node: str
    started_at: float | None
    ended_at: float | None
    outcome: str | None
    run_s: float | None
    error: TaskError | None


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    id: int
    at: float
    deed: Deed


class AuditPage(Struct, frozen=True, kw_only=True):
    """Newest first. ``cursor`` is None after the last page."""

    entries: list[AuditEntry]
    cursor: int | None
