"""What the API shows of the past: charts as columns, spans of a node, errors, attempts, the audit log."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from hub.decisions.meter import Histogram
from hub.decisions.samples import Sample
from hub.events.objects import ErrorObject, error_object
from hub.store.history import AttemptView, AuditPage, ErrorGroup, NodeSpan


class HistoryAnswer(Struct, frozen=True, kw_only=True):
    """Samples as columns of the same length, oldest first. ``at`` is the end of each step of ``step_s`` seconds.

    ``submitted`` … ``lost`` count what happened in the step; the others say how things stood at its end, or in steps of
    300 s on average (``oldest_queued_s``: at most). ``wait_…`` and ``run_…`` are null where nothing was measured. A
    step in which no hub ran is left out.
    """

    step_s: int
    at: list[float]
    queued: list[float]
    running: list[float]
    scheduled: list[float]
    submitted: list[int]
    succeeded: list[int]
    failed: list[int]
    cancelled: list[int]
    expired: list[int]
    lost: list[int]
    oldest_queued_s: list[float]
    wait_p50_s: list[float | None]
    wait_p95_s: list[float | None]
    run_p50_s: list[float | None]
    run_p95_s: list[float | None]
    nodes_online: list[float]
    nodes_away: list[float]


def history_answer(step_s: int, samples: Sequence[Sample]) -> HistoryAnswer:
    """Show samples as columns."""
    waits = [_histogram(sample.waits) for sample in samples]
    runs = [_histogram(sample.runs) for sample in samples]
    return HistoryAnswer(
        step_s=step_s,
        at=[sample.at for sample in samples],
        queued=[sample.queued for sample in samples],
        running=[sample.running for sample in samples],
        scheduled=[sample.scheduled for sample in samples],
        submitted=[sample.submitted for sample in samples],
        succeeded=[sample.succeeded for sample in samples],
        failed=[sample.failed for sample in samples],
        cancelled=[sample.cancelled for sample in samples],
        expired=[sample.expired for sample in samples],
        lost=[sample.lost for sample in samples],
        oldest_queued_s=[sample.oldest_queued_s for sample in samples],
        wait_p50_s=[_quantile(histogram, 0.5) for histogram in waits],
        wait_p95_s=[_quantile(histogram, 0.95) for histogram in waits],
        run_p50_s=[_quantile(histogram, 0.5) for histogram in runs],
        run_p95_s=[_quantile(histogram, 0.95) for histogram in runs],
        nodes_online=[sample.nodes_online for sample in samples],
        nodes_away=[sample.nodes_away for sample in samples],
    )


def _histogram(buckets: Sequence[int]) -> Histogram:
    histogram = Histogram()
    if buckets:
        histogram.buckets = list(buckets)
        histogram.count = sum(buckets)
    return histogram


def _quantile(histogram: Histogram, share: float) -> float | None:
    seconds = histogram.quantile(share)
    # Buckets say no more than three digits, and charts are downloaded.
    return None if seconds is None else float(f"{seconds:.3g}")


class SpanObject(Struct, frozen=True, kw_only=True):
    """A time in which a node's state was the same. ``ended_at`` null: it still is. ``reason``: why it left."""

    began_at: float
    ended_at: float | None
    state: str
    reason: str


class NodeHistoryAnswer(Struct, frozen=True, kw_only=True):
    """The states of a node between ``since`` and ``until``, oldest first. The first span may have begun earlier."""

    node_id: str
    since: float
    until: float
    spans: list[SpanObject]


def node_history_answer(node_id: str, since: float, until: float, spans: Sequence[NodeSpan]) -> NodeHistoryAnswer:
    """Show the spans of a node."""
    shown = [
        SpanObject(began_at=span.began_at, ended_at=span.ended_at, state=span.state, reason=span.reason)
        for span in spans
    ]
    return NodeHistoryAnswer(node_id=node_id, since=since, until=until, spans=shown)


class ErrorGroupObject(Struct, frozen=True, kw_only=True):
    """Attempts that ended alike: same task name, kind and type of error, same place. ``message`` is that of the first
    one with `#` for numbers and ids; ``place`` is `file:line in function`, empty where no traceback is known.
    """

    id: str
    name: str
    kind: str
    type: str
    message: str
    place: str
    count: int
    first_at: float
    last_at: float
    last_task_id: str


class ErrorsAnswer(Struct, frozen=True, kw_only=True):
    """Groups of errors, last seen first."""

    groups: list[ErrorGroupObject]


def errors_answer(groups: Sequence[ErrorGroup]) -> ErrorsAnswer:
    """Show groups of errors."""
    return ErrorsAnswer(groups=[msgspec.convert(group, ErrorGroupObject, from_attributes=True) for group in groups])


class AttemptObject(Struct, frozen=True, kw_only=True):
    """One attempt of a task. ``outcome`` null: it runs; `returned`: its node left before it had begun. ``run_s``: as
    the node measured it. A long traceback is cut; all of it stands in the task's own error.
    """

    attempt: int
    node: str
    started_at: float | None
    ended_at: float | None
    outcome: str | None
    run_s: float | None
    error: ErrorObject | None


class AttemptsAnswer(Struct, frozen=True, kw_only=True):
    """The attempts of a task, oldest first; of those that did not succeed the last fifty."""

    attempts: list[AttemptObject]


def attempts_answer(attempts: Sequence[AttemptView]) -> AttemptsAnswer:
    """Show the attempts of a task."""
    shown = [
        AttemptObject(
            attempt=attempt.attempt,
            node=attempt.node,
            started_at=attempt.started_at,
            ended_at=attempt.ended_at,
            outcome=attempt.outcome,
            run_s=attempt.run_s,
            error=None if attempt.error is None else error_object(attempt.error),
        )
        for attempt in attempts
    ]
    return AttemptsAnswer(attempts=shown)


class AuditEntryObject(Struct, frozen=True, kw_only=True):
    """One line of the audit log: it was about to be done. ``who``: a token's name and id, or `local` where no token is
    needed, or `command line`.
    """

    id: int
    at: float
    who: str
    role: str
    address: str
    action: str
    target: str
    detail: str


class AuditAnswer(Struct, frozen=True, kw_only=True):
    """Lines of the audit log, newest first. ``cursor`` is null after the last page."""

    entries: list[AuditEntryObject]
    cursor: str | None


def audit_answer(page: AuditPage) -> AuditAnswer:
    """Show a page of the audit log."""
    entries = [
        AuditEntryObject(
            id=entry.id,
            at=entry.at,
            who=entry.deed.who,
            role=entry.deed.role,
            address=entry.deed.address,
            action=entry.deed.action,
            target=entry.deed.target,
            detail=entry.deed.detail,
        )
        for entry in page.entries
    ]
    return AuditAnswer(entries=entries, cursor=None if page.cursor is None else str(page.cursor))
