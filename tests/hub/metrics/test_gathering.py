"""What a scrape shows of a real hub: with sockets, a store and a loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
import trustme

from hub.metrics.exposition import text_of
from protocol import frames
from protocol.frames import Result
from tests.hub.metrics.readings import samples
from tests.hub.running import Running, hear, register, say, until


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Running]:
    hub = Running(tmp_path)
    await hub.service.start()
    yield hub
    await hub.service.stop()


async def scrape(hub: Running) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    async with aiohttp.ClientSession() as http, http.get(f"{hub.url}/metrics") as answer:
        assert answer.status == 200
        return samples(await answer.read())


async def test_a_scrape_shows_what_became_of_nodes_and_tasks(hub: Running) -> None:
    first = await register(hub)
    await first.close()

    async def is_away() -> bool:
        return (await hub.call("GET", "/v1/nodes/n"))[1]["state"] == "unreachable"

    await until(is_away)
    second = await register(hub)
    await hub.call("POST", "/v1/tasks", json={"name": "work"})
    task = await hear(second, frames.Task)
    await say(second, Result(task_id=task.task_id, attempt=1, outcome="succeeded", run_s=0.3))
    await say(second, Result(task_id="unheard-of", attempt=1, outcome="succeeded"))
    await hear(second, frames.Ack)

    async def both_are_settled() -> bool:
        return (await hub.call("GET", f"/v1/tasks/{task.task_id}"))[1]["state"] == "succeeded"

    async def has_ticked() -> bool:
        return hub.service.instruments.loop_lags.count > 0

    await until(both_are_settled)
    await until(has_ticked)
    values = await scrape(hub)
    for name, labels, value in (
        ("registrations_total", {"kind": "registered"}, 2),
        ("disconnects_total", {"reason": "closed_by_node"}, 1),
        ("reconnect_seconds_count", {}, 1),
        ("sessions", {}, 1),
        ("node_connections", {}, 1),
        ("slots", {}, 4),
        ("slots_in_use", {}, 0),
        ("tasks", {"state": "succeeded"}, 1),
        ("tasks_submitted_total", {}, 1),
        ("task_moves_total", {"state": "running"}, 1),
        ("task_wait_seconds_count", {"name": "work"}, 1),
        ("task_run_seconds_sum", {"name": "work"}, 0.3),
        ("results_total", {"verdict": "committed"}, 1),
        ("hub_ready", {}, 1),
        ("store_up", {}, 1),
    ):
        assert values[f"moorline_{name}", tuple(sorted(labels.items()))] == value, name
    for name in (
        *("store_commit_seconds_count", "store_commit_rows_sum", "store_operations_total", "database_bytes"),
        *("event_loop_lag_seconds_count", "node_messages_total"),
    ):
        assert sum(value for (found, _), value in values.items() if found == f"moorline_{name}") > 0, name


async def test_a_store_that_fails_shows_as_degraded(hub: Running) -> None:
    hub.stores[0].fails = True

    async def is_degraded() -> bool:
        return bool((await hub.call("GET", "/readyz"))[0] == 503)

    await until(is_degraded)
    values = await scrape(hub)
    assert (values["moorline_hub_degraded", ()], values["moorline_hub_ready", ()]) == (1, 0)
    assert values["moorline_store_commit_failures_total", ()] >= 1
    hub.stores[0].fails = False


async def test_refused_handshakes_are_counted_by_their_reason(tmp_path: Path) -> None:
    hub = Running(tmp_path / "full", connections_max=1)
    await hub.service.start()
    try:
        await register(hub)
        with pytest.raises(Exception, match="503"):
            await hub.node()
        values = await scrape(hub)
        assert values["moorline_handshakes_refused_total", (("reason", "connections"),)] == 1
        assert values["moorline_handshakes_refused_total", (("reason", "admission"),)] == 0
    finally:
        await hub.service.stop()


async def test_a_hub_that_stops_listens_no_more(hub: Running) -> None:
    assert hub.service.health().listening
    await hub.service.stop()
    assert not hub.service.health().listening
    assert not hub.service.health().writes


async def test_a_hub_with_tls_shows_when_its_certificate_runs_out(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", not_after=datetime(2100, 1, 1, tzinfo=UTC))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    hub = Running(tmp_path / "tls", tls_cert=chain, tls_key=key)
    await hub.service.start()
    try:
        text = text_of(hub.service.backend.reading(None, {}))
    finally:
        await hub.service.stop()
    assert samples(text)["moorline_tls_certificate_expires_seconds", ()] == datetime(2100, 1, 1, tzinfo=UTC).timestamp()
