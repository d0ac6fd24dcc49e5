"""What was heard of a hub so far: the snapshot of now, and word that it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from dashboards.terminal.snapshot import Link, LinkState, Snapshot


class Knowledge:
    """One snapshot that grows, for one event loop.

    Args:
        url: what the hub is called.
        wall: the time of day, seconds since 1970.
    """

    def __init__(self, url: str, wall: Callable[[], float]) -> None:
        self.wall: Final = wall
        self.heard = Snapshot(url=url, now_at=wall(), link=Link(since_at=wall()))
        """What was heard; ``now_at`` is not kept up to date."""
        self.changed: Final = asyncio.Event()
        """Set when a new picture may be worth drawing; whoever draws clears it."""

    def snapshot(self) -> Snapshot:
        """Give what is known now."""
        return replace(self.heard, now_at=self.wall())

    def hear(self, **parts: Any) -> None:
        """Take fields of the snapshot."""
        self.heard = replace(self.heard, **parts)
        self.changed.set()

    def set_link(self, state: LinkState, reason: str = "") -> bool:
        """Take note of how the way to the hub is; tell whether it has just become live."""
        link = self.heard.link
        if link.state == state and link.reason == reason:
            return False
        since_at = link.since_at if link.state == state else self.wall()
        self.hear(link=Link(state=state, since_at=since_at, reason=reason))
        return state == "live"
