from __future__ import annotations

from typing import Any

from hub.disk import FREE_BYTES_MIN, DiskSpace
from hub.http.backend import Health
from hub.http.readiness import reasons_not_alive, reasons_not_ready


def health(**changes: Any) -> Health:
    values: dict[str, Any] = {
        "hub_id": "h", "version": "1", "started_at": 0.0, "degraded": None, "stopping": False, "sessions": 0
    }  # fmt: skip
    return Health(**(values | changes))


def test_a_hub_that_serves_has_no_reason_not_to() -> None:
    assert reasons_not_ready(health()) == []
    assert reasons_not_alive(health()) == []


def test_each_thing_that_keeps_a_hub_from_serving_is_named() -> None:
    disk = DiskSpace(free_bytes=FREE_BYTES_MIN // 2, total_bytes=FREE_BYTES_MIN * 100, database_bytes=0)
    reasons = reasons_not_ready(health(listening=False, degraded="no space", disk=disk, stopping=True, writes=False))
    assert reasons == [
        "the thread that commits has ended, which is a bug in Moorline",
        "nodes are not accepted yet",
        "the store takes no commits: no space",
        "the disk of the state folder has 32 MiB left; commits will soon fail",
        "the hub is stopping",
    ]


def test_only_what_a_restart_mends_ends_a_hub() -> None:
    assert reasons_not_alive(health(degraded="no space", stopping=True, listening=False)) == []
    assert len(reasons_not_alive(health(writes=False))) == 1
