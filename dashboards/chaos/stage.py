"""What both ways of doing it share: the ledger, the clients' log, the truth, the screen, and the end of it all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dashboards.chaos.customers import Customer, Log
from dashboards.chaos.ledger import Happening, Ledger
from dashboards.chaos.observer import Observer
from dashboards.chaos.processes import Size
from dashboards.chaos.report import Course, Report, make_report
from dashboards.chaos.screen import Look, Screen
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stalls import longest_stall_s
from dashboards.installation.judgement import Evidence, judge
from dashboards.installation.truth_file import TruthFile
from moorline import Client, MoorlineError

PAINT_EVERY_S: Final = 0.5
# After the last fault: every lease that can run out has, every retry and every long nap is over, and then some.
DRAIN_LEASES: Final = 3.0
DRAIN_EXTRA_S: Final = 60.0
# Somebody who pressed Ctrl-C waits for this long at most.
DRAIN_AFTER_INTERRUPT_S: Final = 15.0
# Whoever searches begins with a few.
HINTS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The report, and what the page is made of."""

    report: Report
    ledger: Ledger
    run_ends: Sequence[float]
    node_ids: Sequence[str]
    ended_at: float
    evidence: Evidence


class Stage:
    """One run. One event loop, so no locks.

    Args:
        settings: what was asked for.
        screen: where it is shown.
        truth_path: the truth file; None if there is none.
        is_alone: whether nobody else submits tasks.
    """

    def __init__(
        self, settings: ChaosSettings, screen: Screen, truth_path: Path | None, *, is_alone: bool = True
    ) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.log = Log()
        self.problems: list[str] = []
        """What must not be and is no matter of one task, in sentences."""
        self.phase = "starting"
        self.is_interrupted = False
        self._is_alone = is_alone
        self._screen = screen
        self._truth = None if truth_path is None else TruthFile(truth_path)
        self._runs_ended = 0
        self._happenings_shown = 0
        self._interrupt = asyncio.Event()

    def interrupt(self) -> None:
        """Break nothing more: mend, and judge what there is."""
        self._interrupt.set()

    def forget_truth(self) -> None:
        """Pass over what the truth file has from earlier."""
        if self._truth is not None:
            self._truth.read_new()
            self._truth.lines.clear()
            self._truth.unreadable_lines = 0

    async def until_interrupted(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this until it is done, or until somebody has had enough; its errors are raised."""
        working = asyncio.create_task(work)
        enough = asyncio.create_task(self._interrupt.wait())
        try:
            await asyncio.wait([working, enough], return_when=asyncio.FIRST_COMPLETED)
            self.is_interrupted = not working.done()
        finally:
            for task in (working, enough):
                task.cancel()
            await asyncio.gather(working, enough, return_exceptions=True)
        if not working.cancelled():
            working.result()

    @contextlib.asynccontextmanager
    async def at_work(self, customers: Sequence[Customer]) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Let customers submit between enter and exit; what they then still wait for, the hub keeps."""
        working = [asyncio.create_task(customer.run()) for customer in customers]
        try:
            yield working
        finally:
            for work in working:
                work.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def drain(self, working: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the outcomes of all that was accepted, within a bound."""
        self.phase = "finishing the work"
        within_s = DRAIN_LEASES * self.settings.freed_after_s + DRAIN_EXTRA_S
        if self.is_interrupted:
            within_s = DRAIN_AFTER_INTERRUPT_S
        done, pending = await asyncio.wait(working, timeout=within_s)
        if pending:
            self.ledger.happen(f"{self.log.open_count} tasks have no outcome after {within_s:.0f} s", is_bad=True)
        for work in done:
            work.result()

    async def conclude(
        self,
        client: Client,
        observer: Observer,
        *,
        node_ids: Sequence[str],
        command: str,
        sizes_at_start: Mapping[str, Size],
        sizes_at_end: Mapping[str, Size],
    ) -> Result:
        """Judge, and put the report together."""
        self.phase = "judging"
        await observer.look()
        self.read_truth()
        hints = await self._hints(client)
        now_at = time.time()
        submitted = self.log.submitted
        still_open = set(self.log.open_tasks) if self.is_interrupted else set()
        lines = None if self._truth is None else [line for line in self._truth.lines if self._is_ours(line.task_id)]
        evidence = Evidence(
            submitted=[task for task in submitted.values() if task.task_id not in still_open],
            told=self.log.told,
            truth=lines,
            outages=self.ledger.outages,
            lease_s=self.settings.lease_s,
            now_at=now_at,
            unreadable_lines=0 if self._truth is None else self._truth.unreadable_lines,
        )
        judgement = judge(evidence)
        ends = sorted(line.at for line in lines or () if line.event == "end")
        told_at = {told.task_id: told.at for told in self.log.told}
        work = [(task.at, told_at.get(task.task_id, now_at)) for task in submitted.values()]
        report = make_report(
            judgement,
            self.log,
            self.ledger,
            Course(
                nodes=len(node_ids),
                nodes_back_at_end=observer.online_count(),
                still_open=len(still_open),
                stalls_s=None if lines is None else longest_stall_s(ends, work, self.ledger.hub_away),
                sizes_at_start=sizes_at_start,
                sizes_at_end=sizes_at_end,
                seed=self.settings.seed,
                command=command,
                rests_on_truth=lines is not None,
                was_interrupted=self.is_interrupted,
                problems=[*self.problems, *observer.problems, *hints],
            ),
        )
        return Result(
            report=report,
            ledger=self.ledger,
            run_ends=ends,
            node_ids=node_ids,
            ended_at=now_at,
            evidence=evidence,
        )

    def _is_ours(self, task_id: str) -> bool:
        # A submit that was never answered may have been taken: its runs are judged too, where nobody else submits.
        return self._is_alone or task_id in self.log.submitted

    async def _hints(self, client: Client) -> list[str]:
        """Ask the hub about tasks that have no outcome: a hint for whoever searches, no part of the verdict."""
        hints: list[str] = []
        if not self.is_interrupted:
            for task_id in self.log.open_tasks[:HINTS_MAX]:
                with contextlib.suppress(MoorlineError):
                    explanation = await client.explain(task_id)
                    hints.append(f"task {task_id}: the hub says {explanation.state}: {explanation.summary}")
        return hints

    # --- showing ------------------------------------------------------------------------------------------------------

    def read_truth(self) -> None:
        """Take note of what nodes have written since the last time."""
        if self._truth is not None:
            self._runs_ended += sum(line.event == "end" for line in self._truth.read_new())

    async def paint(self, hub_state: Callable[[], str], node_states: Callable[[], Mapping[str, str]]) -> None:
        """Show it for ever."""
        while True:
            self.read_truth()
            self.show(hub_state(), node_states())
            await asyncio.sleep(PAINT_EVERY_S)

    def show(self, hub: str, nodes: Mapping[str, str]) -> None:
        """Show how it is now."""
        new: list[Happening] = self.ledger.happenings[self._happenings_shown :]
        self._happenings_shown += len(new)
        look = Look(
            elapsed_s=self.ledger.elapsed_s(),
            seconds=self.settings.seconds,
            phase=self.phase,
            hub=hub,
            nodes=nodes,
            tried=self.log.tries,
            accepted=len(self.log.submitted),
            open=self.log.open_count,
            outcomes=dict(self.log.outcomes),
            runs_ended=self._runs_ended,
            faults=len(self.ledger.faults),
            happenings=tuple(self.ledger.recent),
        )
        self._screen.show(look, new)


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let something go on between enter and exit; what went wrong with it is raised at the exit."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        outcomes = await asyncio.gather(task, return_exceptions=True)
    for error in outcomes:
        if isinstance(error, Exception):
            raise error
