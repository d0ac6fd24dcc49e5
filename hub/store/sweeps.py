"""What the passing of time does to tasks and nodes."""

from __future__ import annotations

from msgspec import Struct


class Sweep(Struct, frozen=True, kw_only=True):
    """Move what is due to the queue, expire what is past its deadline, remove what is past its retention, in small
    batches; note nodes that have been unreachable for ``gone_after_s`` as gone.
    """

    retention_s: float
    retention_count: int
    gone_after_s: float
    batch: int = 1000


class Swept(Struct, frozen=True, kw_only=True):
    """How many tasks were moved; ``more``: a batch was full, sweep again soon; ``next_due_in_s``: until the next one is
    due or expires, None if there is none.
    """

    due: int
    expired: int
    removed: int
    more: bool
    next_due_in_s: float | None
