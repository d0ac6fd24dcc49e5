"""The shell for node sessions: it accepts WebSocket connections, and tells what comes in on each.

Who is let in is decided at the door (`hub.door`), what is sent stands in `hub.peers`, and what follows from what nodes
say is for whoever is told.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import weakref
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hub.accepting import accept_no_more
from hub.decisions.effects import ConnectionId
from hub.door import Door, NodeGrant, Refusal
from hub.peers import CLOSE_TIMEOUT_S, Peer, Peers, Socket, address_of
from protocol.close_codes import CloseCode
from protocol.codec import node_frames_decoder
from protocol.errors import FrameTooBigError, ProtocolError
from protocol.frames import NodeFrame
from protocol.limits import HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX, SUBPROTOCOL
from protocol.logs import fields

logger = logging.getLogger(__name__)

# The library writes a traceback for each handshake that somebody breaks off, and a line for each connection. The first
# is a way to fill our disk from outside; who came and went is in the nodes' records. What fails here we log ourselves.
_library_logger = logging.getLogger(f"{__name__}.websockets")
_library_logger.setLevel(logging.CRITICAL)

# A handshake is one small request; a peer that needs longer drips on purpose.
OPEN_WITHIN_S = 10.0

# Pings find dead links: a dead peer is noticed after interval + timeout + close timeout, 45 s. Where heartbeats are so
# frequent that their absence says it sooner, pings would only double what an idle session costs.
PING_EVERY_S = 20.0
PING_TIMEOUT_S = 20.0

# Messages received and not yet taken. The core takes each at once; past this the peer is too fast, and TCP slows it.
MESSAGES_QUEUED_MAX = 16

# The kernel's line of connections that are not accepted yet: a whole fleet may knock in the same second.
BACKLOG = 4096


class GatewayEvents(Protocol):
    """Whom the gateway tells what came in; the driver, on the same loop."""

    def node_opened(self, connection: ConnectionId, allowed_node: str | None) -> None:
        """A socket was accepted."""
        ...

    def node_frames(self, connection: ConnectionId, message: Sequence[NodeFrame]) -> None:
        """Frames came, of one message. Raises ProtocolError if they came out of turn."""
        ...

    def mark_left(self, connection: ConnectionId) -> None:
        """All that was to be sent on a connection before its mark has left."""
        ...

    def node_closed(self, connection: ConnectionId, reason: str) -> None:
        """The socket is gone."""
        ...


class Gateway:
    """Accept nodes on one address.

    Args:
        events: whom to tell.
        peers: where the connections stand while they are open.
        door: who may come in.
        silent_after_s: when a node of which nothing was heard is dropped by whoever is told what it says.
    """

    def __init__(self, events: GatewayEvents, peers: Peers, door: Door, *, silent_after_s: float) -> None:
        self._pings_every_s = PING_EVERY_S if silent_after_s > PING_EVERY_S + PING_TIMEOUT_S else None
        self._events = events
        self._peers = peers
        self._door = door
        # From the check of a handshake to its connection; a handshake that fails in between leaves nothing.
        self._grants: weakref.WeakKeyDictionary[ServerConnection, NodeGrant] = weakref.WeakKeyDictionary()
        self._last: ConnectionId = 0
        self._server: Server | None = None
        # One for all connections: it remembers nothing from one message to the next.
        self._decoder = node_frames_decoder()
        self._instance_id = secrets.token_hex(8)
        self.messages_received = 0

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        if self._server is None:
            raise RuntimeError("the gateway is not started")
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def is_listening(self) -> bool:
        """Whether nodes are accepted."""
        return self._server is not None and self._server.is_serving() and not self._door.is_closed

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen. Raises OSError if the address cannot be had."""
        self._server = await serve(
            self._serve_peer,
            host,
            port,
            ssl=tls,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
            process_request=self._check_handshake,
            process_response=self._sign_handshake,
            compression=None,
            create_connection=Socket,
            logger=_library_logger,
            server_header=None,
            max_size=MESSAGE_BYTES_MAX,
            max_queue=MESSAGES_QUEUED_MAX,
            open_timeout=OPEN_WITHIN_S,
            ping_interval=self._pings_every_s,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            backlog=BACKLOG,
        )

    async def stop(self) -> None:
        """Close every connection with 1012 and stop listening; twice is harmless."""
        self._door.close()
        if self._server is None:
            return
        await accept_no_more(self._server.server)
        self._server.close(close_connections=False)
        await self._peers.close_all(CloseCode.SERVICE_RESTART, "the hub stops; come back")
        await self._server.wait_closed()

    # --- handshakes ---------------------------------------------------------------------------------------------------

    def _check_handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        """Decide about a handshake before it is answered; None lets it pass."""
        verdict = self._door.judge(request.path, request.headers, address_of(socket))
        if not isinstance(verdict, Refusal):
            if verdict is not None:
                self._grants[socket] = verdict
            return None
        response = socket.respond(verdict.status, verdict.message + "\n")
        for name, value in verdict.headers.items():
            response.headers[name] = value
        return response

    def _sign_handshake(self, _socket: ServerConnection, _request: Request, response: Response) -> None:
        """Say which process this is, so that nobody tries to resume a session of another."""
        response.headers[HUB_INSTANCE_HEADER] = self._instance_id

    # --- one connection ---------------------------------------------------------------------------------------------

    async def _serve_peer(self, socket: ServerConnection) -> None:
        """Carry one connection from its handshake to its end."""
        if not isinstance(socket, Socket):
            raise TypeError("a connection that the server did not make as it was told")
        self._last += 1
        number = self._last
        grant = self._grants.pop(socket, None)
        address = address_of(socket)
        # Not from within the writing: what follows is put to be sent.
        tell_mark = partial(asyncio.get_running_loop().call_soon, self._events.mark_left, number)
        self._peers.add(number, Peer(socket, grant, tell_mark))
        self._door.enter(address)
        self._events.node_opened(number, grant.node_id if grant is not None else None)
        reason = "the connection broke"
        try:
            reason = await self._listen(number, socket)
        except Exception:
            # The top of this connection: a bug must not pass in silence, nor end anything else.
            logger.exception(
                "connection %d from %s failed", number, address, extra=fields(connection=number, address=address)
            )
            socket.transport.abort()
        finally:
            self._door.leave(address)
            self._peers.remove(number)
            self._events.node_closed(number, reason)

    async def _listen(self, number: ConnectionId, socket: Socket) -> str:
        """Take messages until the connection ends; give the reason."""
        try:
            while True:
                message = await socket.recv(decode=False)
                self.messages_received += 1
                frames = self._decoder.decode(message)
                if frames:
                    self._events.node_frames(number, frames)
                if socket.unread is not None:
                    await socket.unread
        except ConnectionClosed as closed:
            return _close_reason(closed)
        except ProtocolError as error:
            code = CloseCode.TOO_BIG if isinstance(error, FrameTooBigError) else error.close_code
            # A close frame carries 123 bytes of reason at most.
            text = str(error).encode()[:120].decode("utf-8", "ignore")
            address = address_of(socket)
            about = fields(connection=number, address=address)
            logger.warning("connection %d from %s closed: %s", number, address, error, extra=about)
            async with asyncio.timeout(CLOSE_TIMEOUT_S + 1):
                await socket.close(code, text)
            return f"protocol error: {error}"


def _close_reason(closed: ConnectionClosed) -> str:
    """Say in words why a connection ended, for the node's record."""
    received = closed.rcvd
    if received is not None:
        return f"closed by the node with {received.code}{f': {received.reason}' if received.reason else ''}"
    if closed.sent is not None:
        return f"closed by the hub with {closed.sent.code}{f': {closed.sent.reason}' if closed.sent.reason else ''}"
    return "the connection broke"
