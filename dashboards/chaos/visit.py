"""Break an installation that runs already, as far as its API lets one: disconnect nodes, and cordon them for a while.

What runs there is not known, so whoever asks for it names the task that is the load. It ought to be harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from dashboards.chaos.customers import Customer
from dashboards.chaos.director import words_of
from dashboards.chaos.ledger import DoneFault
from dashboards.chaos.observer import Observer
from dashboards.chaos.plan import PlannedFault, make_api_plan
from dashboards.chaos.screen import Screen
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Result, Stage, running
from dashboards.chaos.workload import PlannedTask
from moorline import Client, MoorlineError, Options

# Somebody else's installation: enough to see what becomes of it, and little beside what it has to do.
RATE_PER_S: Final = 5.0
OPEN_MAX: Final = 20
BACK_WITHIN_S: Final = 90.0


class NoNodesError(Exception):
    """There is no node online to disconnect."""


class Visit:
    """One run against a running installation.

    Args:
        settings: what was asked for.
        client: with a token of the role `admin`.
        task_name: the task that is the load.
        payload: its payload.
        truth_path: the nodes' truth file, if they write one; None: the verdict rests on what the client is told.
        screen: where it is shown.
    """

    def __init__(
        self,
        settings: ChaosSettings,
        client: Client,
        *,
        task_name: str,
        payload: Mapping[str, object],
        truth_path: Path | None,
        screen: Screen,
    ) -> None:
        self._settings = settings
        self._client = client
        self._planned = PlannedTask(
            name=task_name, payload=payload, options=Options(lease_s=settings.lease_s), fails_for_good=None
        )
        self._stage = Stage(settings, screen, truth_path, is_alone=False)
        self._node_ids: Sequence[str] = ()

    def interrupt(self) -> None:
        """Break nothing more, and judge what there is."""
        self._stage.interrupt()

    async def run(self, command: str) -> Result:
        """Carry it out.

        Raises:
            NoNodesError: there is nothing to break.
            MoorlineError: the hub does not answer, or does not allow it.
        """
        stage = self._stage
        views = await self._client.nodes()
        # What its operator has cordoned stays so.
        self._node_ids = sorted(view.id for view in views if view.state == "online" and not view.cordoned)
        if not self._node_ids:
            raise NoNodesError("no node is online and free to take tasks; there is nothing to break")
        stage.forget_truth()
        observer = Observer(self._client, stage.ledger, self._node_ids)
        customer = Customer(self._client, self._load(), stage.log, rate_per_s=RATE_PER_S, open_max=OPEN_MAX)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(running(stage.paint(lambda: "online", self._states)))
            await stack.enter_async_context(running(observer.run()))
            working = await stack.enter_async_context(stage.at_work([customer]))
            stage.phase = "breaking things"
            try:
                await stage.until_interrupted(self._break())
            finally:
                await self._mend()
            customer.stop()
            await observer.wait_for_all(BACK_WITHIN_S)
            await stage.drain(working)
            result = await stage.conclude(
                self._client,
                observer,
                node_ids=self._node_ids,
                command=command,
                sizes_at_start={},
                sizes_at_end={},
            )
            stage.show("online", self._states())
            return result

    def _load(self) -> Iterator[PlannedTask]:
        while True:
            yield self._planned

    def _states(self) -> Mapping[str, str]:
        seen = self._stage.ledger.nodes
        return {node_id: seen[node_id].state if node_id in seen else "starting" for node_id in self._node_ids}

    async def _break(self) -> None:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        async with asyncio.TaskGroup() as group:
            for fault in make_api_plan(self._settings, self._node_ids):
                await asyncio.sleep(begin_s + fault.at_s - loop.time())
                group.create_task(self._carry_out(fault))
            await asyncio.sleep(max(0.0, begin_s + self._settings.seconds - loop.time()))

    async def _carry_out(self, fault: PlannedFault) -> None:
        ledger = self._stage.ledger
        began_at = time.time()
        outages = ledger.begin(fault.kind, [fault.victim])
        try:
            if fault.kind == "node_cordoned":
                await self._client.cordon(fault.victim)
                await asyncio.sleep(fault.for_s)
                await self._client.uncordon(fault.victim)
            else:
                await self._client.disconnect(fault.victim)
        except MoorlineError as error:
            # It may be away already, for reasons of its own.
            ledger.happen(f"{words_of(fault)}: not done: {error}", is_bad=True)
            return
        finally:
            ledger.mend(outages)
        ledger.happen(words_of(fault), is_bad=True)
        ledger.faults.append(DoneFault(kind=fault.kind, victim=fault.victim, began_at=began_at, ended_at=time.time()))

    async def _mend(self) -> None:
        """Let all nodes take work again that were cordoned here."""
        for outage in self._stage.ledger.outages:
            if outage.kind == "node_cordoned":
                with contextlib.suppress(MoorlineError):
                    await self._client.uncordon(outage.node)
