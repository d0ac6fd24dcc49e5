"""Carry out the plan: break what it says, when it says, and mend it again."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final

from dashboards.chaos.ledger import DoneFault, HubDeath, Ledger
from dashboards.chaos.linked_fleet import LinkedFleet
from dashboards.chaos.plan import HUB, PlannedFault
from dashboards.chaos.processes import pause, resume
from moorline.testing import FaultProxy

# How a fault reads in a line.
WORDS: Final = {
    "hub_killed": "hub killed (SIGKILL)",
    "hub_paused": "hub paused (SIGSTOP)",
    "node_killed": "killed (SIGKILL)",
    "node_paused": "paused (SIGSTOP)",
    "link_reset": "connection reset",
    "link_cut": "connection cut after {amount:.0f} bytes",
    "link_black_hole_up": "link swallows what goes up",
    "link_black_hole_down": "link swallows what comes down",
    "link_black_hole": "link swallows everything",
    "link_stalled": "link stands still",
    "link_late": "link {amount:.2f} s late, each way",
    "link_narrow": "link down to {amount:.0f} bytes/s",
    "link_refused": "connection reset, new ones refused",
    "link_closed": "connection reset, new ones closed at once",
    "node_disconnected": "disconnected through the API",
    "node_cordoned": "cordoned",
}


def words_of(fault: PlannedFault) -> str:
    """Say in words what is done to whom."""
    text = WORDS[fault.kind].format(amount=fault.amount)
    text = text if fault.victim == HUB else f"{fault.victim}: {text}"
    return f"{text} for {fault.for_s:.1f} s" if fault.for_s else text


class Director:
    """Breaks one fleet. Faults of one victim wait for each other, should the machine be slower than the plan."""

    def __init__(self, fleet: LinkedFleet, ledger: Ledger) -> None:
        self._fleet = fleet
        self._ledger = ledger
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self, plan: Iterable[PlannedFault], until_s: float) -> None:
        """Carry out the plan; what has not begun at ``until_s`` (seconds from now) does not begin.

        Cancelling it leaves things broken: `mend` mends them.

        Raises:
            ProcessDiedError, ProcessTooSlowError: in a group: what was started again did not come up.
        """
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for fault in plan:
                await asyncio.sleep(begin_s + fault.at_s - loop.time())
                group.create_task(self._carry_out(fault, begin_s + until_s))

    async def mend(self) -> None:
        """Let everything go on, and start what is dead. Twice is harmless.

        Raises:
            ProcessDiedError, ProcessTooSlowError: the hub did not come up.
        """
        fleet = self._fleet
        for process in (fleet.hub, *fleet.nodes.values()):
            if process.is_running and process.pid is not None:
                resume(process.pid)
        for link in fleet.links.values():
            link.mend()
        if not fleet.hub.is_running:
            await fleet.start_hub()
        for node in fleet.nodes.values():
            if not node.is_running:
                await node.start()
        self._ledger.mend(self._ledger.outages)

    async def _carry_out(self, fault: PlannedFault, until_s: float) -> None:
        # The link of a node and its process break independently.
        strand = f"{fault.victim} link" if fault.kind.startswith("link") else fault.victim
        async with self._turns[strand]:
            if asyncio.get_running_loop().time() >= until_s:
                return
            self._ledger.happen(words_of(fault), is_bad=True)
            began_at = time.time()
            match fault.kind:
                case "hub_killed":
                    await self._kill_hub(fault)
                case "hub_paused":
                    await self._pause_hub(fault)
                case "node_killed":
                    await self._kill_node(fault)
                case "node_paused":
                    await self._pause_node(fault)
                case _:
                    await self._break_link(fault)
            self._ledger.faults.append(
                DoneFault(
                    kind=fault.kind,
                    victim=fault.victim,
                    began_at=began_at,
                    ended_at=time.time(),
                    amount=fault.amount,
                )
            )

    async def _kill_hub(self, fault: PlannedFault) -> None:
        async with self._hub_away(fault):
            killed_at = time.time()
            await self._fleet.hub.kill()
            await asyncio.sleep(fault.for_s)
            await self._fleet.start_hub()
        ready_at = time.time()
        death = HubDeath(killed_at=killed_at, ready_at=ready_at, awaited=set(self._fleet.nodes))
        self._ledger.hub_deaths.append(death)
        self._ledger.happen(f"hub ready again after {ready_at - killed_at:.1f} s")

    async def _pause_hub(self, fault: PlannedFault) -> None:
        pid = self._fleet.hub.pid
        if pid is None:
            return
        async with self._hub_away(fault):
            pause(pid)
            await asyncio.sleep(fault.for_s)
            resume(pid)

    @asynccontextmanager
    async def _hub_away(self, fault: PlannedFault) -> AsyncIterator[None]:
        self._ledger.hub_goes_away()
        outages = self._ledger.begin(fault.kind, self._fleet.nodes)
        began_at = time.time()
        yield
        self._ledger.hub_away.append((began_at, time.time()))
        self._ledger.mend(outages)

    async def _kill_node(self, fault: PlannedFault) -> None:
        node = self._fleet.nodes[fault.victim]
        outages = self._ledger.begin(fault.kind, [fault.victim])
        outages[0].dead_at = await node.kill()
        await asyncio.sleep(fault.for_s)
        await node.start()
        self._ledger.mend(outages)

    async def _pause_node(self, fault: PlannedFault) -> None:
        pid = self._fleet.nodes[fault.victim].pid
        if pid is None:
            return
        outages = self._ledger.begin(fault.kind, [fault.victim])
        pause(pid)
        await asyncio.sleep(fault.for_s)
        resume(pid)
        self._ledger.mend(outages)

    async def _break_link(self, fault: PlannedFault) -> None:
        link = self._fleet.links[fault.victim]
        outages = self._ledger.begin(fault.kind, [fault.victim])
        _break(link, fault)
        await asyncio.sleep(fault.for_s)
        link.mend()
        self._ledger.mend(outages)


def _break(link: FaultProxy, fault: PlannedFault) -> None:
    match fault.kind:
        case "link_reset":
            link.reset()
        case "link_cut":
            link.cut_after(int(fault.amount))
        case "link_black_hole_up":
            link.black_hole("up")
        case "link_black_hole_down":
            link.black_hole("down")
        case "link_black_hole":
            link.black_hole("both")
        case "link_stalled":
            link.stall()
        case "link_late":
            link.delay(fault.amount, jitter_s=fault.amount / 4)
        case "link_narrow":
            link.limit(fault.amount)
        case "link_refused":
            link.refuse()
            link.reset()
        case "link_closed":
            link.accept_then_close()
            link.reset()
        case _:
            raise AssertionError(f"{fault.kind} is no fault of a link")
