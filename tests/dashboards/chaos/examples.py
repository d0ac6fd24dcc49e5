"""A result to draw and to print, as a run of a minute would give it."""

from __future__ import annotations

from dashboards.chaos.customers import Log
from dashboards.chaos.ledger import DoneFault, HubDeath, Ledger
from dashboards.chaos.plan import make_plan
from dashboards.chaos.processes import Size
from dashboards.chaos.report import Course, Report, make_report
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Result
from dashboards.installation.judgement import Evidence, Finding, Judgement

SETTINGS = ChaosSettings(minutes=1, nodes=4, lease_s=5, seed=3)
MIB = 1 << 20


def judgement(*findings: Finding) -> Judgement:
    return Judgement(
        accepted=90,
        outcomes={"succeeded": 88, "failed": 2},
        reruns={"node_killed": 3, "handler_failed": 7},
        findings=findings,
    )


def ledger() -> Ledger:
    written = Ledger()
    began_at = written.started_at
    written.faults = [
        DoneFault(
            kind=fault.kind,
            victim=fault.victim,
            began_at=began_at + fault.at_s,
            ended_at=began_at + fault.until_s,
            amount=fault.amount,
        )
        for fault in make_plan(SETTINGS)
    ]
    written.hub_deaths = [
        HubDeath(killed_at=began_at, ready_at=began_at + 1, awaited=set(), back_s=back_s) for back_s in (1.5, 0.5, 4.0)
    ]
    return written


def course(**changes: object) -> Course:
    values: dict[str, object] = {
        "nodes": 4,
        "nodes_back_at_end": 4,
        "still_open": 0,
        "stalls_s": (1.234, 5.678),
        "sizes_at_start": {
            "hub": Size(memory_bytes=40 * MIB, open_files=20),
            **{f"node-{number}": Size(memory_bytes=(30 + number) * MIB, open_files=10) for number in range(1, 4)},
        },
        "sizes_at_end": {
            "hub": Size(memory_bytes=50 * MIB, open_files=21),
            **{f"node-{number}": Size(memory_bytes=(31 + number) * MIB, open_files=12) for number in range(1, 4)},
        },
        "seed": 3,
        "command": SETTINGS.command(),
        "rests_on_truth": True,
    }
    return Course(**(values | changes))  # type: ignore[arg-type]


def report(*findings: Finding, **changes: object) -> Report:
    log = Log()
    log.tries, log.duplicates_refused = 91, 5
    return make_report(judgement(*findings), log, ledger(), course(**changes))


def result(*findings: Finding) -> Result:
    written = ledger()
    ends = [written.started_at + number * 0.4 for number in range(150)]
    return Result(
        report=report(*findings),
        ledger=written,
        run_ends=ends,
        node_ids=SETTINGS.node_ids,
        ended_at=written.started_at + 62,
        evidence=Evidence(submitted=[], told=[], truth=[], lease_s=5, now_at=written.started_at + 62),
    )
