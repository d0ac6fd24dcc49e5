"""How much the feed holds for those who follow it."""

from __future__ import annotations

from msgspec import Struct


class Bounds(Struct, frozen=True, kw_only=True):
    """What is past one is refused with a clear answer, or leaves the feed and reads the store instead."""

    subscriptions_max: int = 1_000
    """Streams at once: people, programs and dashboards; each may hold a socket buffer and a page of events."""

    watches_max: int = 5_000
    """Callers that wait for one task each. A waiting request holds some 20 KiB."""

    waiting_bytes_max: int = 4 * 1024 * 1024
    """What may wait for one subscriber: some 15,000 small events, which is what one large commit brings; with large
    values few, and those are read from the store as fast as the reader takes them.
    """

    waiting_bytes_total_max: int = 64 * 1024 * 1024
    """What may wait for all of them together, counted as if nothing were shared."""
