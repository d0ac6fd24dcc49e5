"""Samples: kept by step, rolled up where a longer step is over, removed by age."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from hub.decisions.samples import ROLLED_STEP_S, STEP_S, Sample, rolled
from hub.store.history import NoteSample
from hub.store.sqlite import bulk
from hub.store.sqlite.transaction import Transaction

# Of each step as many as its charts show: 720 and 8,640 samples, some 3 MB in all.
KEPT_S: Final = {STEP_S: 2 * 3600.0, ROLLED_STEP_S: 30 * 24 * 3600.0}

# Samples that one operation removes: after an absence there are many, and the next operation takes more.
REMOVED_MAX: Final = 1000

_encode = msgspec.json.Encoder().encode
_samples = msgspec.json.Decoder(list[Sample])


def note(tx: Transaction, operation: NoteSample) -> None:
    """Keep a sample, and roll those whose longer step is over with it."""
    sample = operation.sample
    _put(tx, [sample])
    newest = "SELECT MAX(at) FROM samples WHERE step_s = ? AND at <= ?"
    (since,) = tx.connection.execute(newest, (ROLLED_STEP_S, sample.at)).fetchone()
    # Mostly one or two samples wait here: only each thirtieth ends a longer step.
    waiting = between(tx.connection, STEP_S, -1.0 if since is None else since, sample.at)
    _put(tx, rolled(waiting, sample.at))
    for step_s, kept_s in KEPT_S.items():
        tx.connection.execute(
            "DELETE FROM samples WHERE (step_s, at) IN"
            " (SELECT step_s, at FROM samples WHERE step_s = ? AND kept_from < ? LIMIT ?)",
            (step_s, tx.now.steady_s - kept_s, REMOVED_MAX),
        )


def between(connection: sqlite3.Connection, step_s: int, after: float, until: float) -> list[Sample]:
    """Give samples whose steps ended after ``after`` and not after ``until``, oldest first."""
    rest = "FROM (SELECT body FROM samples WHERE step_s = ? AND at > ? AND at <= ? ORDER BY at)"
    text: str = connection.execute(
        f"SELECT json_group_array(json(body)) {rest}",
        (step_s, after, until),
    ).fetchone()[0]
    return _samples.decode(text)


def _put(tx: Transaction, samples: Sequence[Sample]) -> None:
    """Write samples; a clock that was set back comes to the same step twice."""
    values = [(sample.step_s, sample.at, tx.now.steady_s, _encode(sample).decode()) for sample in samples]
    suffix = "ON CONFLICT (step_s, at) DO UPDATE SET kept_from = excluded.kept_from, body = excluded.body"
    bulk.insert(tx.connection, "samples", "step_s, at, kept_from, body", values, suffix)
