"""Tell the service manager how the node is: ready, connected or not, draining, and alive.

Ready is a node whose threads run, connected or not: a hub that is away must not keep a machine from starting up. The
watchdog hears of it while the session's event loop turns, which is where this runs; handlers are not asked.
"""

from __future__ import annotations

import asyncio
from typing import Final

from node.decisions.health import Look, status_of
from protocol.service_manager import ServiceManager

# How often a status is looked at, beside at changes.
STATUS_EVERY_S: Final = 5.0

# Beats in one interval of the watchdog: two may be late.
BEATS_PER_INTERVAL: Final = 3


class Supervision:
    """Keeps the manager informed from `start` to `stop`; twice is harmless. Costs nothing where there is none.

    Args:
        manager: who wants to hear.
        look: looks at the node.
    """

    def __init__(self, manager: ServiceManager, look: Look) -> None:
        self._manager = manager
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._is_draining = False

    def start(self) -> None:
        """Say that the node is ready, and go on telling, on the running loop."""
        health = self._look()
        if self._timer is None and self._manager.is_there and health is not None:
            self._manager.ready(status_of(health))
            self._beat()

    def changed(self) -> None:
        """Say what has changed."""
        health = self._look()
        if self._timer is None or health is None:
            return
        if health.draining and not self._is_draining:
            self._is_draining = True
            self._manager.stopping(status_of(health))
        else:
            self._manager.status(status_of(health))

    def stop(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        watchdog_s = self._manager.watchdog_s
        pause_s = STATUS_EVERY_S if watchdog_s is None else min(STATUS_EVERY_S, watchdog_s / BEATS_PER_INTERVAL)
        self._timer = asyncio.get_running_loop().call_later(pause_s, self._beat)
        self._manager.alive()
        self.changed()
