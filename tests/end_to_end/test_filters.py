"""Filters, pages, the map and changes of many, as a client meets them on a hub with nodes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moorline import Client, InvalidTaskError
from moorline.views import Bulk, NodeCell
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet

HELD = 3


async def test_what_a_filter_chooses_is_listed_counted_and_changed(fleet: Fleet, tmp_path: Path) -> None:
    fleet.hub.start()
    fleet.add_node("n1", slots=HELD)
    gate = tmp_path / "gate"
    async with Client(fleet.hub.url) as client:
        done = await client.submit_many(app.noop, range(5))
        await asyncio.gather(*(handle.result(PATIENCE_S) for handle in done))
        held = await client.submit_many(app.hold, [str(gate)] * (HELD + 4))
        await _until_nodes(client, f"used={HELD}", 1)

        waiting = [view.id async for view in client.list(filter="name~HOLD state=queued wait<1h")]
        assert len(waiting) == 4
        assert (await client.task_page("state=succeeded run>=0s", limit=2)).cursor is not None
        assert await client.bulk("cancel", "name~hold", count_only=True) == Bulk(matched=HELD + 4)
        assert await client.bulk("cancel", "name~hold state=queued") == Bulk(matched=4, changed=4)
        assert {view.id async for view in client.list(filter="state=cancelled")} == set(waiting)

        again = await client.bulk("retry", "state=cancelled", limit=3)
        assert (again.matched, again.changed, again.more) == (3, 3, True)
        assert await client.bulk("retry", "state=cancelled", cursor=again.cursor) == Bulk(matched=1, changed=1)
        gate.write_text("open")
        outcomes = [client.handle(handle.id).result(PATIENCE_S) for handle in held]
        assert await asyncio.gather(*outcomes) == ["open"] * (HELD + 4)


async def test_nodes_are_chosen_by_what_their_sessions_say(fleet: Fleet) -> None:
    fleet.hub.start()
    for node_id in ("n1", "n2"):
        fleet.add_node(node_id, slots=HELD)
    async with Client(fleet.hub.url) as client:
        await _until_nodes(client, "state=online outbox=0", 2)
        first = await client.node_page("free>0 state=online handler~noop", sort="-slots", limit=1)
        assert (len(first.nodes), first.total) == (1, 2)
        rest = await client.node_page("free>0 state=online handler~noop", sort="-slots", limit=1, cursor=first.cursor)
        assert [node.id for node in (*first.nodes, *rest.nodes)] == ["n1", "n2"]
        assert await client.slot_map() == [NodeCell(node_id, "online", HELD, 0, False) for node_id in ("n1", "n2")]
        assert await client.nodes("outbox>0") == []
        with pytest.raises(InvalidTaskError, match="did you mean outbox"):
            await client.nodes("outbx>0")


async def _until_nodes(client: Client, text: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while len(await client.nodes(text)) != count:
            await asyncio.sleep(0.02)
