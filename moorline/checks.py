"""What stands between this machine and a hub, looked at step by step: names, ports, certificates, answers, tokens.

Judging is pure and stands apart from looking. Looking uses the standard library alone: a check must not depend on the
client whose trouble it explains.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

Verdict: TypeAlias = Literal["ok", "warn", "fail", "skip"]

SUBPROTOCOL: Final = "moorline.v1"
NODE_PATH: Final = "/v1/node"

# Each step's own. What takes longer is broken for a node too: it gives up a dial after 10 s.
STEP_TIMEOUT_S: Final = 5.0

# An answer of a hub to these questions is a few kilobytes; a page that is no hub's may be endless.
ANSWER_BYTES_MAX: Final = 256 * 1024

# The Date header counts whole seconds and travels; leases do not care, people who read logs do.
SKEW_S_MAX: Final = 5.0

CERTIFICATE_DAYS_MIN: Final = 14
DISK_BYTES_FAIL: Final = 100 * 1024**2
DISK_BYTES_WARN: Final = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do if it is not well."""

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address to look at: where, and whether with TLS."""

    address: str
    ca: Path | None = None

    @property
    def host(self) -> str:
        """The host's name or address."""
        return urlsplit(self.address).hostname or ""

    @property
    def is_tls(self) -> bool:
        """Whether the scheme asks for TLS."""
        return urlsplit(self.address).scheme in {"https", "wss"}

    @property
    def port(self) -> int:
        """The port, or the scheme's own."""
        return urlsplit(self.address).port or (443 if self.is_tls else 80)

    @property
    def path(self) -> str:
        """The path that stands before those of the API, if a proxy gives it one."""
        return urlsplit(self.address).path.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP server said. ``headers`` have names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def document(self) -> Mapping[str, object] | None:
        """Give the body as the JSON object that a hub would have sent, or None."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


# --- judging ---------------------------------------------------------------------------------------------------------


def judge_ready(status: int, document: Mapping[str, object] | None) -> Check:
    """Judge the answer to ``GET /readyz``."""
    name = "hub"
    if document is None or not is_hub(document):
        return Check(
            name=name,
            verdict="fail",
            detail=f"something answers there (status {status}), but it is no hub",
            remedy="Check the port: the HTTP API has 8780 by default, nodes connect to another one.",
        )
    if document["ready"]:
        return Check(name=name, verdict="ok", detail="is ready")
    reasons = document.get("reasons")
    words = "; ".join(map(str, reasons)) if isinstance(reasons, list) and reasons else f"status {status}"
    return Check(
        name=name,
        verdict="fail",
        detail=f"is not ready: {words}",
        remedy="It keeps its sessions and goes on by itself when the cause is gone; look at its log and its disk.",
    )


def is_hub(document: Mapping[str, object] | None) -> bool:
    """Tell whether an answer to ``GET /readyz`` is a hub's."""
    return document is not None and isinstance(document.get("ready"), bool)


def judge_clock(date: str | None, before_s: float, after_s: float) -> Check:
    """Judge the hub's ``Date`` header against this machine's clock before and after the question."""
    try:
        there_s = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return Check(name="clock", verdict="skip", detail="the hub does not say what time it is")
    # The header is cut to the second: the hub's clock stands up to a second later.
    early_s, late_s = before_s - (there_s + 1), there_s - after_s
    skew_s = max(0.0, early_s, late_s)
    if skew_s <= SKEW_S_MAX:
        return Check(name="clock", verdict="ok", detail="the same here and there")
    direction = "behind" if early_s > late_s else "ahead of"
    return Check(
        name="clock",
        verdict="warn",
        detail=f"the hub's is {skew_s:.0f} s {direction} this machine's",
        remedy="Run a time service on both. Leases do not mind; deadlines and log lines do.",
    )


def judge_token(status: int, *, has_token: bool, role: str | None = None) -> Check:
    """Judge the status of an API call that needs the role `read`; ``role`` is what the hub says the token has."""
    match status:
        case 200:
            detail = "is good" if has_token else "none is needed"
            if has_token and role in _MAY:
                detail = f"is good: it has the role {role}, and {_MAY[role]}"
            return Check(name="token", verdict="ok", detail=detail)
        case 401 if has_token:
            detail, remedy = "is unknown, revoked or expired", "Make one with `moorline token create --role submit`."
        case 401:
            detail, remedy = "the hub wants one", "Give --token or MOORLINE_TOKEN."
        case 403:
            detail = "is good, but its role may not use the API"
            remedy = "Make one with `moorline token create --role read`; a node's token only opens sessions."
        case _:
            detail, remedy = f"cannot be told: the hub answered with status {status}", "Look at the hub's log."
    return Check(name="token", verdict="fail", detail=detail, remedy=remedy)


_MAY: Final[Mapping[str | None, str]] = {
    "read": "may read",
    "submit": "may read, submit, cancel and retry",
    "admin": "may do all but open a node's session",
}


