"""Hold every run of every handler against what was broken, and against what clients were told.

The ground truth is the file to which nodes append a line at the start and at the end of each run. What clients were
told they wrote down themselves; what was broken, whoever broke it. The hub is asked for one thing only: since when it
has heard of a node again after a fault. All times are wall-clock seconds of one machine.

What is allowed (docs/explanation/guarantees.md):

- an attempt starts at most once;
- a later attempt starts only if the process that ran the earlier one was killed, if node and hub could not hear each
  other for the lease, or if the earlier one failed and the task's policy says retry; of the first two, neither with
  ``on_lost="fail"``;
- two attempts do not overlap, but for one whose process stood still: it cannot stop before it goes on;
- nothing starts after its outcome was told, but for a cancelled one that was on its way to its node.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from dashboards.installation.clients import Submitted, Told
from dashboards.installation.faults import DEADLY
from dashboards.installation.outages import Outage, Silence, frozen_times, silences
from dashboards.installation.truth import Run, TruthLine, runs_by_task

FindingKind: TypeAlias = Literal["lost", "ran_twice", "unexplained", "wrong_outcome", "unreadable"]
"""What can be wrong:

- `lost`: accepted, and nobody was ever told an outcome; or told succeeded, and no run of it came to its end;
- `ran_twice`: an attempt that started twice, two that ran at once, a run after the outcome, or a process that goes on
  after its death;
- `unexplained`: a later attempt for which there is no reason;
- `wrong_outcome`: two different outcomes, or one that nothing gave rise to;
- `unreadable`: a line of the truth makes no sense, so nothing that follows from it can be trusted.
"""

# The node counts its lease from when it *sent* the last heartbeat that was answered: up to an interval (1 s here) and
# the latency of the link before the silence begins.
EARLIER_S: Final = 2.0
# A process that goes on after it stood still stops what it ran; its handlers look every 50 ms, on a busy machine.
STOPS_WITHIN_S: Final = 5.0
# An end is written to the outbox, and from there it outlives the death of its node. A disk may be slow.
STORED_WITHIN_S: Final = 5.0
# A push that was on its way when its task was cancelled: the latency of the slowest link, and a busy machine.
ON_ITS_WAY_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known. ``truth`` is None where there is no truth file: then only outcomes are judged."""

    submitted: Sequence[Submitted]
    told: Sequence[Told]
    truth: Sequence[TruthLine] | None
    outages: Sequence[Outage] = ()
    lease_s: float
    now_at: float
    unreadable_lines: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that must never be, in one sentence."""

    kind: FindingKind
    task_id: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What became of the tasks."""

    accepted: int
    outcomes: Mapping[str, int]
    reruns: Mapping[str, int]
    """Later attempts by reason: `handler_failed`, or the kind of fault that took the earlier one."""
    findings: tuple[Finding, ...]

    def count(self, *kinds: FindingKind) -> int:
        """Give how many tasks have a finding of these kinds."""
        return len({finding.task_id for finding in self.findings if finding.kind in kinds})


def judge(evidence: Evidence) -> Judgement:
    """Sort every run into explained or not."""
    return _Court(evidence).judge()


