"""Tell the service manager how the hub is: ready, serving, stopping, and alive as long as it really is.

The watchdog hears of the hub only while its event loop turns, which is where this runs, and the thread that commits
runs. A full disk is no reason to be started again: that the hub says in its status, and goes on by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from hub.http.backend import Health
from hub.http.readiness import reasons_not_alive, reasons_not_ready
from protocol.service_manager import ServiceManager

# How often a status is looked at: a person who asks for it reads it this old.
STATUS_EVERY_S: Final = 2.0

# Beats in one interval of the watchdog: two may be late.
BEATS_PER_INTERVAL: Final = 3


class Supervision:
    """Keeps the manager informed from `start` to `stop`; twice is harmless. Costs nothing where there is none.

    Args:
        manager: who wants to hear.
        health: says how the hub is.
    """

    def __init__(self, manager: ServiceManager, health: Callable[[], Health]) -> None:
        self._manager = manager
        self._health = health
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Say that the hub is ready, and go on telling, on the running loop."""
        if self._task is None and self._manager.is_there:
            self._manager.ready(status_of(self._health()))
            self._task = asyncio.get_running_loop().create_task(self._tell(), name="supervision")

    def stopping(self) -> None:
        """Say that the hub stops. It is still watched until `stop`."""
        self._manager.stopping("stopping: results are taken until every connection is closed")

    def stop(self) -> None:
        """Say no more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _tell(self) -> None:
        watchdog_s = self._manager.watchdog_s
        pause_s = STATUS_EVERY_S if watchdog_s is None else min(STATUS_EVERY_S, watchdog_s / BEATS_PER_INTERVAL)
        while True:
            health = self._health()
            if not reasons_not_alive(health):
                self._manager.alive()
            if not health.stopping:
                self._manager.status(status_of(health))
            await asyncio.sleep(pause_s)


def status_of(health: Health) -> str:
    """Say in a line how the hub is."""
    reasons = reasons_not_ready(health)
    if reasons:
        return f"not ready: {'; '.join(reasons)}"
    return f"serving {health.sessions} {'node' if health.sessions == 1 else 'nodes'}"
