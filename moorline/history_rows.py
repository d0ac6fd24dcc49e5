"""Views of the past as rows for people. Pure: handed the time, gives cells."""

from __future__ import annotations

from typing import Final

from moorline.history_views import Attempt, AuditEntry, ErrorGroup
from moorline.presentation import Cell, Column, coloured
from moorline.words import ago, duration, moment

ATTEMPT_COLUMNS: Final = (
    Column(title="ATTEMPT", is_right=True),
    Column(title="NODE"),
    Column(title="OUTCOME"),
    Column(title="STARTED", rank=1),
    Column(title="TOOK", rank=2, is_right=True),
    Column(title="ERROR", rank=3, is_flexible=True),
)

ERROR_COLUMNS: Final = (
    Column(title="COUNT", is_right=True),
    Column(title="LAST", is_right=True),
    Column(title="FIRST", rank=3, is_right=True),
    Column(title="TASK"),
    Column(title="ERROR", is_flexible=True),
    Column(title="PLACE", rank=1, is_flexible=True),
    Column(title="GROUP", rank=2),
)

AUDIT_COLUMNS: Final = (
    Column(title="WHEN"),
    Column(title="WHO"),
    Column(title="ROLE", rank=2),
    Column(title="FROM", rank=3),
    Column(title="ACTION"),
    Column(title="TARGET", is_flexible=True),
    Column(title="DETAIL", rank=1, is_flexible=True),
)


def attempt_row(attempt: Attempt, now_s: float) -> list[Cell]:
    """Give the cells of `ATTEMPT_COLUMNS`."""
    error = attempt.error
    return [
        str(attempt.attempt),
        attempt.node,
        coloured(attempt.outcome or "running"),
        moment(attempt.started_at),
        duration(_took(attempt, now_s)),
        "" if error is None else _said(error.type or error.kind, error.message),
    ]


def _took(attempt: Attempt, now_s: float) -> float | None:
    """Give how long it ran as its node said; else how long it was the task's attempt."""
    if attempt.run_s is not None:
        return attempt.run_s
    if attempt.started_at is None:
        return None
    return max(0.0, (now_s if attempt.ended_at is None else attempt.ended_at) - attempt.started_at)


def error_row(group: ErrorGroup, now_s: float) -> list[Cell]:
    """Give the cells of `ERROR_COLUMNS`."""
    return [
        str(group.count),
        ago(group.last_at, now_s),
        ago(group.first_at, now_s),
        group.name,
        _said(group.type or group.kind, group.message),
        group.place,
        group.id,
    ]


def audit_row(entry: AuditEntry) -> list[Cell]:
    """Give the cells of `AUDIT_COLUMNS`."""
    return [moment(entry.at), entry.who, entry.role, entry.address, entry.action, entry.target, entry.detail]


def _said(kind: str, message: str) -> str:
    return ": ".join(filter(None, (kind, message)))
