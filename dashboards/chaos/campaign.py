"""Break an installation of its own: start it, break it for a while, mend it, finish the work, and judge."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dashboards.chaos.customers import Customer
from dashboards.chaos.director import Director
from dashboards.chaos.linked_fleet import LinkedFleet
from dashboards.chaos.observer import Observer
from dashboards.chaos.plan import make_plan
from dashboards.chaos.screen import Screen
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Result, Stage, running
from dashboards.chaos.workload import plan_tasks
from moorline import Client

CUSTOMERS: Final = 2
# What two processors with twenty nodes can do beside breaking them, by far; each task is a few milliseconds of work.
RATE_PER_NODE_PER_S: Final = 1.5
RATE_MAX_PER_S: Final = 24.0
# Tasks under way for each slot: enough that nobody is idle, and that some wait.
OPEN_PER_SLOT: Final = 1.5
OPEN_MIN: Final = 4

# Twenty Python processes start one after another on two busy processors.
START_WITHIN_S: Final = 180.0
BACK_WITHIN_S: Final = 90.0
WATCH_EVERY_S: Final = 0.5
# A client tries for as long as the hub may stand still, and for a start after it.
SUBMIT_TIMEOUT_S: Final = 150.0


class NodesMissingError(Exception):
    """Nodes did not connect at the start, before anything was broken; their logs say why."""


class Campaign:
    """One run in one folder.

    Args:
        settings: what was asked for.
        folder: an empty one; the caller removes it.
        screen: where it is shown.
    """

    def __init__(self, settings: ChaosSettings, folder: Path, screen: Screen) -> None:
        self._settings = settings
        self._fleet = LinkedFleet(folder, settings)
        self._stage = Stage(settings, screen, self._fleet.truth_path)
        self._director = Director(self._fleet, self._stage.ledger)

    def interrupt(self) -> None:
        """Break nothing more: mend, and judge what there is."""
        self._stage.interrupt()

    async def run(self) -> Result:
        """Carry it out. All that it started has ended when this returns or raises.

        Raises:
            ProcessDiedError, ProcessTooSlowError: the hub or a node did not come up; perhaps in a group.
            NodesMissingError: some nodes did not connect before anything was broken.
        """
        settings, stage = self._settings, self._stage
        async with self._fleet as fleet, contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(running(stage.paint(self._hub_state, self._node_states)))
            stage.ledger.happen(f"starting a hub and {settings.nodes} nodes")
            await fleet.start_hub()
            client = await stack.enter_async_context(Client(fleet.url, submit_timeout_s=SUBMIT_TIMEOUT_S))
            observer = Observer(client, stage.ledger, settings.node_ids)
            await stack.enter_async_context(running(observer.run()))
            await fleet.start_nodes()
            if not await observer.wait_for_all(START_WITHIN_S, self._check_alive):
                text = f"{observer.online_count()} of {settings.nodes} nodes are online after {START_WITHIN_S:g} s"
                raise NodesMissingError(text)
            sizes = fleet.sizes()
            stage.ledger.happen(f"{settings.nodes} nodes online; the work begins")
            await stack.enter_async_context(running(self._watch()))
            await self._break_and_finish(observer)
            result = await stage.conclude(
                client,
                observer,
                node_ids=settings.node_ids,
                command=settings.command(),
                sizes_at_start=sizes,
                sizes_at_end=fleet.sizes(),
            )
            stage.show(self._hub_state(), self._node_states())
            return result

    async def _break_and_finish(self, observer: Observer) -> None:
        settings, stage = self._settings, self._stage
        async with contextlib.AsyncExitStack() as stack:
            customers = [self._customer(await self._client(stack), number) for number in range(CUSTOMERS)]
            working = await stack.enter_async_context(stage.at_work(customers))
            stage.phase = "breaking things"
            await stage.until_interrupted(self._director.run(make_plan(settings), settings.seconds))
            for customer in customers:
                customer.stop()
            stage.phase = "mending"
            await self._director.mend()
            stage.ledger.happen("everything is mended; the rest of the work gets done")
            if not await observer.wait_for_all(BACK_WITHIN_S):
                text = f"only {observer.online_count()} nodes are back after {BACK_WITHIN_S:g} s"
                stage.ledger.happen(text, is_bad=True)
            await stage.drain(working)

    async def _client(self, stack: contextlib.AsyncExitStack) -> Client:
        return await stack.enter_async_context(Client(self._fleet.url, submit_timeout_s=SUBMIT_TIMEOUT_S))

    def _customer(self, client: Client, number: int) -> Customer:
        settings = self._settings
        return Customer(
            client,
            plan_tasks(f"{settings.seed}:{number}", lease_s=settings.lease_s, freed_after_s=settings.freed_after_s),
            self._stage.log,
            rate_per_s=min(RATE_MAX_PER_S, RATE_PER_NODE_PER_S * settings.nodes) / CUSTOMERS,
            open_max=max(OPEN_MIN, int(OPEN_PER_SLOT * settings.nodes * settings.slots / CUSTOMERS)),
        )

    async def _watch(self) -> None:
        """Notice processes that end by themselves: neither a hub nor a node ever may."""
        seen: set[int | None] = set()
        ledger, hub = self._stage.ledger, self._fleet.hub
        while True:
            for process in (hub, *self._fleet.nodes.values()):
                killed = (
                    ledger.is_broken("hub_killed") if process is hub else ledger.is_broken("node_killed", process.name)
                )
                if not (process.is_running or killed or process.pid in seen):
                    seen.add(process.pid)
                    text = f"{process.name} ended by itself; its last words: {process.last_words()}"
                    self._stage.problems.append(text)
                    ledger.happen(text, is_bad=True)
            await asyncio.sleep(WATCH_EVERY_S)

    def _check_alive(self) -> None:
        for process in (self._fleet.hub, *self._fleet.nodes.values()):
            process.check_alive()

    # --- what can be seen ---------------------------------------------------------------------------------------------

    def _hub_state(self) -> str:
        if not self._fleet.hub.is_running:
            return "dead"
        return "paused" if self._stage.ledger.is_broken("hub_paused") else "online"

    def _node_states(self) -> Mapping[str, str]:
        return {node_id: self._node_state(node_id) for node_id in self._settings.node_ids}

    def _node_state(self, node_id: str) -> str:
        process = self._fleet.nodes.get(node_id)
        if process is None:
            return "starting"
        if not process.is_running:
            return "dead"
        if self._stage.ledger.is_broken("node_paused", node_id):
            return "paused"
        view = self._stage.ledger.nodes.get(node_id)
        return "starting" if view is None else view.state
