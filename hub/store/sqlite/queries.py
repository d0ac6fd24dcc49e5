"""Questions about counts and events, on a connection that cannot write."""

from __future__ import annotations

import sqlite3

import msgspec

from hub.decisions.samples import STEP_S
from hub.store.events import Event, EventPage
from hub.store.sqlite import codes, event_texts
from hub.store.stats import StoreStats

# --- counts ----------------------------------------------------------------------------------------------------------


def stats(connection: sqlite3.Connection) -> StoreStats:
    """Count: tasks by the ledger, nodes by looking at them."""
    last_event_id, counts = connection.execute("SELECT last_event_id, counts FROM ledger").fetchone()
    nodes = dict.fromkeys(("online", "draining", "unreachable", "gone"), 0)
    nodes.update(connection.execute("SELECT state, COUNT(*) FROM nodes GROUP BY state").fetchall())
    sums = connection.execute(
        "SELECT TOTAL(succeeded), TOTAL(failed), TOTAL(cancelled), TOTAL(lost), TOTAL(run_s) FROM"
        " (SELECT succeeded, failed, cancelled, lost, run_s FROM nodes UNION ALL"
        " SELECT succeeded, failed, cancelled, lost, run_s FROM departed)"
    ).fetchone()
    return StoreStats(
        tasks=codes.by_state(msgspec.json.decode(counts)),
        nodes=nodes,
        totals=dict(zip(("succeeded", "failed", "cancelled", "lost", "run_s"), sums, strict=True)),
        last_event_id=last_event_id,
        oldest_queued_at=_oldest_queued_at(connection),
    )


def _oldest_queued_at(connection: sqlite3.Connection) -> float | None:
    """Give when the task that has been queued longest was submitted; parked ones count too."""
    row = connection.execute(
        "SELECT MIN(submitted_at) FROM tasks WHERE seq IN ("
        "(SELECT MIN(seq) FROM tasks WHERE state = 1 AND state NOT IN (2, 3)),"
        "(SELECT MIN(seq) FROM tasks WHERE state = 8 AND state NOT IN (2, 3)))"
    ).fetchone()
    return None if row is None else row[0]


def last_steady_s(connection: sqlite3.Connection) -> float:
    """Give the newest time of the steady clock that is stored: of the last events, or of the last sample."""
    found = connection.execute(
        "SELECT (SELECT at FROM event_batches ORDER BY first_id DESC LIMIT 1),"
        " (SELECT MAX(kept_from) FROM samples WHERE step_s = ?)",
        (STEP_S,),
    ).fetchone()
    return max((float(at_s) for at_s in found if at_s is not None), default=0.0)


# --- events ----------------------------------------------------------------------------------------------------------


def events(connection: sqlite3.Connection, after_id: int, limit: int) -> EventPage:
    """Give events behind an id, in order."""
    last_id = int(connection.execute("SELECT last_event_id FROM ledger").fetchone()[0])
    oldest = connection.execute("SELECT MIN(first_id) FROM event_batches").fetchone()[0]
    missed = after_id < last_id and (oldest is None or oldest > after_id + 1)
    found: list[Event] = []
    statement = (
        "SELECT first_id, body FROM event_batches WHERE first_id >="
        " IFNULL((SELECT MAX(first_id) FROM event_batches WHERE first_id <= ? + 1), 0) AND first_id + count > ? + 1"
        " ORDER BY first_id"
    )
    for _, body in connection.execute(statement, (after_id, after_id)):
        found += [event for event in event_texts.unpacked(body) if event.id > after_id]
        if len(found) >= limit:
            break
    return EventPage(events=found[:limit], last_id=last_id, missed=missed)