@dataclass(slots=True)
class _Court:
    """One sitting."""

    evidence: Evidence
    findings: list[Finding] = field(default_factory=list)
    reruns: Counter[str] = field(default_factory=Counter)
    silences: Mapping[str, Sequence[Silence]] = field(init=False)
    frozen: Mapping[str, Sequence[tuple[float, float]]] = field(init=False)
    deaths: Mapping[str, Sequence[float]] = field(init=False)

    def __post_init__(self) -> None:
        evidence = self.evidence
        self.silences = silences(evidence.outages, evidence.now_at)
        self.frozen = frozen_times(evidence.outages, evidence.now_at)
        deaths: dict[str, list[float]] = defaultdict(list)
        for outage in evidence.outages:
            if outage.kind in DEADLY and outage.dead_at is not None:
                deaths[outage.node].append(outage.dead_at)
        self.deaths = deaths

    def judge(self) -> Judgement:
        evidence = self.evidence
        submitted = {task.task_id: task for task in evidence.submitted}
        told: dict[str, list[Told]] = defaultdict(list)
        for entry in sorted(evidence.told, key=lambda entry: entry.at):
            told[entry.task_id].append(entry)
        for task in submitted.values():
            self._look_at_outcome(task, told.get(task.task_id, []))
        if evidence.truth is not None:
            self._look_at_runs(evidence.truth, submitted, told)
        return Judgement(
            accepted=len(submitted),
            outcomes=dict(Counter(entries[0].outcome for entries in told.values())),
            reruns=dict(self.reruns),
            findings=tuple(self.findings),
        )

    def _find(self, kind: FindingKind, task_id: str, text: str) -> None:
        self.findings.append(Finding(kind=kind, task_id=task_id, sentence=f"task {task_id}: {text}"))

    # --- outcomes -----------------------------------------------------------------------------------------------------

    def _look_at_outcome(self, task: Submitted, told: Sequence[Told]) -> None:
        if not told:
            self._find("lost", task.task_id, "it was accepted and has no outcome")
            return
        outcomes = list(dict.fromkeys(entry.outcome for entry in told))
        if len(outcomes) > 1:
            self._find("wrong_outcome", task.task_id, f"it was told to have {' and then to have '.join(outcomes)}")
        if not self._is_founded(task, told[0]):
            self._find("wrong_outcome", task.task_id, f"it was told {told[0].outcome}, and nothing gave rise to it")

    def _is_founded(self, task: Submitted, told: Told) -> bool:
        match told.outcome:
            case "succeeded":
                return task.fails_for_good is not True
            case "failed":
                return task.fails_for_good is not False
            case "cancelled":
                return task.cancelled_at is not None
            case "lost":
                return not task.may_run_again and self._was_anybody_gone(task.at, told.at)
            case _:
                return False

    def _was_anybody_gone(self, from_at: float, until_at: float) -> bool:
        """Tell whether any node's attempts may have been freed in this time."""
        if any(from_at <= at <= until_at for times in self.deaths.values() for at in times):
            return True
        return any(
            self._is_long(silence) and silence.began_at <= until_at and silence.until_at >= from_at
            for of_node in self.silences.values()
            for silence in of_node
        )

    def _is_long(self, silence: Silence) -> bool:
        return silence.seconds + EARLIER_S >= self.evidence.lease_s

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _look_at_runs(
        self, truth: Sequence[TruthLine], submitted: Mapping[str, Submitted], told: Mapping[str, Sequence[Told]]
    ) -> None:
        if self.evidence.unreadable_lines:
            sentence = f"{self.evidence.unreadable_lines} lines of the truth cannot be read"
            self.findings.append(Finding(kind="unreadable", task_id="", sentence=sentence))
        runs, homeless = runs_by_task(truth)
        for line in homeless:
            self._find("unreadable", line.task_id, f"attempt {line.attempt} ended on {line.node} without a start")
        for task_id, entries in told.items():
            if entries[0].outcome == "succeeded" and not any(run.end for run in runs.get(task_id, ())):
                self._find("lost", task_id, "it was told succeeded, and no run of it ended")
        for task_id, of_task in runs.items():
            self._look_at_starts(of_task, submitted.get(task_id), told.get(task_id, []))
        self._look_for_the_dead(truth)

    def _look_at_starts(self, runs: Sequence[Run], task: Submitted | None, told: Sequence[Told]) -> None:
        task_id = runs[0].start.task_id
        for earlier, later in pairwise(runs):
            if later.start.attempt <= earlier.start.attempt:
                self._find("ran_twice", task_id, f"{later} started after {earlier}")
                continue
            reason = self._reason(earlier, later, task)
            if reason is None:
                self._find("unexplained", task_id, f"nothing explains why {later} started after {earlier}")
                continue
            self.reruns[reason] += 1
            if reason != "handler_failed" and task is not None and not task.may_run_again:
                self._find("unexplained", task_id, f"{later} started after {earlier}, and it says on_lost=fail")
            if self._do_overlap(earlier, later):
                self._find("ran_twice", task_id, f"{earlier} had not ended when {later} started")
        if told and runs[-1].start.at > told[0].at and not self._was_on_its_way(runs[-1], told[0]):
            self._find("ran_twice", task_id, f"{runs[-1]} started after its outcome ({told[0].outcome}) was told")

    def _reason(self, earlier: Run, later: Run, task: Submitted | None) -> str | None:
        """Give why a later attempt was right to start, or None."""
        node, start_at = earlier.start.node, earlier.start.at
        # A retry is due to whoever failed, whatever became of its node afterwards.
        failed = earlier.end is not None and task is not None and earlier.start.attempt <= task.fails_until
        if failed and earlier.end is not None and earlier.end.at <= later.start.at:
            return "handler_failed"
        # An earlier end is safe in the outbox soon: a death long after it took nothing away.
        safe_at = float("inf") if earlier.end is None else earlier.end.at + STORED_WITHIN_S
        if any(start_at <= at <= min(later.start.at, safe_at) for at in self.deaths.get(node, ())):
            return "node_killed"
        for silence in self.silences.get(node, ()):
            runs_out_at = silence.began_at - EARLIER_S + self.evidence.lease_s
            if self._is_long(silence) and start_at <= silence.until_at and later.start.at >= runs_out_at:
                return silence.kind
        return None

    def _do_overlap(self, earlier: Run, later: Run) -> bool:
        node, at = earlier.start.node, later.start.at
        if earlier.end is not None and earlier.end.at <= at:
            return False
        if any(earlier.start.at <= death_at <= at for death_at in self.deaths.get(node, ())):
            return False
        for began_at, ended_at in self.frozen.get(node, ()):
            if began_at <= at <= ended_at:
                stopped_at = ended_at if earlier.end is None else earlier.end.at
                # What has no end at all died, frozen or just after.
                return stopped_at > ended_at + STOPS_WITHIN_S
        return True

    def _was_on_its_way(self, run: Run, told: Told) -> bool:
        """Tell whether a push may have left before its task was cancelled: a cancel is final at once."""
        if told.outcome != "cancelled":
            return False
        if run.start.at <= told.at + ON_ITS_WAY_S:
            return True
        return any(
            silence.began_at <= told.at + ON_ITS_WAY_S and run.start.at <= silence.until_at + ON_ITS_WAY_S
            for silence in self.silences.get(run.start.node, ())
        )

    def _look_for_the_dead(self, truth: Sequence[TruthLine]) -> None:
        """Find lines of a process that had been seen before its death and is seen again after it."""
        by_node: dict[str, list[TruthLine]] = defaultdict(list)
        for line in truth:
            by_node[line.node].append(line)
        for node, deaths in self.deaths.items():
            for dead_at in deaths:
                dead = {line.instance for line in by_node[node] if line.at <= dead_at}
                for line in by_node[node]:
                    if line.at > dead_at and line.instance in dead:
                        text = f"{line.event} of attempt {line.attempt} by {line.instance} of {node}, "
                        text += f"{line.at - dead_at:.3f} s after its death"
                        self._find("ran_twice", line.task_id, text)
