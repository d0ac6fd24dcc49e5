"""Hold the ground truth against what clients were told: lost, run twice, contradicted, or well.

The ground truth stands outside the system: a node appends one line at the start and one at the end of each run of a
handler. Clients write down what they were told. Whoever breaks something writes down what and when. `judge` sorts
every task by these three, and by nothing that the hub says of itself. All times are wall-clock seconds of one machine.

What is allowed (docs/explanation: what must always hold):

- an attempt starts at most once;
- a later attempt may start if the node's process that held the earlier one is known to be dead, or if the earlier
one ended
  and the task's policy allows one more try;
- two attempts never overlap, nothing runs after its outcome was told, and dead processes do nothing.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

Event: TypeAlias = Literal["start", "end"]

FindingKind: TypeAlias = Literal[
    "lost", "ran_twice", "overlapped", "contradicted", "unfounded", "ran_dead", "unreadable"
]
"""What can be wrong with a task:

- `lost`: it was accepted, and nobody was ever told an outcome;
- `ran_twice`: a start that nothing explains;
- `overlapped`: two attempts ran at the same time;
- `contradicted`: clients were told two different outcomes;
- `unfounded`: told succeeded, and no run of it came to its end;
- `ran_dead`: a process ran it after its death;
- `unreadable`: a line of the truth makes no sense, so nothing that follows from it can be trusted.
"""

# A clean log may still be cut in two reads of a second; lines are whole, so nothing near this is honest.
LINE_CHARACTERS_MAX = 4096


class BadTruthLineError(ValueError):
    """A line of the truth file is not what a node writes; keep count of them, they spoil the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthLine:
    """One line of the truth file."""

    task_id: str
    attempt: int
    instance: str
    node: str
    event: Event
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A client was told that its task is accepted. ``attempts_max``: how often its policy lets it be tried."""

    task_id: str
    attempts_max: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A client was told a final outcome: `succeeded`, `failed`, `cancelled`, `expired` or `lost`."""

    task_id: str
    outcome: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """The process of a node was dead at this time: it had been waited for, so nothing of it can come later."""

    node: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known, from three sides."""

    truth: Sequence[TruthLine]
    accepted: Sequence[Accepted]
    told: Sequence[Told]
    deaths: Sequence[Death] = ()
    unreadable_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that must never be, in one sentence. ``task_id`` is empty if it is about no task in particular."""

    kind: FindingKind
    task_id: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the tasks."""

    tasks: int
    outcomes: Mapping[str, int]
    """How many tasks were told each outcome; a contradicted one counts by what was told first."""
    reruns_after_death: tuple[str, ...]
    """Tasks of which a later attempt started because the node of the earlier one had died."""
    retries: int
    """Attempts that started because policy allowed one more."""
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def count(self, *kinds: FindingKind) -> int:
        """Give how many tasks have a finding of these kinds."""
        return len({finding.task_id for finding in self.findings if finding.kind in kinds})


def parse_truth_line(line: str) -> TruthLine:
    """Read one line of the truth file.

    Raises:
        BadTruthLineError: it is not such a line.
    """
    try:
        if len(line) > LINE_CHARACTERS_MAX:
            raise ValueError("it is too long")
        found = json.loads(line)
        event = found["event"]
        if event not in {"start", "end"}:
            raise ValueError(f"event is {event!r}")
        return TruthLine(
            task_id=str(found["task_id"]),
            attempt=int(found["attempt"]),
            instance=str(found["instance"]),
            node=str(found["node"]),
            event=event,
            at=float(found["at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadTruthLineError(f"a line of the truth file makes no sense ({error!r}): {line[:200]!r}") from None


def judge(evidence: Evidence) -> Verdict:
    """Sort every task into well or not, and say why."""
    findings: list[Finding] = []
    if evidence.unreadable_lines:
        findings.append(
            Finding(kind="unreadable", task_id="", sentence=f"{evidence.unreadable_lines} lines cannot be read")
        )
    told = _told_by_task(evidence.told)
    runs = _runs_by_task(evidence.truth, findings)
    attempts_max = {entry.task_id: entry.attempts_max for entry in evidence.accepted}
    findings += _lost(attempts_max, told)
    findings += _contradicted(told)
    findings += _unfounded(told, runs)
    findings += _ran_dead(evidence.truth, evidence.deaths)
    reruns: list[str] = []
    retries = 0
    for task_id, task_runs in runs.items():
        reasons = _explain_starts(
            task_id, task_runs, evidence.deaths, attempts_max.get(task_id, 1), told.get(task_id, []), findings
        )
        if reasons["death"]:
            reruns.append(task_id)
        retries += reasons["policy"]
    return Verdict(
        tasks=len(attempts_max),
        outcomes=dict(Counter(outcomes[0].outcome for task_id, outcomes in told.items() if task_id in attempts_max)),
        reruns_after_death=tuple(reruns),
        retries=retries,
        findings=tuple(findings),
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    """One start, and its end if it came to one."""

    start: TruthLine
    end: TruthLine | None = None

    def __str__(self) -> str:
        return f"attempt {self.start.attempt} on {self.start.node} ({self.start.instance})"


@dataclass(slots=True)
class _OpenRuns:
    """The runs of one task while its lines are read in order."""

    runs: list[_Run] = field(default_factory=list)

    def end(self, line: TruthLine) -> bool:
        """Close the run that this line ends; tell whether there was one."""
        for run in self.runs:
            if run.end is None and (run.start.attempt, run.start.instance) == (line.attempt, line.instance):
                run.end = line
                return True
        return False


def _told_by_task(told: Iterable[Told]) -> dict[str, list[Told]]:
    by_task: dict[str, list[Told]] = defaultdict(list)
    for entry in sorted(told, key=lambda entry: entry.at):
        by_task[entry.task_id].append(entry)
    return dict(by_task)


def _runs_by_task(truth: Iterable[TruthLine], findings: list[Finding]) -> dict[str, list[_Run]]:
    """Pair starts with ends. Lines of one process are in order; those of several are put in order by time."""
    by_task: dict[str, _OpenRuns] = defaultdict(_OpenRuns)
    for line in sorted(truth, key=lambda line: line.at):
        if line.event == "start":
            by_task[line.task_id].runs.append(_Run(start=line))
        elif not by_task[line.task_id].end(line):
            sentence = f"task {line.task_id}: attempt {line.attempt} ended on {line.node} without having started there"
            findings.append(Finding(kind="unreadable", task_id=line.task_id, sentence=sentence))
    return {task_id: opened.runs for task_id, opened in by_task.items()}


def _lost(accepted: Mapping[str, int], told: Mapping[str, object]) -> list[Finding]:
    return [
        Finding(kind="lost", task_id=task_id, sentence=f"task {task_id} was accepted and has no outcome")
        for task_id in accepted
        if task_id not in told
    ]


def _contradicted(told: Mapping[str, Sequence[Told]]) -> list[Finding]:
    findings = []
    for task_id, entries in told.items():
        outcomes = list(dict.fromkeys(entry.outcome for entry in entries))
        if len(outcomes) > 1:
            sentence = f"task {task_id} was told to have {' and then to have '.join(outcomes)}"
            findings.append(Finding(kind="contradicted", task_id=task_id, sentence=sentence))
    return findings


def _unfounded(told: Mapping[str, Sequence[Told]], runs: Mapping[str, Sequence[_Run]]) -> list[Finding]:
    return [
        Finding(kind="unfounded", task_id=task_id, sentence=f"task {task_id} was told succeeded; no run of it ended")
        for task_id, entries in told.items()
        if entries[0].outcome == "succeeded" and not any(run.end for run in runs.get(task_id, ()))
    ]


def _ran_dead(truth: Iterable[TruthLine], deaths: Iterable[Death]) -> list[Finding]:
    """Find lines of a process that had been seen before its death and is seen again after it."""
    lines_by_node: dict[str, list[TruthLine]] = defaultdict(list)
    for line in truth:
        lines_by_node[line.node].append(line)
    findings = []
    for death in deaths:
        lines = lines_by_node[death.node]
        dead = {line.instance for line in lines if line.at <= death.at}
        for line in lines:
            if line.at > death.at and line.instance in dead:
                sentence = (
                    f"task {line.task_id}: {line.event} of attempt {line.attempt} by {line.instance} of {line.node}, "
                    f"{line.at - death.at:.3f} s after its death"
                )
                findings.append(Finding(kind="ran_dead", task_id=line.task_id, sentence=sentence))
    return findings


def _explain_starts(
    task_id: str,
    runs: Sequence[_Run],
    deaths: Sequence[Death],
    attempts_max: int,
    told: Sequence[Told],
    findings: list[Finding],
) -> Counter[str]:
    """Find a reason for each start after the first: `death` or `policy`; what has none becomes a finding."""
    reasons: Counter[str] = Counter()
    for earlier, later in pairwise(runs):
        if earlier.end is not None and earlier.end.at > later.start.at:
            sentence = f"task {task_id}: {earlier} had not ended when {later} started"
            findings.append(Finding(kind="overlapped", task_id=task_id, sentence=sentence))
        reason = _reason(earlier, later, deaths, policy_allows=reasons["policy"] + 1 < attempts_max)
        if reason is None:
            sentence = f"task {task_id}: nothing explains why {later} started after {earlier}"
            findings.append(Finding(kind="ran_twice", task_id=task_id, sentence=sentence))
        else:
            reasons[reason] += 1
    if told and runs and runs[-1].start.at > told[0].at:
        sentence = f"task {task_id}: {runs[-1]} started after its outcome ({told[0].outcome}) had been told"
        findings.append(Finding(kind="ran_twice", task_id=task_id, sentence=sentence))
    return reasons


def _reason(
    earlier: _Run, later: _Run, deaths: Sequence[Death], *, policy_allows: bool
) -> Literal["death", "policy"] | None:
    if later.start.attempt <= earlier.start.attempt:
        return None
    for death in deaths:
        if death.node == earlier.start.node and earlier.start.at <= death.at <= later.start.at:
            return "death"
    return "policy" if policy_allows and earlier.end is not None else None
