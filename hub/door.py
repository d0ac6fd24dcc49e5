"""Who may come in as a node: what can be checked of a handshake before anything of it is answered.

Path, origin, subprotocol, token, how many are inside, and the rate of admission. Sockets are the gateway's.
"""

from __future__ import annotations

import http
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from websockets.datastructures import Headers

from hub.decisions.admission import Admission, retry_after_header_s
from hub.store.now import Now
from protocol.limits import NODE_PATH, SUBPROTOCOL


class NodeGrant(Protocol):
    """What a token allows a node: ``node_id`` is the only one it may use, or None for any."""

    @property
    def token_id(self) -> str:
        """Which token."""
        ...

    @property
    def node_id(self) -> str | None:
        """The only node id it may use."""
        ...


class Refusal(Struct, frozen=True):
    """Why somebody is not let in. ``reason``: one word, as it is counted; ``message``: for people; ``headers``: of the
    answer.
    """

    status: http.HTTPStatus
    reason: str
    message: str
    headers: dict[str, str] = {}


class Door:
    """Judges handshakes, and counts who is inside.

    Args:
        needs_token: tells whether a token is needed now.
        check_token: gives the grant of a bearer token for a node, None where it has none; raises PermissionError with
            the reason where the token is known but not for nodes.
        admission: how many may come in per second.
        clock: the time.
        connections_max, connections_per_address_max: bounds.
    """

    def __init__(
        self,
        *,
        needs_token: Callable[[], bool],
        check_token: Callable[[str], NodeGrant | None],
        admission: Admission,
        clock: Callable[[], Now],
        connections_max: int,
        connections_per_address_max: int,
    ) -> None:
        self._needs_token = needs_token
        self._check_token = check_token
        self._admission = admission
        self._clock = clock
        self._connections_max = connections_max
        self._per_address_max = connections_per_address_max
        self._inside = 0
        self._addresses: Counter[str] = Counter()
        self.is_closed = False
        self.refusals: Counter[str] = Counter()
        """How many handshakes were refused, by reason."""

    def close(self) -> None:
        """Refuse everybody from now on, with 503."""
        self.is_closed = True

    def enter(self, address: str) -> None:
        """Count a connection in."""
        self._inside += 1
        self._addresses[address] += 1

    def leave(self, address: str) -> None:
        """Count a connection out that was counted in."""
        self._inside -= 1
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def judge(self, path: str, headers: Headers, address: str) -> NodeGrant | Refusal | None:
        """Decide about a handshake: a refusal, or what its token allows; None where it needs none."""
        verdict = self._unfit(path, headers, address) or self._authorize(headers)
        if not isinstance(verdict, Refusal):
            # Last: who is refused for another reason takes nobody's turn.
            verdict = self._crowded() or verdict
        if isinstance(verdict, Refusal):
            self.refusals[verdict.reason] += 1
        return verdict

    def _unfit(self, path: str, headers: Headers, address: str) -> Refusal | None:
        if path.partition("?")[0] != NODE_PATH:
            return Refusal(http.HTTPStatus.NOT_FOUND, "path", f"nodes connect to {NODE_PATH}, not to {path[:100]}")
        if headers.get("Origin") is not None:
            # A browser on a foreign page must not be able to act as a node; nodes send no Origin.
            return Refusal(
                http.HTTPStatus.FORBIDDEN, "origin", "browsers cannot be nodes: the Origin header is refused"
            )
        offered = [item.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for item in value.split(",")]
        if SUBPROTOCOL not in offered:
            found = ", ".join(offered)[:100]
            message = (
                f"this hub speaks {SUBPROTOCOL}, the node offered {found}: upgrade the older of the two"
                if found
                else f"this hub speaks {SUBPROTOCOL}, the node offered none: offer it as subprotocol of the WebSocket"
            )
            return Refusal(http.HTTPStatus.UPGRADE_REQUIRED, "version", message)
        if self.is_closed:
            return Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "this hub stops", {"Retry-After": "1"})
        if self._inside >= self._connections_max:
            message = f"{self._connections_max} connections are open, the most this hub takes"
            return Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "connections", message, {"Retry-After": "30"})
        if self._addresses[address] >= self._per_address_max:
            message = f"{self._per_address_max} connections from {address} are open, the most for one address"
            return Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "address", message, {"Retry-After": "30"})
        return None

    def _authorize(self, headers: Headers) -> NodeGrant | Refusal | None:
        if not self._needs_token():
            return None
        scheme, _, secret = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            message = "a token is needed: Authorization: Bearer …; make one with `moorline token create --role node`"
            return Refusal(http.HTTPStatus.UNAUTHORIZED, "token", message, {"WWW-Authenticate": "Bearer"})
        try:
            grant = self._check_token(secret.strip())
        except PermissionError as error:
            return Refusal(http.HTTPStatus.FORBIDDEN, "role", str(error))
        if grant is None:
            message = "the token is unknown, revoked or expired; make one with `moorline token create --role node`"
            return Refusal(http.HTTPStatus.UNAUTHORIZED, "token", message, {"WWW-Authenticate": "Bearer"})
        return grant

    def _crowded(self) -> Refusal | None:
        retry_after_s = self._admission.admit(self._clock().steady_s)
        if retry_after_s is None:
            return None
        after = {"Retry-After": str(retry_after_header_s(retry_after_s))}
        return Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "admission", "many nodes come at once; come back", after)
