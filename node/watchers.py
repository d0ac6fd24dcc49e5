"""Everything that looks at a node's session from outside: the port, the file and the service manager."""

from __future__ import annotations

import contextlib

from node.decisions.health import Look
from node.health_file import HealthFile
from node.health_port import HealthPort
from node.settings import NodeSettings
from node.supervision import Supervision
from protocol.service_manager import ServiceManager


class Watchers:
    """Those that the settings ask for, from `start` to `stop`; on the session's loop.

    Args:
        settings: which there are to be.
        manager: who started this process.
        look: looks at the node.
    """

    def __init__(self, settings: NodeSettings, manager: ServiceManager, look: Look) -> None:
        self._supervision = Supervision(manager, look)
        self._port = None
        if settings.health_port is not None:
            self._port = HealthPort(settings.health_host, settings.health_port, look)
        self._file = None if settings.health_file is None else HealthFile(settings.health_file, look)
        self._ends = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Take the port and the file; both or none.

        Raises:
            SettingsError: the port or the file cannot be had.
        """
        async with contextlib.AsyncExitStack() as ends:
            if self._port is not None:
                await self._port.start()
                ends.push_async_callback(self._port.stop)
            if self._file is not None:
                await self._file.start()
                ends.push_async_callback(self._file.stop)
            ends.callback(self._supervision.stop)
            self._ends = ends.pop_all()

    def watch(self) -> None:
        """Begin to look: there is a session now."""
        self._supervision.start()

    def changed(self) -> None:
        """The node is connected or is no more, drains or ends."""
        self._supervision.changed()
        if self._file is not None:
            self._file.changed()

    async def stop(self) -> None:
        """Look no more. Twice is harmless."""
        await self._ends.aclose()
