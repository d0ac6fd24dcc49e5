"""How a hub is run: every knob with its default, its unit and its bound. Valid when it exists."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from hub.errors import SettingsError
from hub.store.tasks import WEEK_S
from protocol.limits import PAYLOAD_BYTES_MAX, RESULT_BYTES_MAX
from protocol.logs import LogFormat

DATABASE_NAME = "hub.db"


class HubSettings(Struct, frozen=True, kw_only=True):
    """What an operator may set; each is a flag, a variable and a key of the same name (docs/reference/cli.md).

    ``node_*`` is where nodes connect, ``http_*`` where clients do; port 0 lets the system pick. ``state`` is a folder
    of this hub's own. Limits are checked before anything is parsed.
    """

    node_host: str = "127.0.0.1"
    node_port: int = 8765
    http_host: str = "127.0.0.1"
    http_port: int = 8780
    state: Path = Path(".moorline/hub")
    durability: Literal["full", "normal"] = "full"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    insecure: bool = False
    metrics_open: bool = False
    # Ten seconds: a node that died is noticed within half a minute, and 5,000 nodes cost 500 small messages a second.
    heartbeat_s: float = 10.0
    # A hub on two cores registers about a thousand nodes a second; a third of it leaves room for work.
    admissions_per_s: float = 300.0
    connections_max: int = 10_000
    # A site's nodes often share one address behind NAT.
    connections_per_address_max: int = 10_000
    payload_bytes_max: int = PAYLOAD_BYTES_MAX
    result_bytes_max: int = RESULT_BYTES_MAX
    retention_s: float = WEEK_S
    retention_count: int = 1_000_000
    gone_after_s: float = 3600.0
    strict_names: bool = False
    log_format: LogFormat = "auto"
    alerts: Path | None = None
    dashboard: bool = True

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key go together", "give both, or neither")
        if self.client_ca is not None and self.tls_cert is None:
            raise SettingsError("client_ca needs TLS", "give tls_cert and tls_key too")
        _check_range("heartbeat_s", self.heartbeat_s, 0.05, 3600)
        _check_range("admissions_per_s", self.admissions_per_s, 0.1, 1_000_000)
        _check_range("payload_bytes_max", self.payload_bytes_max, 64, PAYLOAD_BYTES_MAX)
        _check_range("result_bytes_max", self.result_bytes_max, 64, RESULT_BYTES_MAX)
        _check_range("retention_s", self.retention_s, 0, float("inf"))
        _check_range("retention_count", self.retention_count, 0, float("inf"))
        _check_range("gone_after_s", self.gone_after_s, 1, float("inf"))
        for name in ("node_port", "http_port"):
            _check_range(name, getattr(self, name), 0, 65535)
        if self.node_port == self.http_port != 0 and self.node_host == self.http_host:
            message = f"node_port and http_port are both {self.node_port}"
            raise SettingsError(message, "give nodes and clients a port each")
        for name in ("connections_max", "connections_per_address_max"):
            _check_range(name, getattr(self, name), 1, 1_000_000)

    @property
    def is_loopback_only(self) -> bool:
        """Whether nobody but this machine can reach the hub."""
        return is_loopback(self.node_host) and is_loopback(self.http_host)


def is_loopback(host: str) -> bool:
    """Tell whether listening on ``host`` reaches this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        bounds = f"{low:g} or more" if high == float("inf") else f"from {low:g} to {high:.12g}"
        raise SettingsError(
            f"{name} is {value:.12g}", f"give a value {bounds}" if "from" in bounds else f"give {bounds}"
        )
