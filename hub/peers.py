"""The connections of nodes as the hub writes to them: what waits to be sent on each, and how it leaves.

Everything that the core says to a node between two wake-ups of its writer travels in one message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from hub import failpoints
from hub.decisions.effects import ConnectionId
from hub.door import NodeGrant
from protocol.close_codes import CloseCode
from protocol.codec import encode_messages
from protocol.frames import Frame
from protocol.limits import MESSAGE_BYTES_MAX
from protocol.logs import fields

logger = logging.getLogger(__name__)

# How long a peer may take to answer a close.
CLOSE_TIMEOUT_S = 5.0

# What may wait to be sent to one node, in frames: all its slots, and acks for them. A node that does not read has far
# more. What tasks carry is bounded in bytes too (`hub.decisions.backlog`).
FRAMES_WAITING_MAX = 20_000

# How long one message may take to leave; a reader slower than that holds memory for nothing.
SEND_WITHIN_S = 30.0

# What may wait in a socket's buffer when its peer says something: one message, and the pongs that the library answers
# without waiting for room. A peer that pings and never reads would have us keep all of them.
UNREAD_BYTES_MAX = 2 * MESSAGE_BYTES_MAX


class Socket(ServerConnection):
    """A WebSocket whose peer has to read what it is answered, and that need not be waited for while it does."""

    unread: asyncio.Future[None] | None = None
    """What whoever reads this waits for before the next message; None: it may be read."""

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

    def stop_reading(self) -> None:
        """Take nothing more from the network until `read_on`. Twice is harmless."""
        if self.unread is None:
            self.unread = self.loop.create_future()
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Take again what comes. Twice is harmless."""
        unread, self.unread = self.unread, None
        if unread is None:
            return
        if not unread.done():
            unread.set_result(None)
        # The library may have had enough for a reason of its own; then it goes on by itself.
        if not self.recv_messages.paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits to read see that there is no more."""
        self.read_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; drop the connection if too many of ours wait."""
        super().data_received(data)
        waiting_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes > UNREAD_BYTES_MAX and not self.transport.is_closing():
            address = address_of(self)
            about = fields(address=address)
            logger.warning("%s does not read: %d bytes wait; dropping it", address, waiting_bytes, extra=about)
            self.transport.abort()


class Peer:
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

    def __init__(self, socket: Socket, grant: NodeGrant | None, tell_mark: Callable[[], object]) -> None:
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


class Peers:
    """The connections that are open, by number. On the event loop."""

    def __init__(self) -> None:
        self._peers: dict[ConnectionId, Peer] = {}
        self.messages_sent = 0
        """On all of them since the beginning."""

    def __len__(self) -> int:
        return len(self._peers)

    def add(self, number: ConnectionId, peer: Peer) -> None:
        """Take in a connection that was accepted."""
        self._peers[number] = peer

    def remove(self, number: ConnectionId) -> None:
        """Drop a connection that is gone, with what waits on it."""
        self._peers.pop(number).forget()

    def send(self, number: ConnectionId, frames: Sequence[Frame]) -> None:
        """Queue frames for a connection; they leave with the next message. Dropped if it is gone."""
        peer = self._peers.get(number)
        if peer is None or peer.close is not None:
            return
        peer.waiting.extend(frames)
        if len(peer.waiting) > FRAMES_WAITING_MAX:
            about = fields(connection=number, address=address_of(peer.socket))
            logger.warning(
                "connection %d does not read: %d frames wait; closing it", number, len(peer.waiting), extra=about
            )
            peer.forget()
            self.close(number, CloseCode.TOO_SLOW, "too slow: it does not read what it is sent")
        self._wake(peer)

    def mark(self, number: ConnectionId) -> None:
        """Have its peer tell the mark once all that waits for it has left. Dropped if it is gone, or goes before that.

        All but the last message: that may still be in the socket's own buffer, which takes no other until it has left.
        """
        peer = self._peers.get(number)
        if peer is None or peer.close is not None:
            return
        peer.is_marked = True
        self._wake(peer)

    def stop_reading(self, number: ConnectionId) -> None:
        """Leave unread what comes on a connection, until `read_on`."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.socket.stop_reading()

    def read_on(self, number: ConnectionId) -> None:
        """Read again what comes on a connection."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.socket.read_on()

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

    async def close_all(self, code: CloseCode, reason: str) -> None:
        """Close every connection, and wait until all are closed or given up, for a bounded time."""
        for number in list(self._peers):
            self.close(number, code, reason)
        flushing = [peer.flushing for peer in self._peers.values() if peer.flushing is not None]
        if flushing:
            await asyncio.wait(flushing, timeout=CLOSE_TIMEOUT_S + 1)

    def _wake(self, peer: Peer) -> None:
        """Have what waits written when the loop turns next, with all that is said to this peer until then."""
        if peer.flushing is not None:
            return
        if peer.close is not None:
            peer.flushing = asyncio.get_running_loop().create_task(self._flush(peer))
        elif not peer.is_woken:
            peer.is_woken = True
            asyncio.get_running_loop().call_soon(self._write, peer)

    def _write(self, peer: Peer) -> None:
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

    async def _flush(self, peer: Peer) -> None:
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
            address = address_of(socket)
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


def _give_up(peer: Peer, error: Exception) -> None:
    """Drop a connection on which something could not be said: the next one begins with all that is still to be said."""
    if not isinstance(error, ConnectionResetError):
        address = address_of(peer.socket)
        about = fields(address=address)
        logger.error("a frame to %s could not be sent; dropping it", address, exc_info=error, extra=about)
    peer.forget()
    peer.socket.transport.abort()


def address_of(socket: ServerConnection) -> str:
    """Give the address at the other end, without its port."""
    address = socket.remote_address
    return str(address[0]) if address else "unknown"
