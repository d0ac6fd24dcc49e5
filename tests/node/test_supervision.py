from __future__ import annotations

from node.supervision import Supervision
from protocol.service_manager import ServiceManager
from tests.node.healths import URL, Node
from tests.protocol.manager import Manager
from tests.waiting import until


async def test_a_node_tells_that_it_is_ready_alive_and_what_it_does(systemd: Manager) -> None:
    node = Node()
    supervision = Supervision(ServiceManager(str(systemd.path), watchdog_s=0.03), node.look)
    supervision.start()
    supervision.start()
    node.running = 3
    await until(lambda: len(systemd.all_of("WATCHDOG")) >= 3)
    await until(
        lambda: f"connected to {URL}: 3 of 4 slots in use, 0 results not acknowledged" in systemd.all_of("STATUS")
    )
    supervision.stop()
    supervision.stop()
    assert systemd.all_of("READY") == ["1"]


async def test_a_node_that_drains_says_so_once_and_stays_alive(systemd: Manager) -> None:
    node = Node()
    supervision = Supervision(ServiceManager(str(systemd.path), watchdog_s=0.03), node.look)
    supervision.start()
    node.draining = True
    supervision.changed()
    before = len(systemd.all_of("WATCHDOG"))
    await until(lambda: len(systemd.all_of("WATCHDOG")) >= before + 3)
    supervision.stop()
    assert systemd.all_of("STOPPING") == ["1"]


async def test_without_a_manager_or_before_the_start_nothing_is_said() -> None:
    node = Node()
    supervision = Supervision(ServiceManager(), node.look)
    supervision.start()
    assert supervision._timer is None
    supervision.changed()
    node.is_starting = True
    supervision.start()
    supervision.stop()
