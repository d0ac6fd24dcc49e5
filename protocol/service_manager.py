"""Words to the service manager: that this process is ready, how it is, that it ends, and that it still turns.

The datagrams of sd_notify(3), which systemd and others read; without ``NOTIFY_SOCKET`` nothing is said. Hub and node
share this, and neither may import the other: so it stands beside the wire.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping
from typing import Final

logger = logging.getLogger(__name__)

# A status is a line for people; what a peer put into it must not fill a datagram.
STATUS_CHARACTERS_MAX: Final = 400


class ServiceManager:
    """Whoever started this process and wants to hear of it.

    Args:
        address: of its socket; a leading ``@`` means the abstract namespace. None: there is nobody.
        watchdog_s: how long this process may be silent before it is killed and started again; None: for ever.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s if address else None
        self._status = ""
        # What must be heard and was not taken yet, by name: at most READY, STATUS and STOPPING.
        self._unsaid: dict[str, str] = {}
        self._has_failed = False

    @classmethod
    def found_in(cls, environment: Mapping[str, str], process_id: int) -> ServiceManager:
        """Read ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` (sd_watchdog_enabled(3))."""
        address = environment.get("NOTIFY_SOCKET", "")
        # Others (vsock) are for virtual machines, which have a manager of their own inside.
        known = address if address.startswith(("/", "@")) else None
        meant = environment.get("WATCHDOG_PID", str(process_id)) == str(process_id)
        microseconds = environment.get("WATCHDOG_USEC", "")
        watchdog_s = int(microseconds) / 1e6 if meant and microseconds.isdecimal() and int(microseconds) else None
        return cls(known, watchdog_s)

    @property
    def is_there(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Say that what this process is for can begin."""
        self._say(READY="1", STATUS=self._noted(status))

    def status(self, status: str) -> None:
        """Say how things are, for people; only what is new is said."""
        before = self._status
        if self._noted(status) != before or self._unsaid:
            self._say(STATUS=self._status)

    def alive(self) -> None:
        """Say that this process still turns. At least every `watchdog_s`, or it is killed."""
        if self.watchdog_s is not None:
            self._send({**self._unsaid, "WATCHDOG": "1"})

    def stopping(self, status: str = "stopping") -> None:
        """Say that this process ends."""
        self._say(STOPPING="1", STATUS=self._noted(status))

    def _noted(self, status: str) -> str:
        self._status = " ".join(status.split())[:STATUS_CHARACTERS_MAX]
        return self._status

    def _say(self, **said: str) -> None:
        """Say what must be heard: what cannot be said now is said with the next."""
        self._unsaid |= said
        self._send(self._unsaid)

    def _send(self, said: Mapping[str, str]) -> None:
        if self._address is None:
            return
        path = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sending:
                sending.setblocking(False)
                sending.sendto(message(said), path)
        except BlockingIOError:
            # It has not read what was said before. Nothing here may wait for it.
            return
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                logger.warning("the service manager at %s cannot be told: %s", self._address, error)
            return
        self._has_failed = False
        self._unsaid.clear()


def message(said: Mapping[str, str]) -> bytes:
    """Write one datagram: an assignment a line."""
    return "\n".join(f"{name}={value}" for name, value in said.items()).encode()


def manager_of_this_process() -> ServiceManager:
    """Find the manager that started this process, if there is one."""
    return ServiceManager.found_in(os.environ, os.getpid())
