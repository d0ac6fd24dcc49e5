"""The shell for node sessions: WebSocket connections in, frames to the core, frames of the core out.

It checks at the door what can be checked before anything is parsed (path, origin, token, limits, rate of admission) and
decides nothing else. Everything that the core says to a node between two wake-ups of its writer travels in one message.
"""

from __future__ import annotations

import asyncio
import http
import logging
import secrets
import ssl
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

from hub import failpoints
from hub.accepting import accept_no_more
from hub.decisions.admission import Admission, retry_after_header_s
from hub.decisions.effects import ConnectionId
from hub.store.now import Now
from protocol.close_codes import CloseCode
from protocol.codec import encode_messages, node_frames_decoder
from protocol.errors import FrameTooBigError, ProtocolError
from protocol.frames import Frame, NodeFrame
from protocol.limits import HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX, NODE_PATH, SUBPROTOCOL
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
CLOSE_TIMEOUT_S = 5.0

# Messages received and not yet taken. The core takes each at once; past this the peer is too fast, and TCP slows it.
MESSAGES_QUEUED_MAX = 16

# What may wait to be sent to one node, in frames: all its slots, and acks for them. A node that does not read has far
# more. What tasks carry is bounded in bytes too (`hub.decisions.backlog`).
FRAMES_WAITING_MAX = 20_000

# How long one message may take to leave; a reader slower than that holds memory for nothing.
SEND_WITHIN_S = 30.0

# What may wait in a socket's buffer when its peer says something: one message, and the pongs that the library answers
# without waiting for room. A peer that pings and never reads would have us keep all of them.
UNREAD_BYTES_MAX = 2 * MESSAGE_BYTES_MAX

# The kernel's line of connections that are not accepted yet: a whole fleet may knock in the same second.
BACKLOG = 4096


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


class GatewayEvents(Protocol):
    """Whom the gateway tells what came in; the service, on the same loop."""

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


class _Socket(ServerConnection):
    """A WebSocket whose peer has to read what it is answered, and that need not be waited for while it does."""

    @property
    def takes_more(self) -> bool:
        """Whether a message may be written at once: the connection is open, and its peer reads."""
        return self.protocol.state is State.OPEN and not self.paused and not self.transport.is_closing()

    def write(self, message: bytes) -> None:
        """Write a text message at once. Only while it `takes_more`: what `send` does then, without a task and a time
        limit for it.
        """
        self.protocol.send_text(message)
        self.send_data()

    def data_received(self, data: bytes) -> None:
        """Take bytes; drop the connection if too many of ours wait."""
        super().data_received(data)
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes > UNREAD_BYTES_MAX and not self.transport.is_closing():
            address = _address_of(self)
            about = fields(address=address)
            logger.warning("%s does not read: %d bytes wait; dropping it", address, waiting_bytes, extra=about)
            self.transport.abort()


class _Peer:
    """One accepted connection and what waits to be sent on it. ``close_by_s``: the loop's time by which it must be
    closed; ``limit``: of what its writer does at this moment; ``is_marked``: what waits now ends with a mark. When that
    has left, ``tell_mark`` is called.
    """

    __slots__ = (
        "_ends_with_mark",
        "_tell_mark",
        "close",
        "close_by_s",
        "flushing",
        "grant",
        "is_marked",
        "is_woken",
        "limit",
        "messages",
        "socket",
        "waiting",
    )

    def __init__(self, socket: _Socket, grant: NodeGrant | None, tell_mark: Callable[[], object]) -> None:
        self.socket = socket
        self.grant = grant
        self._tell_mark = tell_mark
        self.waiting: deque[Frame] = deque()
        self.messages: Iterator[bytes] = iter(())
        self.is_marked = False
        self._ends_with_mark = False
        self.is_woken = False
        self.close: tuple[CloseCode, str] | None = None
        self.close_by_s = float("inf")
        self.limit: asyncio.Timeout | None = None
        self.flushing: asyncio.Task[None] | None = None

    def next_message(self) -> bytes | None:
        """Give the next message to send, with as many of the frames that wait as go into one; None if none waits.
        To ask says that the one before has left.
        """
        message = next(self.messages, None)
        if message is None:
            if self._ends_with_mark:
                self._ends_with_mark = False
                self._tell_mark()
            if self.waiting:
                self._ends_with_mark, self.is_marked = self.is_marked, False
                frames = list(self.waiting)
                self.waiting.clear()
                self.messages = _messages(frames)
                message = next(self.messages, None)
            elif self.is_marked:
                # Behind nothing: what it was set for has left already.
                self.is_marked = False
                self._tell_mark()
        return message

    def forget(self) -> None:
        """Drop what waits."""
        self.waiting.clear()
        self.messages = iter(())
        self.is_marked = self._ends_with_mark = False


