"""How a node is run: every knob with its default, its unit and its bound. Valid when it exists."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from node.errors import SettingsError
from protocol.limits import LABEL_CHARACTERS_MAX, LABELS_MAX, PLAIN_WORDS, SLOTS_MAX, is_identifier, is_plain

DEFAULT_HUB: Final = "ws://127.0.0.1:8765"

# Handlers mostly wait for something; eight of them leave a small machine responsive.
DEFAULT_SLOTS: Final = 8

# What the WebSocket library can go through.
PROXY_SCHEMES: Final = frozenset({"http", "https", "socks4", "socks4a", "socks5", "socks5h"})


def default_node_id() -> str:
    """Give the host's name, as an identifier."""
    name = re.sub(r"[^A-Za-z0-9_.:@-]+", "-", socket.gethostname()).strip("-_.:@")[:128]
    return name or "node"


class NodeSettings(Struct, frozen=True, kw_only=True):
    """What an operator may set; each is an option of ``moorline node`` (docs/reference/cli.md).

    ``hubs`` are tried in turn. ``apps`` are modules or files with tasks. ``state`` defaults to a folder named after the
    node. ``proxy`` is an address, ``"auto"`` for what the environment says, or None. ``drain_timeout_s`` bounds how
    long a drain waits for handlers before it stops them; None waits for ever. ``health_*``: where probes ask how the
    node is; port 0 lets the system pick, None is no port.
    """

    hubs: Sequence[str] = (DEFAULT_HUB,)
    node_id: str = ""
    name: str = ""
    labels: dict[str, str] = {}
    slots: int = DEFAULT_SLOTS
    apps: Sequence[str] = ()
    state: Path | None = None
    token: str | None = None
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = None
    drain_timeout_s: float | None = None
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    health_file: Path | None = None

    def __post_init__(self) -> None:
        if not self.hubs:
            raise SettingsError("hub", self.hubs, f"at least one address such as {DEFAULT_HUB}")
        for hub in self.hubs:
            _check_hub(hub)
        if self.node_id and not is_identifier(self.node_id):
            raise SettingsError(
                "node id", self.node_id, "1-128 characters of A-Za-z0-9_.:@-, the first a letter or digit"
            )
        if not 1 <= self.slots <= SLOTS_MAX:
            raise SettingsError("slots", self.slots, f"a number from 1 to {SLOTS_MAX}")
        if len(self.name) > LABEL_CHARACTERS_MAX or not is_plain(self.name):
            raise SettingsError("name", self.name, f"{PLAIN_WORDS}, at most {LABEL_CHARACTERS_MAX} of them")
        _check_labels(self.labels)
        if self.client_key is not None and self.client_cert is None:
            raise SettingsError("client key", str(self.client_key), "a client certificate with it")
        _check_token(self.token)
        _check_proxy(self.proxy)
        if self.drain_timeout_s is not None and self.drain_timeout_s < 0:
            raise SettingsError("drain timeout", self.drain_timeout_s, "seconds, 0 or more")
        if self.health_port is not None and not 0 <= self.health_port <= 65535:
            raise SettingsError("health port", self.health_port, "a number from 0 to 65535")

    @property
    def resolved_node_id(self) -> str:
        """Give the node id, which is the host's name where none was given."""
        return self.node_id or default_node_id()

    @property
    def resolved_state(self) -> Path:
        """Give the state folder."""
        return self.state if self.state is not None else Path(".moorline", "nodes", self.resolved_node_id)


def _check_hub(hub: str) -> None:
    expected = "an address such as ws://hub.example:8765 or wss://hub.example"
    try:
        parts = urlsplit(hub)
        is_good = parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise SettingsError("hub", hub, expected)
    if parts.username is not None:
        raise SettingsError(
            "hub", hub.replace(parts.netloc, "…"), "no user or password in it; give a token with --token"
        )
    if parts.query or parts.fragment:
        raise SettingsError("hub", hub, f"{expected}, without anything behind its path")


def _check_token(token: str | None) -> None:
    # It travels in a header; the usual cause is a file with more than the token in it. The secret itself is not shown.
    if token is not None and not re.fullmatch(r"[!-~]*", token):
        raise SettingsError("token", "…", "printable ASCII characters without spaces, as `moorline token create` gives")


def _check_proxy(proxy: str | None) -> None:
    if proxy in {None, "auto"}:
        return
    parts = urlsplit(str(proxy))
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname:
        shown = str(proxy).replace(parts.netloc, "…") if parts.username else proxy
        raise SettingsError("proxy", shown, "auto, or an address such as http://proxy.example:3128")


def _check_labels(labels: dict[str, str]) -> None:
    if len(labels) > LABELS_MAX:
        raise SettingsError("labels", f"{len(labels)} labels", f"at most {LABELS_MAX}")
    for key, value in labels.items():
        if not is_identifier(key):
            raise SettingsError("label", key, "a key of 1-128 characters of A-Za-z0-9_.:@-")
        if len(value) > LABEL_CHARACTERS_MAX:
            raise SettingsError(f"label {key}", value[:40] + "…", f"at most {LABEL_CHARACTERS_MAX} characters")
        if not is_plain(value):
            raise SettingsError(f"label {key}", value, PLAIN_WORDS)