def judge_version(document: Mapping[str, object] | None, own: str) -> Check:
    """Judge the version that the hub says it has."""
    hub = document.get("hub") if document else None
    there = hub.get("version") if isinstance(hub, dict) else None
    if not isinstance(there, str):
        return Check(name="version", verdict="skip", detail="the hub does not say")
    if there == own:
        return Check(name="version", verdict="ok", detail=f"{own} here and there")
    detail = f"{there} there, {own} here"
    return Check(name="version", verdict="warn", detail=detail, remedy="Upgrade the hub first, then the nodes.")


def judge_upgrade(answer: Answer, key: str, *, has_token: bool, is_a_node_s: bool = True) -> Check:
    """Judge the answer to a WebSocket handshake that asked for the subprotocol, RFC 6455 section 4.2.2.

    With ``is_a_node_s`` the token was meant to open sessions; else it is the one for the API, for want of another.
    """
    name = "session"
    if answer.status == 101:
        if answer.headers.get("sec-websocket-accept") != accept_of(key):
            return Check(
                name=name,
                verdict="fail",
                detail="somebody between here and the hub answers in its place",
                remedy="Have the proxy pass WebSocket handshakes on to the hub.",
            )
        if answer.headers.get("sec-websocket-protocol") != SUBPROTOCOL:
            detail = f"a WebSocket opens, but does not speak {SUBPROTOCOL}"
            remedy = "Check the address: another service listens there, or a proxy takes headers away."
            return Check(name=name, verdict="fail", detail=detail, remedy=remedy)
        return Check(name=name, verdict="ok", detail=f"a WebSocket opens and speaks {SUBPROTOCOL}")
    if answer.status == 403 and has_token and not is_a_node_s:
        return Check(
            name=name,
            verdict="skip",
            detail="the hub answers; a node needs a token of role node, and this one has another role",
            remedy="To look at a session too, give a node's token with --node-token.",
        )
    detail, remedy = _refusal(answer.status, has_token=has_token)
    return Check(name=name, verdict="warn" if answer.status == 503 else "fail", detail=detail, remedy=remedy)


def _refusal(status: int, *, has_token: bool) -> tuple[str, str]:
    match status:
        case 401 if has_token:
            remedy = "Make one with `moorline token create --role node`, and give it with --node-token."
            return "the token opens no session: it is unknown, revoked or expired", remedy
        case 403 if has_token:
            remedy = "A node needs one of role node: `moorline token create --role node`, given with --node-token."
            return "the token opens no session: it has another role", remedy
        case 401 | 403:
            return "the hub wants a token of role node", "Give --node-token or MOORLINE_NODE_TOKEN."
        case 404 | 405:
            return f"there is no {NODE_PATH} (status {status})", "Check the port: nodes connect to 8765 by default."
        case 429:
            return "the hub has as many connections as it takes", "Raise --connections-max of the hub."
        case 503:
            return "the hub takes no newcomers at the moment", "A node comes back by itself; look again in a minute."
        case _:
            remedy = "A proxy in between must pass the headers Upgrade and Connection on."
            return f"the handshake was answered with status {status}", remedy


def accept_of(key: str) -> str:
    """Give the proof of a handshake with this key, RFC 6455 section 1.3."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode("ascii")


def judge_certificate(not_after_s: float, now_s: float) -> Check:
    """Judge how long a certificate, which was found good, stays so."""
    days = (not_after_s - now_s) / 86400
    detail = f"the certificate is good for {days:.0f} more days"
    if days < CERTIFICATE_DAYS_MIN:
        return Check(name="tls", verdict="warn", detail=detail, remedy="Renew it before nodes are locked out.")
    return Check(name="tls", verdict="ok", detail=detail)


def judge_disk(folder: Path, free_bytes: int) -> Check:
    """Judge the room on the disk of a hub's state folder."""
    detail = f"{free_bytes / 1024**3:.1f} GiB free for {folder}"
    if free_bytes < DISK_BYTES_FAIL:
        remedy = "Make room now: a full disk makes the hub degraded, it takes nothing until there is some."
        return Check(name="disk", verdict="fail", detail=detail, remedy=remedy)
    if free_bytes < DISK_BYTES_WARN:
        remedy = "Make room, or keep fewer finished tasks (--retention-s, --retention-count)."
        return Check(name="disk", verdict="warn", detail=detail, remedy=remedy)
    return Check(name="disk", verdict="ok", detail=detail)


# --- looking ---------------------------------------------------------------------------------------------------------


class _FailedError(Exception):
    """A step found something that makes the ones after it pointless."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.name)
        self.check = check


def look_at_api(target: Target, token: str | None, own_version: str) -> Iterator[Check]:
    """Look at a hub's HTTP address, from its name to the token; end where the rest would be pointless."""
    try:
        yield from _look_at_road(target)
        before_s = time.time()
        ready = _ask(target, "/readyz")
        after_s = time.time()
        yield judge_ready(ready.status, ready.document())
        if not is_hub(ready.document()):
            return
        yield judge_clock(ready.headers.get("date"), before_s, after_s)
        stats = _ask(target, "/v1/stats", _bearer(token))
        yield judge_token(stats.status, has_token=bool(token), role=_role(target, token, stats.status))
        if stats.status == 200:
            yield judge_version(stats.document(), own_version)
    except _FailedError as failed:
        yield failed.check


