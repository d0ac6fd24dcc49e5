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

# The manager reads at once. If it does not, what is said is old before it is read; nothing here may wait for it longer.
SEND_WITHIN_S: Final = 0.2

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
        self._status = _line(status)
        self._send(READY="1", STATUS=self._status)

    def status(self, status: str) -> None:
        """Say how things are, for people; only what is new is said."""
        line = _line(status)
        if line != self._status:
            self._status = line
            self._send(STATUS=line)

    def alive(self) -> None:
        """Say that this process still turns. At least every `watchdog_s`, or it is killed."""
        if self.watchdog_s is not None:
            self._send(WATCHDOG="1")

    def stopping(self, status: str = "stopping") -> None:
        """Say that this process ends."""
        self._status = _line(status)
        self._send(STOPPING="1", STATUS=self._status)

    def _send(self, **said: str) -> None:
        if self._address is None:
            return
        path = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sending:
                sending.settimeout(SEND_WITHIN_S)
                sending.sendto(message(said), path)
            self._has_failed = False
        except OSError as error:
            if not self._has_failed:
                self._has_failed = True
                logger.warning("the service manager at %s cannot be told: %s", self._address, error)


def message(said: Mapping[str, str]) -> bytes:
    """Write one datagram: an assignment a line."""
    return "\n".join(f"{name}={value}" for name, value in said.items()).encode()


def manager_of_this_process() -> ServiceManager:
    """Find the manager that started this process, if there is one."""
    return ServiceManager.found_in(os.environ, os.getpid())


def _line(text: str) -> str:
    return " ".join(text.split())[:STATUS_CHARACTERS_MAX]
