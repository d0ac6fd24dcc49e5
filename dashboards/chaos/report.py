"""What came of it: values that are a JSON object, a table for people, and an exit status."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from dashboards.chaos.customers import Log
from dashboards.chaos.ledger import Ledger
from dashboards.chaos.processes import Size
from dashboards.installation.judgement import Judgement

# Enough to begin the search with; a run of which everything is wrong has thousands.
PROBLEMS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How large something was at the start and at the end."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTimes:
    """How long all nodes took to be back after the hub was ready again, in seconds."""

    median_s: float
    p99_s: float
    worst_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result. The fields are those of the JSON object, in its order."""

    is_clean: bool
    was_interrupted: bool
    submitted: int
    accepted: int
    outcomes: Mapping[str, int]
    still_open: int
    """Accepted and without an outcome when it was interrupted; not counted as lost."""
    lost: int
    ran_twice: int
    unexplained_reruns: int
    wrong_outcomes: int
    explained_reruns: Mapping[str, int]
    """By reason: `handler_failed`, or the kind of fault that took the earlier attempt."""
    duplicates_refused: int
    rests_on_truth: bool
    """False where there was no truth file: then the verdict rests on what clients were told alone."""
    faults: Mapping[str, int]
    nodes: int
    nodes_back_at_end: int
    hub_kills: int
    all_nodes_back: BackTimes | None
    """None if the hub was not killed, or nothing could be measured."""
    longest_stall_s: float | None
    longest_stall_without_hub_s: float | None
    hub_memory_mib: Growth | None
    node_memory_mib: Growth | None
    """The median of the nodes."""
    hub_open_files: Growth | None
    node_open_files: Growth | None
    seconds: float
    seed: int
    command: str
    problems: Sequence[str]

    def as_json(self) -> str:
        """Give the object as one line."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What else is known when it is over."""

    nodes: int
    nodes_back_at_end: int
    still_open: int
    stalls_s: tuple[float, float] | None
    sizes_at_start: Mapping[str, Size]
    sizes_at_end: Mapping[str, Size]
    seed: int
    command: str
    rests_on_truth: bool
    was_interrupted: bool = False
    problems: Sequence[str] = ()


def make_report(judgement: Judgement, log: Log, ledger: Ledger, course: Course) -> Report:
    """Put it together."""
    problems = [*(finding.sentence for finding in judgement.findings), *log.problems, *course.problems]
    missing = course.nodes - course.nodes_back_at_end
    if missing:
        problems.append(f"{missing} of {course.nodes} nodes did not come back by themselves")
    stalls = course.stalls_s or (None, None)
    return Report(
        is_clean=not problems,
        was_interrupted=course.was_interrupted,
        submitted=log.tries,
        accepted=judgement.accepted + course.still_open,
        outcomes=judgement.outcomes,
        still_open=course.still_open,
        lost=judgement.count("lost"),
        ran_twice=judgement.count("ran_twice", "unreadable"),
        unexplained_reruns=judgement.count("unexplained"),
        wrong_outcomes=judgement.count("wrong_outcome"),
        explained_reruns=judgement.reruns,
        duplicates_refused=log.duplicates_refused,
        rests_on_truth=course.rests_on_truth,
        faults=dict(sorted(ledger.faults_done().items())),
        nodes=course.nodes,
        nodes_back_at_end=course.nodes_back_at_end,
        hub_kills=len(ledger.hub_deaths),
        all_nodes_back=back_times([death.back_s for death in ledger.hub_deaths if death.back_s > 0]),
        longest_stall_s=_rounded(stalls[0]),
        longest_stall_without_hub_s=_rounded(stalls[1]),
        hub_memory_mib=_growth(course, "memory_bytes", 1 << 20, of_hub=True),
        node_memory_mib=_growth(course, "memory_bytes", 1 << 20, of_hub=False),
        hub_open_files=_growth(course, "open_files", 1, of_hub=True),
        node_open_files=_growth(course, "open_files", 1, of_hub=False),
        seconds=round(ledger.elapsed_s(), 1),
        seed=course.seed,
        command=course.command,
        problems=problems[:PROBLEMS_MAX],
    )


def back_times(seconds: Sequence[float]) -> BackTimes | None:
    """Sum up how long nodes took to come back; None if there is nothing to sum up."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return BackTimes(
        median_s=round(statistics.median(ordered), 2),
        # Of so few values as there are kills in a run, the worst.
        p99_s=round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 2),
        worst_s=round(ordered[-1], 2),
    )


def rows(report: Report) -> list[tuple[str, str, bool]]:
    """Give what people want to know: what, how much, and whether that is well."""
    found = [
        ("tasks submitted / accepted", f"{report.submitted} / {report.accepted}", True),
        ("outcomes", _counts(report.outcomes), report.wrong_outcomes == 0),
        ("lost", str(report.lost), report.lost == 0),
        ("run twice", str(report.ran_twice), report.ran_twice == 0),
        ("run again, unexplained", str(report.unexplained_reruns), report.unexplained_reruns == 0),
        ("run again, explained", _counts(report.explained_reruns), True),
        ("duplicates refused", str(report.duplicates_refused), True),
        ("faults", _counts(report.faults), True),
        (
            "nodes back at the end",
            f"{report.nodes_back_at_end} of {report.nodes}",
            report.nodes_back_at_end == report.nodes,
        ),
    ]
    if report.still_open:
        found.append(("open when interrupted", str(report.still_open), True))
    if not report.rests_on_truth:
        found.append(("the verdict rests on", "what clients were told alone: there is no truth file", True))
    if report.all_nodes_back is not None:
        times = report.all_nodes_back
        text = f"median {times.median_s:g} s, p99 {times.p99_s:g} s, worst {times.worst_s:g} s"
        found.append((f"all nodes back after {report.hub_kills} kills of the hub", text, True))
    if report.longest_stall_s is not None:
        text = f"{report.longest_stall_s:g} s; while the hub was away {report.longest_stall_without_hub_s:g} s"
        found.append(("longest time without an end of a run", text, True))
    for name, growth, unit in (
        ("memory of the hub", report.hub_memory_mib, " MiB"),
        ("memory of a node (median)", report.node_memory_mib, " MiB"),
        ("open files of the hub", report.hub_open_files, ""),
        ("open files of a node (median)", report.node_open_files, ""),
    ):
        if growth is not None:
            found.append((name, f"{growth.start:g}{unit} → {growth.end:g}{unit}", True))
    return [*found, ("seconds", f"{report.seconds:g}", True), ("again with", report.command, True)]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _growth(course: Course, field: str, unit: int, *, of_hub: bool) -> Growth | None:
    def middle(sizes: Mapping[str, Size]) -> float | None:
        values = [getattr(size, field) / unit for name, size in sizes.items() if (name == "hub") is of_hub]
        return round(statistics.median(values), 1) if values else None

    start, end = middle(course.sizes_at_start), middle(course.sizes_at_end)
    return None if start is None or end is None else Growth(start=start, end=end)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
