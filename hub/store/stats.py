"""Counts of what the store holds."""

from __future__ import annotations

from msgspec import Struct


class StoreStats(Struct, frozen=True, kw_only=True):
    """Counts for `GET /v1/stats`."""

    tasks: dict[str, int]
    nodes: dict[str, int]
    totals: dict[str, float]
    last_event_id: int
    oldest_queued_at: float | None
