"""Nodes that are gone: the newest are kept. Where each node is a machine of an hour, others would pile up for ever."""

from __future__ import annotations

from typing import Final

import msgspec

from hub.decisions.sessions import REMEMBERED_S
from hub.store.sqlite import bulk
from hub.store.sqlite.transaction import Transaction

# As many as may be connected at once: a fleet that was replaced as a whole is still known, and every look at all nodes
# stays a matter of milliseconds.
KEPT_MAX: Final = 10_000

_ids = msgspec.json.Decoder(list[tuple[str]])


def forget(tx: Transaction, batch: int) -> int:
    """Forget nodes beyond the count, those first that went first, and last those that are cordoned or draining.

    One that may still run something, or resume its session, is kept. What they have counted is added to that of all
    that were forgotten. Gives how many.
    """
    connection = tx.connection
    beyond = connection.execute("SELECT COUNT(*) FROM nodes WHERE state = 'gone'").fetchone()[0] - KEPT_MAX
    if beyond <= 0:
        return 0
    rest = (
        "FROM (SELECT id FROM nodes WHERE state = 'gone' AND unreachable_since < ?"
        " AND NOT EXISTS (SELECT 1 FROM tasks WHERE held = 1 AND node_id = nodes.id)"
        " ORDER BY (cordoned OR draining), unreachable_since LIMIT ?)"
    )
    values = (tx.now.steady_s - REMEMBERED_S, min(beyond, batch))
    ids = [node_id for (node_id,) in bulk.read(connection, _ids, "id", rest, values)]
    if not ids:
        return 0
    # What this transaction has counted for them is to be among it, and spans that it began are to go with the others.
    tx.flush()
    connection.execute(
        "UPDATE departed SET (succeeded, failed, cancelled, lost, run_s) = (SELECT departed.succeeded +"
        " SUM(nodes.succeeded), departed.failed + SUM(nodes.failed), departed.cancelled + SUM(nodes.cancelled),"
        " departed.lost + SUM(nodes.lost), departed.run_s + TOTAL(nodes.run_s)"
        " FROM nodes WHERE id IN (SELECT value FROM json_each(?)))",
        (bulk.among(ids),),
    )
    bulk.delete(connection, "node_spans", "node_id", ids)
    bulk.delete(connection, "nodes", "id", ids)
    return len(ids)