def _role(target: Target, token: str | None, status: int) -> str | None:
    """Ask which role a good token has; hubs of before do not say."""
    if not token or status != 200:
        return None
    role = (_ask(target, "/v1/me", _bearer(token)).document() or {}).get("role")
    return role if isinstance(role, str) else None


def look_at_sessions(target: Target, token: str | None, *, is_a_node_s: bool = True) -> Iterator[Check]:
    """Look at a hub's address for nodes, from its name to an open WebSocket, which is closed again at once."""
    try:
        yield from _look_at_road(target)
        key = base64.b64encode(secrets.token_bytes(16)).decode("ascii")
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
        }
        answer = _ask(target, NODE_PATH, {**upgrade, **_bearer(token)})
        yield judge_upgrade(answer, key, has_token=bool(token), is_a_node_s=is_a_node_s)
    except _FailedError as failed:
        yield failed.check


def look_at_disk(folder: Path) -> Check:
    """Look at the disk under a hub's state folder, if there is one on this machine."""
    if not folder.is_dir():
        return Check(name="disk", verdict="skip", detail=f"no hub keeps its state in {folder} here (see --state)")
    return judge_disk(folder, shutil.disk_usage(folder).free)


def _look_at_road(target: Target) -> Iterator[Check]:
    addresses = _resolve(target)
    if addresses != [target.host]:
        yield Check(name="dns", verdict="ok", detail=f"{target.host} is {', '.join(addresses)}")
    started_s = time.monotonic()
    with _connected(target):
        took_ms = (time.monotonic() - started_s) * 1000
    yield Check(name="tcp", verdict="ok", detail=f"port {target.port} answers in {took_ms:.1f} ms")
    if target.is_tls:
        with _secured(target) as connection:
            certificate = connection.getpeercert() or {}
        not_after = certificate.get("notAfter")
        if isinstance(not_after, str):
            yield judge_certificate(ssl.cert_time_to_seconds(not_after), time.time())


def _resolve(target: Target) -> list[str]:
    # The resolver has time limits of its own, in /etc/resolv.conf.
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        remedy = "Check the spelling, and the name service of this machine."
        check = Check(name="dns", verdict="fail", detail=f"{target.host} has no address: {reason}", remedy=remedy)
        raise _FailedError(check) from error
    return list(dict.fromkeys(str(address[4][0]) for address in found))


@contextmanager
def _connected(target: Target) -> Iterator[socket.socket]:
    try:
        connection = socket.create_connection((target.host, target.port), timeout=STEP_TIMEOUT_S)
    except ConnectionRefusedError as error:
        detail = f"nothing listens at {target.host}:{target.port}"
        remedy = "Start the hub, or check host and port; the hub says where it listens when it is ready."
        raise _FailedError(Check(name="tcp", verdict="fail", detail=detail, remedy=remedy)) from error
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        detail = f"{target.host}:{target.port} cannot be reached: {reason}"
        remedy = "A firewall or a missing route: only outgoing connections to this port are needed."
        raise _FailedError(Check(name="tcp", verdict="fail", detail=detail, remedy=remedy)) from error
    with closing(connection):
        yield connection


@contextmanager
def _secured(target: Target) -> Iterator[ssl.SSLSocket]:
    with _connected(target) as connection:
        try:
            context = ssl.create_default_context(cafile=target.ca)
            secured = context.wrap_socket(connection, server_hostname=target.host)
        except ssl.SSLCertVerificationError as error:
            detail = f"the certificate is not good: {error.verify_message}"
            remedy = "Give the authority that signed it with --ca, and use a name that stands in it."
            raise _FailedError(Check(name="tls", verdict="fail", detail=detail, remedy=remedy)) from error
        except OSError as error:
            reason = str(getattr(error, "reason", None) or error).replace("_", " ").lower()
            detail = f"no TLS: {reason}"
            remedy = "Perhaps the hub has no --tls-cert: then write http:// and ws://."
            raise _FailedError(Check(name="tls", verdict="fail", detail=detail, remedy=remedy)) from error
        with closing(secured):
            yield secured


def _ask(target: Target, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask one question on a connection of its own."""
    opened = _secured(target) if target.is_tls else _connected(target)
    with opened as connection:
        http = HTTPConnection(target.host, target.port, timeout=STEP_TIMEOUT_S)
        http.sock = connection
        try:
            http.request("GET", f"{target.path}{path}", headers=dict(headers or {}))
            response = http.getresponse()
            body = b"" if response.status == 101 else response.read(ANSWER_BYTES_MAX)
        except (OSError, HTTPException) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
            detail = f"no HTTP answer to {path}: {reason}"
            remedy = "Something else listens there, or the hub hangs: look at its log."
            if not target.is_tls:
                remedy = "Perhaps the hub wants TLS: write https:// and wss://. Else something else listens there."
            raise _FailedError(Check(name="http", verdict="fail", detail=detail, remedy=remedy)) from error
        return Answer(
            status=response.status, headers={name.lower(): value for name, value in response.getheaders()}, body=body
        )


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
