from __future__ import annotations

from typing import Any

from hub.http.backend import Health
from hub.supervision import Supervision, status_of
from protocol.service_manager import ServiceManager
from tests.protocol.manager import Manager
from tests.waiting import until


class Hub:
    """Is as the test says."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}

    def health(self) -> Health:
        values: dict[str, Any] = {
            "hub_id": "h", "version": "1", "started_at": 0.0, "degraded": None, "stopping": False, "sessions": 2
        }  # fmt: skip
        return Health(**(values | self.changes))


def test_a_status_says_how_many_are_served_or_why_none() -> None:
    hub = Hub()
    assert status_of(hub.health()) == "serving 2 nodes"
    hub.changes = {"sessions": 1}
    assert status_of(hub.health()) == "serving 1 node"
    hub.changes = {"degraded": "no space"}
    assert status_of(hub.health()) == "not ready: the store takes no commits: no space"


async def test_a_hub_tells_that_it_is_ready_and_what_changes(systemd: Manager) -> None:
    hub = Hub()
    supervision = Supervision(ServiceManager(str(systemd.path), watchdog_s=0.03), hub.health)
    supervision.start()
    supervision.start()
    hub.changes = {"sessions": 3}
    await until(lambda: "serving 3 nodes" in systemd.all_of("STATUS"))
    supervision.stopping()
    supervision.stop()
    supervision.stop()
    assert systemd.all_of("READY") == ["1"]
    assert systemd.all_of("STATUS")[0] == "serving 2 nodes"
    assert systemd.all_of("STOPPING") == ["1"]


async def test_the_watchdog_hears_no_more_once_the_writer_has_ended(systemd: Manager) -> None:
    hub = Hub()
    supervision = Supervision(ServiceManager(str(systemd.path), watchdog_s=0.03), hub.health)
    supervision.start()
    await until(lambda: len(systemd.all_of("WATCHDOG")) >= 3)
    hub.changes = {"writes": False}
    # What it says of itself comes with the first turn in which it does not say that it is alive.
    await until(lambda: any(status.startswith("not ready") for status in systemd.all_of("STATUS")))
    before = len(systemd.all_of("WATCHDOG"))
    for sessions in range(3, 6):
        hub.changes = {"writes": False, "degraded": str(sessions)}
        await until(lambda sessions=sessions: systemd.all_of("STATUS")[-1].endswith(f": {sessions}"))
    assert len(systemd.all_of("WATCHDOG")) == before
    supervision.stop()


async def test_a_full_disk_is_no_reason_to_be_started_again(systemd: Manager) -> None:
    hub = Hub()
    hub.changes = {"degraded": "no space"}
    supervision = Supervision(ServiceManager(str(systemd.path), watchdog_s=0.03), hub.health)
    supervision.start()
    await until(lambda: len(systemd.all_of("WATCHDOG")) >= 3)
    supervision.stop()


async def test_without_a_manager_nothing_runs() -> None:
    supervision = Supervision(ServiceManager(), Hub().health)
    supervision.start()
    assert supervision._task is None
    supervision.stop()
