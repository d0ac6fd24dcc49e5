from __future__ import annotations

from tests.hub.http.hub_under_test import HubUnderTest


async def test_a_hub_that_serves_is_live_and_ready(hub: HubUnderTest) -> None:
    for path in ("/livez", "/readyz"):
        assert await hub.get(path) == (200, {"ready": True, "reasons": []})


async def test_a_hub_that_cannot_serve_lives_and_says_why(hub: HubUnderTest) -> None:
    hub.backend.degraded = "no space"
    hub.backend.stopping = True
    assert (await hub.get("/livez"))[0] == 200
    status, body = await hub.get("/readyz")
    assert (status, body["ready"]) == (503, False)
    assert body["reasons"] == ["the store takes no commits: no space", "the hub is stopping"]


async def test_a_hub_that_only_a_restart_can_mend_does_not_live(hub: HubUnderTest) -> None:
    hub.backend.writes = False
    for path in ("/livez", "/readyz"):
        status, body = await hub.get(path)
        assert (status, body["ready"]) == (503, False)
        assert body["reasons"] == ["the thread that commits has ended, which is a bug in Moorline"]


async def test_stats_count_what_there_is(hub: HubUnderTest) -> None:
    hub.register()
    await hub.submit()
    hub.backend.degraded = "no space"
    status, body = await hub.get("/v1/stats")
    assert status == 200
    assert list(body) == [
        *("hub", "verdict", "tasks", "nodes", "sessions", "totals", "last_event_id"),
        *("oldest_queued_at", "rates", "alerts"),
    ]
    words = "the store takes no commits: no space"
    finding = {"level": "critical", "about": "store", "text": words}
    assert body["verdict"] == {"level": "critical", "reasons": [words], "findings": [finding]}
    assert body["alerts"] == {"firing": 0, "critical": 0}
    assert list(body["hub"]) == ["id", "version", "started_at", "uptime_s", "degraded"]
    assert body["hub"]["id"] == hub.backend.store.hub_id
    assert 5 <= body["hub"]["uptime_s"] < 60
    assert body["hub"]["degraded"] == "no space"
    assert (body["tasks"]["queued"], body["nodes"]["online"], body["last_event_id"]) == (1, 1, 2)
