from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from hub.http import api
from hub.store.errors import StoreUnavailableError
from tests.hub.http.hub_under_test import HubUnderTest
from tests.hub.http.test_security import bearer, give_tokens
from tests.hub.metrics.readings import samples


async def scrape(hub: HubUnderTest, token: str = "") -> tuple[int, bytes]:
    async with hub.client.get("/metrics", headers=bearer(token)) as answer:
        return answer.status, await answer.read()


async def test_metrics_have_the_type_that_prometheus_reads(hub: HubUnderTest) -> None:
    async with hub.client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_requests_are_counted_by_route_and_status(hub: HubUnderTest) -> None:
    await hub.submit()
    await hub.get("/v1/tasks/none")
    await hub.get("/v1/tasks/none-either")
    for path in ("/made", "/up"):
        await hub.get(path)
    await hub.ask("DELETE", "/v1/tasks")
    values = samples((await scrape(hub))[1])

    def count(method: str, route: str, status: int) -> float | None:
        labels = (("method", method), ("route", route), ("status", str(status)))
        return values.get(("moorline_http_requests_total", labels))

    assert count("POST", "/v1/tasks", 201) == 1
    assert count("GET", "/v1/tasks/{id}", 404) == 2
    assert count("other", "other", 404) == 2
    assert count("other", "other", 405) == 1


async def test_the_store_is_asked_and_may_be_away(hub: HubUnderTest) -> None:
    hub.backend.read_error = StoreUnavailableError("busy")
    values = samples((await scrape(hub))[1])
    assert values["moorline_store_up", ()] == 0


async def test_a_scrape_does_not_wait_for_a_store_that_is_slow(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(_: object) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(api, "STATS_WITHIN_S", 0.01)
    monkeypatch.setattr(hub.backend, "read", for_ever)
    values = samples((await scrape(hub))[1])
    assert (values["moorline_store_up", ()], values["moorline_hub_ready", ()]) == (0, 1)


@pytest.mark.parametrize(("token", "status"), [("", 401), ("node", 403), ("read", 200), ("admin", 200)])
async def test_metrics_need_a_token_that_reads(hub: HubUnderTest, token: str, status: int) -> None:
    give_tokens(hub)
    assert (await scrape(hub, token))[0] == status


async def test_metrics_may_be_open_to_everybody(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db", metrics_open=True) as hub:
        give_tokens(hub)
        assert (await scrape(hub))[0] == 200
        assert (await hub.get("/v1/stats"))[0] == 401
