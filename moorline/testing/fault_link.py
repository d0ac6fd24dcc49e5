"""What is wrong with one direction of a link, and the waiting that comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Direction: TypeAlias = Literal["up", "down", "both"]
"""`up` goes towards the target, `down` comes from it."""

# A limited connection hands on this much of a second at once: small enough that a limit is felt as a slow line and not
# as a silent one that bursts.
SLICE_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaults:
    """The faults of one direction. The defaults are a sound link."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    """The latency of a piece lies this far from ``latency_s`` at most, on either side; the order is kept."""
    bytes_per_s: float | None = None
    """For each connection; None for as fast as it goes."""
    is_black_hole: bool = False
    is_stalled: bool = False
    cut_after_bytes: int | None = None
    close_delay_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("latency_s", "jitter_s", "close_delay_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it cannot be less than 0")
        if self.bytes_per_s is not None and self.bytes_per_s <= 0:
            raise ValueError(f"bytes_per_s is {self.bytes_per_s}; it must be more than 0, or None for no limit")
        if self.cut_after_bytes is not None and self.cut_after_bytes < 0:
            raise ValueError(f"cut_after_bytes is {self.cut_after_bytes}; it cannot be less than 0")

    def delay_s(self, deviation: float) -> float:
        """Give the latency of a piece whose luck is ``deviation``, from -1 to 1."""
        return max(0.0, self.latency_s + self.jitter_s * deviation)

    def slice_bytes(self, available: int) -> int:
        """Give how many of the available bytes are handed on at once; at least 1."""
        if self.bytes_per_s is None:
            return available
        return min(available, max(1, int(self.bytes_per_s * SLICE_S)))


class Link:
    """One direction of all connections. Waits notice at once when its faults change."""

    def __init__(self) -> None:
        self._faults = LinkFaults()
        self._changed = asyncio.Event()

    @property
    def faults(self) -> LinkFaults:
        """What is wrong with it now."""
        return self._faults

    @faults.setter
    def faults(self, faults: LinkFaults) -> None:
        self._faults = faults
        # Whoever waits holds the old event; whoever comes later waits for the next change.
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_while_stalled(self) -> None:
        """Return when something can move. Cancelling it has no effect on the link."""
        while self._faults.is_stalled:
            await self._changed.wait()

    async def wait_for_latency(self, arrived_s: float, deviation: float) -> None:
        """Return when what arrived then, by the loop's clock, is due."""
        loop = asyncio.get_running_loop()
        while (due_s := arrived_s + self._faults.delay_s(deviation)) > loop.time():
            await self._change_or(due_s)

    async def wait_for_bandwidth(self, byte_count: int) -> None:
        """Return when so many bytes would have gone through; at once when the limit changes."""
        if (limit := self._faults.bytes_per_s) is not None:
            await self._change_or(asyncio.get_running_loop().time() + byte_count / limit)

    async def wait_for_close(self) -> None:
        """Return when an end that has just closed may be seen to be closed."""
        loop = asyncio.get_running_loop()
        closed_s = loop.time()
        while (due_s := closed_s + self._faults.close_delay_s) > loop.time():
            await self._change_or(due_s)

    async def _change_or(self, due_s: float) -> None:
        try:
            async with asyncio.timeout_at(due_s):
                await self._changed.wait()
        except TimeoutError:
            return