def _messages(frames: Sequence[Frame]) -> Iterator[bytes]:
    failpoints.before_send(frames)
    yield from encode_messages(frames)
    failpoints.after_send(frames)


class Gateway:
    """Accept nodes on one address.

    Args:
        events: whom to tell.
        needs_token: tells whether a token is needed now.
        check_token: gives the grant of a bearer token for a node, None where it has none; raises PermissionError with
            the reason where the token is known but not for nodes.
        admission: how many may come in per second.
        clock: the time.
        connections_max, connections_per_address_max: bounds.
        silent_after_s: when a node of which nothing was heard is dropped by whoever is told what it says.
    """

    def __init__(
        self,
        events: GatewayEvents,
        *,
        needs_token: Callable[[], bool],
        check_token: Callable[[str], NodeGrant | None],
        admission: Admission,
        clock: Callable[[], Now],
        connections_max: int,
        connections_per_address_max: int,
        silent_after_s: float,
    ) -> None:
        self._pings_every_s = PING_EVERY_S if silent_after_s > PING_EVERY_S + PING_TIMEOUT_S else None
        self._events = events
        self._needs_token = needs_token
        self._check_token = check_token
        self._admission = admission
        self._clock = clock
        self._connections_max = connections_max
        self._per_address_max = connections_per_address_max
        self._peers: dict[ConnectionId, _Peer] = {}
        self._addresses: Counter[str] = Counter()
        # From the check of a handshake to its connection; a handshake that fails in between leaves nothing.
        self._grants: weakref.WeakKeyDictionary[ServerConnection, NodeGrant] = weakref.WeakKeyDictionary()
        self._last: ConnectionId = 0
        self._server: Server | None = None
        self._stopping = False
        # One for all connections: it remembers nothing from one message to the next.
        self._decoder = node_frames_decoder()
        self._instance_id = secrets.token_hex(8)
        self.refusals: Counter[str] = Counter()
        """How many handshakes were refused, by reason."""
        self.messages_sent = 0
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
        return self._server is not None and self._server.is_serving() and not self._stopping

    @property
    def connections(self) -> int:
        """How many sockets are open."""
        return len(self._peers)

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
            create_connection=_Socket,
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

    def refuse_newcomers(self) -> None:
        """Answer every further handshake with 503."""
        self._stopping = True

    async def stop(self) -> None:
        """Close every connection with 1012 and stop listening; twice is harmless."""
        self._stopping = True
        if self._server is None:
            return
        await accept_no_more(self._server.server)
        self._server.close(close_connections=False)
        for number in list(self._peers):
            self.close(number, CloseCode.SERVICE_RESTART, "the hub stops; come back")
        flushing = [peer.flushing for peer in self._peers.values() if peer.flushing is not None]
        if flushing:
            await asyncio.wait(flushing, timeout=CLOSE_TIMEOUT_S + 1)
        await self._server.wait_closed()

    # --- the door ---------------------------------------------------------------------------------------------------

    def _check_handshake(self, socket: ServerConnection, request: Request) -> Response | None:
        """Decide about a handshake before it is answered; None lets it pass."""
        address = _address_of(socket)
        refusal = self._refusal(request.headers, request.path, address)
        if refusal is None:
            grant, refusal = self._authorize(request.headers)
            if grant is not None:
                self._grants[socket] = grant
        if refusal is None:
            refusal = self._crowd_refusal()
        if refusal is None:
            return None
        status, reason, message, headers = refusal
        self._grants.pop(socket, None)
        self.refusals[reason] += 1
        response = socket.respond(status, message + "\n")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    def _sign_handshake(self, _socket: ServerConnection, _request: Request, response: Response) -> None:
        """Say which process this is, so that nobody tries to resume a session of another."""
        response.headers[HUB_INSTANCE_HEADER] = self._instance_id

    def _refusal(self, headers: Headers, path: str, address: str) -> _Refusal | None:
        if path.partition("?")[0] != NODE_PATH:
            return _refuse(http.HTTPStatus.NOT_FOUND, "path", f"nodes connect to {NODE_PATH}, not to {path[:100]}")
        if headers.get("Origin") is not None:
            # A browser on a foreign page must not be able to act as a node; nodes send no Origin.
            return _refuse(
                http.HTTPStatus.FORBIDDEN, "origin", "browsers cannot be nodes: the Origin header is refused"
            )
        offered = [item.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for item in value.split(",")]
        if SUBPROTOCOL not in offered:
            found = ", ".join(offered)[:100] or "none"
            message = f"this hub speaks {SUBPROTOCOL}, the node offered {found}: upgrade the older of the two"
            return _refuse(http.HTTPStatus.UPGRADE_REQUIRED, "version", message)
        if self._stopping:
            return _refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, "stopping", "this hub stops", {"Retry-After": "1"})
        if len(self._peers) >= self._connections_max:
            message = f"{self._connections_max} connections are open, the most this hub takes"
            return _refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, "connections", message, {"Retry-After": "30"})
        if self._addresses[address] >= self._per_address_max:
            message = f"{self._per_address_max} connections from {address} are open, the most for one address"
            return _refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, "address", message, {"Retry-After": "30"})
        return None

    def _authorize(self, headers: Headers) -> tuple[NodeGrant | None, _Refusal | None]:
        if not self._needs_token():
            return None, None
        scheme, _, secret = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            message = "a token is needed: Authorization: Bearer …; make one with `moorline token create --role node`"
            return None, _refuse(http.HTTPStatus.UNAUTHORIZED, "token", message, {"WWW-Authenticate": "Bearer"})
        try:
            grant = self._check_token(secret.strip())
        except PermissionError as error:
            return None, _refuse(http.HTTPStatus.FORBIDDEN, "role", str(error))
        if grant is None:
            message = "the token is unknown, revoked or expired; make one with `moorline token create --role node`"
            return None, _refuse(http.HTTPStatus.UNAUTHORIZED, "token", message, {"WWW-Authenticate": "Bearer"})
        return grant, None

    def _crowd_refusal(self) -> _Refusal | None:
        retry_after_s = self._admission.admit(self._clock().steady_s)
        if retry_after_s is None:
            return None
        after = {"Retry-After": str(retry_after_header_s(retry_after_s))}
        return _refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, "admission", "many nodes come at once; come back", after)

    # --- one connection ---------------------------------------------------------------------------------------------

    async def _serve_peer(self, socket: ServerConnection) -> None:
        """Carry one connection from its handshake to its end."""
        if not isinstance(socket, _Socket):
            raise TypeError("a connection that the server did not make as it was told")
        self._last += 1
        number = self._last
        grant = self._grants.pop(socket, None)
        address = _address_of(socket)
        self._peers[number] = _Peer(socket, grant, partial(self._tell_mark, number))
        self._addresses[address] += 1
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
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            peer = self._peers.pop(number)
            peer.forget()
            self._events.node_closed(number, reason)

    async def _listen(self, number: ConnectionId, socket: ServerConnection) -> str:
        """Take messages until the connection ends; give the reason."""
        try:
            while True:
                message = await socket.recv(decode=False)
                self.messages_received += 1
                frames = self._decoder.decode(message)
                if frames:
                    self._events.node_frames(number, frames)
        except ConnectionClosed as closed:
            return _close_reason(closed)
        except ProtocolError as error:
            code = CloseCode.TOO_BIG if isinstance(error, FrameTooBigError) else error.close_code
            # A close frame carries 123 bytes of reason at most.
            text = str(error).encode()[:120].decode("utf-8", "ignore")
            address = _address_of(socket)
            about = fields(connection=number, address=address)
            logger.warning("connection %d from %s closed: %s", number, address, error, extra=about)
            async with asyncio.timeout(CLOSE_TIMEOUT_S + 1):
                await socket.close(code, text)
            return f"protocol error: {error}"

    # --- what the core wants sent -----------------------------------------------------------------------------------

    def send(self, number: ConnectionId, frames: Sequence[Frame]) -> None:
        """Queue frames for a connection; they leave with the next message. Dropped if it is gone."""
        peer = self._peers.get(number)
        if peer is None or peer.close is not None:
            return
        peer.waiting.extend(frames)
        if len(peer.waiting) > FRAMES_WAITING_MAX:
            about = fields(connection=number, address=_address_of(peer.socket))
            logger.warning(
                "connection %d does not read: %d frames wait; closing it", number, len(peer.waiting), extra=about
            )
            peer.forget()
            self.close(number, CloseCode.TOO_SLOW, "too slow: it does not read what it is sent")
        self._wake(peer)

    def mark(self, number: ConnectionId) -> None:
        """Tell `mark_left` once all that waits for a connection has left. Dropped if it is gone, or goes before that.

        All but the last message: that may still be in the socket's own buffer, which takes no other until it has left.
        """
        peer = self._peers.get(number)
        if peer is None or peer.close is not None:
            return
        peer.is_marked = True
        self._wake(peer)

    def _tell_mark(self, number: ConnectionId) -> None:
        # Not from within the writing: what follows is put to be sent.
        asyncio.get_running_loop().call_soon(self._events.mark_left, number)

    def close(self, number: ConnectionId, code: CloseCode, reason: str) -> None:
        """Close a connection after what waits to be sent on it; one that does not read is not waited for."""
        peer = self._peers.get(number)
        if peer is None or peer.close is not None:
            return
        peer.close = (code, reason.encode()[:120].decode("utf-8", "ignore"))
        peer.close_by_s = asyncio.get_running_loop().time() + CLOSE_TIMEOUT_S + 1
        if peer.limit is not None and not peer.limit.expired():
            peer.limit.reschedule(peer.close_by_s)
        self._wake(peer)

    def close_where(self, is_meant: Callable[[NodeGrant | None], bool], code: CloseCode, reason: str) -> int:
        """Close every connection whose grant is meant; give how many."""
        numbers = [number for number, peer in self._peers.items() if is_meant(peer.grant)]
        for number in numbers:
            self.close(number, code, reason)
        return len(numbers)

    def _wake(self, peer: _Peer) -> None:
        """Have what waits written when the loop turns next, with all that is said to this peer until then."""
        if peer.flushing is not None:
            return
        if peer.close is not None:
            peer.flushing = asyncio.get_running_loop().create_task(self._flush(peer))
        elif not peer.is_woken:
            peer.is_woken = True
            asyncio.get_running_loop().call_soon(self._write, peer)

    def _write(self, peer: _Peer) -> None:
        """Write what waits, grouped; what the peer does not read at once is left to a task."""
        peer.is_woken = False
        if peer.flushing is not None:
            return
        socket = peer.socket
        try:
            while socket.takes_more:
                message = peer.next_message()
                if message is None:
                    return
                socket.write(message)
                self.messages_sent += 1
        except Exception as error:
            _give_up(peer, error)
            return
        peer.flushing = asyncio.get_running_loop().create_task(self._flush(peer))

    async def _flush(self, peer: _Peer) -> None:
        """Send what waits, grouped, until nothing does; then close if that was asked for."""
        socket = peer.socket
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as peer.limit:
                while (message := peer.next_message()) is not None:
                    peer.limit.reschedule(min(loop.time() + SEND_WITHIN_S, peer.close_by_s))
                    await socket.send(message, text=True)
                    self.messages_sent += 1
                if peer.close is not None:
                    peer.limit.reschedule(peer.close_by_s)
                    await socket.close(*peer.close)
        except ConnectionClosed:
            peer.forget()
        except TimeoutError:
            address = _address_of(socket)
            about = fields(address=address)
            logger.warning("a message to %s did not leave in time; dropping the connection", address, extra=about)
            peer.forget()
            socket.transport.abort()
        except Exception as error:
            _give_up(peer, error)
        finally:
            peer.flushing = peer.limit = None
            if peer.waiting or peer.is_marked:
                self._wake(peer)


def _give_up(peer: _Peer, error: Exception) -> None:
    """Drop a connection on which something could not be said: the next one begins with all that is still to be said."""
    if not isinstance(error, ConnectionResetError):
        address = _address_of(peer.socket)
        about = fields(address=address)
        logger.error("a frame to %s could not be sent; dropping it", address, exc_info=error, extra=about)
    peer.forget()
    peer.socket.transport.abort()


_Refusal = tuple[http.HTTPStatus, str, str, dict[str, str]]


def _refuse(status: http.HTTPStatus, reason: str, message: str, headers: dict[str, str] | None = None) -> _Refusal:
    return status, reason, message, headers or {}


def _address_of(socket: ServerConnection) -> str:
    address = socket.remote_address
    return str(address[0]) if address else "unknown"


def _close_reason(closed: ConnectionClosed) -> str:
    """Say in words why a connection ended, for the node's record."""
    received = closed.rcvd
    if received is not None:
        return f"closed by the node with {received.code}{f': {received.reason}' if received.reason else ''}"
    if closed.sent is not None:
        return f"closed by the hub with {closed.sent.code}{f': {closed.sent.reason}' if closed.sent.reason else ''}"
    return "the connection broke"
