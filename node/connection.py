"""One connection to a hub: the dial and what can be wrong with it, frames in, frames out.

It decides nothing. Everything that the core says between two wake-ups of the writer travels in one message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    ProxyError,
)
from websockets.protocol import State
from websockets.typing import Subprotocol

from node import failpoints
from node.errors import ConnectionLostError, DialError, SettingsError
from protocol.codec import encode_messages, hub_frames_decoder
from protocol.frames import HubFrame, NodeFrame
from protocol.limits import HUB_INSTANCE_HEADER, MESSAGE_BYTES_MAX, NAME_CHARACTERS_MAX, NODE_PATH, SUBPROTOCOL

logger = logging.getLogger(__name__)

# From the first packet to the end of the handshake: a satellite link and a slow TLS handshake fit.
OPEN_WITHIN_S: Final = 15.0

# Pings find dead links below the session. Heartbeats find the same sooner, and dead hubs as well, unless a hub wants
# them very rarely: pings are for those.
PING_EVERY_S: Final = 60.0
PING_TIMEOUT_S: Final = 20.0
CLOSE_WITHIN_S: Final = 5.0

# How long one message may take to leave. The heartbeat monitor has left the connection long before.
SEND_WITHIN_S: Final = 60.0

# Messages received and not yet taken: the core takes each at once; past this TCP slows the hub down.
MESSAGES_QUEUED_MAX: Final = 16

# From here on lossy frames are not sent: all slots' results, and a hub that does not read.
FRAMES_CONGESTED: Final = 10_000

# A close frame has room for 123 bytes of reason.
CLOSE_REASON_BYTES_MAX: Final = 123

# As much of a refusal's text as is worth a log line.
BODY_CHARACTERS_MAX: Final = 200


class _Socket(ClientConnection):
    """A WebSocket that need not be waited for while its peer reads."""

    @property
    def takes_more(self) -> bool:
        """Whether a message may be written at once: the connection is open, and the hub reads."""
        return self.protocol.state is State.OPEN and not self.paused and not self.transport.is_closing()

    def write(self, message: bytes) -> None:
        """Write a text message at once. Only while it `takes_more`: what `send` does then, without a time limit."""
        self.protocol.send_text(message)
        self.send_data()


class Connection:
    """A connection that is open, with a writer of its own for what the hub does not read at once."""

    def __init__(self, socket: _Socket) -> None:
        self._socket = socket
        self._decoder = hub_frames_decoder()
        self._waiting: deque[NodeFrame] = deque()
        self._messages: Iterator[bytes] = iter(())
        self._is_woken = False
        self._has_more = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._writer = self._loop.create_task(self._write_on(), name="connection-writer")

    @property
    def is_congested(self) -> bool:
        """Whether so much waits to be sent that what may be lost should be."""
        return len(self._waiting) > FRAMES_CONGESTED

    @property
    def hub_instance(self) -> str:
        """Which process of the hub this leads to; empty if it did not say."""
        response = self._socket.response
        return "" if response is None else response.headers.get(HUB_INSTANCE_HEADER, "")[:NAME_CHARACTERS_MAX]

    def send(self, frames: Sequence[NodeFrame]) -> None:
        """Queue frames, in order. Returning proves nothing: only the hub's answer does."""
        self._waiting.extend(frames)
        if not self._is_woken and not self._has_more.is_set():
            self._is_woken = True
            self._loop.call_soon(self._write)

    async def receive(self) -> list[HubFrame]:
        """Give the frames of the next message. Cancelling it loses nothing.

        Raises:
            ConnectionLostError: the connection has ended.
            protocol.errors.ProtocolError: what came is not a message of a hub; close the connection.
        """
        try:
            message = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise _lost(closed) from None
        return self._decoder.decode(message)

    async def close(self, code: int, reason: str) -> None:
        """Close it, within `CLOSE_WITHIN_S`; twice is harmless. What waited to be sent is dropped."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        await self._socket.close(code, reason.encode()[:CLOSE_REASON_BYTES_MAX].decode("utf-8", "ignore"))

    def _next_message(self) -> bytes | None:
        """Give the next message to send, with as many of the frames that wait as go into one; None if none waits."""
        message = next(self._messages, None)
        if message is None and self._waiting:
            frames = list(self._waiting)
            self._waiting.clear()
            self._messages = _messages(frames)
            message = next(self._messages, None)
        return message

    def _write(self) -> None:
        """Write what waits, grouped, as far as the hub reads it; the rest is the writer's."""
        self._is_woken = False
        try:
            while self._socket.takes_more:
                message = self._next_message()
                if message is None:
                    return
                self._socket.write(message)
        except Exception:
            self._give_up()
        else:
            self._has_more.set()

    async def _write_on(self) -> None:
        """Send what could not be written at once, until the connection ends."""
        try:
            while True:
                await self._has_more.wait()
                while (message := self._next_message()) is not None:
                    async with asyncio.timeout(SEND_WITHIN_S):
                        await self._socket.send(message, text=True)
                self._has_more.clear()
        except ConnectionClosed:
            # Whoever receives hears of it too.
            pass
        except TimeoutError:
            logger.warning("the hub took no message for %.0f s; the connection is dropped", SEND_WITHIN_S)
            self._socket.transport.abort()
        except ConnectionResetError:
            self._socket.transport.abort()
        except Exception:
            self._give_up()

    def _give_up(self) -> None:
        """Drop a connection that cannot be written to: the next one begins with all that is still to be said."""
        logger.exception("a frame could not be sent, which is a bug in Moorline; the connection is dropped")
        self._socket.transport.abort()


def _messages(frames: Sequence[NodeFrame]) -> Iterator[bytes]:
    failpoints.before_send(frames)
    yield from encode_messages(frames)
    failpoints.after_send(frames)


class _Dial(connect):
    """A dial that follows no redirect: who the hub is, the operator says, and nobody else. A loop of redirects would be
    ten dials in one.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Leave a redirect as the refusal that it is."""
        return exc


class Dialer:
    """Dials hubs.

    Args:
        token: sent as a bearer token.
        ca: a file of certificates that hubs are checked against, instead of the system's.
        client_cert, client_key: who we are, for hubs that ask.
        proxy: an address, ``"auto"`` for what the environment says, None for a direct connection.
        version: for the hub's logs.

    Raises:
        SettingsError: a certificate file cannot be read.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        ca: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
        proxy: str | None = None,
        version: str = "",
    ) -> None:
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tls = _tls(ca, client_cert, client_key)
        self._proxy: str | Literal[True] | None = True if proxy == "auto" else proxy
        self._user_agent = f"moorline-node/{version}"

    async def dial(self, url: str) -> Connection:
        """Connect to a hub.

        Raises:
            DialError: it cannot be had; the error says why, what to do, and how long to wait where the hub said so.
        """
        address = url.rstrip("/")
        if not address.endswith(NODE_PATH):
            address += NODE_PATH
        options: dict[str, Any] = {"ssl": self._tls} if address.startswith("wss:") else {}
        try:
            socket = await _Dial(
                address,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers=self._headers,
                user_agent_header=self._user_agent,
                compression=None,
                create_connection=_Socket,
                proxy=self._proxy,
                max_size=MESSAGE_BYTES_MAX,
                max_queue=MESSAGES_QUEUED_MAX,
                open_timeout=OPEN_WITHIN_S,
                ping_interval=PING_EVERY_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_WITHIN_S,
                **options,
            )
        except (OSError, InvalidHandshake, InvalidProxy, ConnectionClosed, EOFError, ImportError) as error:
            raise explain(error, is_tls=bool(options)) from error
        if socket.subprotocol != SUBPROTOCOL:
            await socket.close()
            raise DialError(NOT_A_HUB, "check the address and the port")
        if not isinstance(socket, _Socket):
            raise TypeError("a connection that the library did not make as it was told")
        return Connection(socket)


NOT_A_HUB: Final = "this address answers something else than a Moorline hub"

# By whether TLS was tried: what may be wrong about the address, where only the other end could know.
_OTHER_SCHEME: Final = {
    False: "if the hub wants TLS, write wss://",
    True: "if the hub has no TLS, write ws://",
}


def explain(error: Exception, *, is_tls: bool = False) -> DialError:
    """Say in words what a failed dial means, and what to do about it.

    Args:
        error: what the dial met.
        is_tls: whether the address is one of TLS, wss://.
    """
    match error:
        case InvalidStatus():
            return _explain_status(error)
        case InvalidProxy() | ProxyError():
            return DialError(f"the proxy does not let us through ({error})", "check --proxy")
        case ImportError():
            # The library needs another package for SOCKS, which the environment may ask for.
            return DialError(f"the proxy is of a kind that needs more ({error})", "pip install python-socks")
        case ConnectionClosed():
            # Reset between the connect and our first byte.
            return DialError("the connection was closed before we could speak")
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            # What a proxy does whose hub is away, and a hub that expects TLS and is greeted without it.
            return DialError("the connection was closed before it was answered", _OTHER_SCHEME[is_tls])
        case InvalidMessage() | EOFError() | InvalidHandshake():
            return DialError(f"{NOT_A_HUB} ({error})", "check the address and the port")
        case ssl.SSLCertVerificationError():
            remedy = "give the authority that signed it with --ca, or have the hub's certificate renewed"
            return DialError(f"the hub's certificate is not trusted ({error.verify_message})", remedy)
        case ssl.SSLError():
            return DialError(f"TLS failed ({error})", "if the hub has no TLS on this port, write ws://")
        case OSError():
            return _explain_os_error(error, is_tls)
    return DialError(f"{type(error).__name__}: {error}")


def _explain_os_error(error: OSError, is_tls: bool) -> DialError:
    match error:
        case TimeoutError():
            return DialError(f"no answer within {OPEN_WITHIN_S:.0f} s")
        case ConnectionRefusedError():
            return DialError("connection refused: nothing listens there")
        case ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            # So a hub without TLS answers the greeting of TLS; asyncio raises some of them without any words.
            return DialError("the connection was reset before it was answered", _OTHER_SCHEME[is_tls])
    return DialError(error.strerror or str(error) or type(error).__name__)


def _explain_status(error: InvalidStatus) -> DialError:
    response = error.response
    status = response.status_code
    said = _words(response.headers.get("Content-Type", ""), response.body)
    if status == 401:
        return DialError(f"the hub refuses the token{said}", "give a valid one with --token", is_fatal=True)
    if status == 403:
        return DialError(f"the hub does not let this node in{said}", "use a token with the role node", is_fatal=True)
    if status == 426:
        return DialError(f"the hub speaks another version{said}", "upgrade the older of the two", is_fatal=True)
    if 300 <= status < 400:
        place = response.headers.get("Location", "nowhere")[:BODY_CHARACTERS_MAX]
        return DialError(
            f"this address points to another ({status}: {place!r})", "name that one with --hub, as wss://…"
        )
    if status in {429, 503}:
        return DialError(f"the hub takes nobody now ({status}){said}", retry_after_s=_seconds(response.headers))
    return DialError(f"{NOT_A_HUB} (HTTP {status}){said}", "check the address and the port")


def _words(content_type: str, body: bytes | bytearray | None) -> str:
    """Give the first line of a refusal, if it is meant for people."""
    if not body or not content_type.startswith("text/plain"):
        return ""
    text = body[: 4 * BODY_CHARACTERS_MAX].decode("utf-8", "replace").strip()
    line = text.splitlines()[0][:BODY_CHARACTERS_MAX] if text else ""
    return f": {line}" if line.isprintable() and line else ""


def _seconds(headers: Any) -> float | None:
    """Read ``Retry-After`` (RFC 9110 §10.2.3); a date there would need two clocks that agree, and is left out."""
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isdecimal() and len(text) < 10 else None


def _lost(closed: ConnectionClosed) -> ConnectionLostError:
    # 1006 (RFC 6455 §7.4.1): the connection broke without a close frame.
    if closed.rcvd is None:
        reason = closed.sent.reason if closed.sent is not None else "the connection broke"
        return ConnectionLostError(1006, reason or "the connection broke")
    return ConnectionLostError(closed.rcvd.code, closed.rcvd.reason)


def _tls(ca: Path | None, client_cert: Path | None, client_key: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError("ca", str(ca), f"a file of PEM certificates ({_tls_reason(error)})") from error
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key)
        except (OSError, ssl.SSLError) as error:
            expected = f"a PEM certificate with its key ({_tls_reason(error)})"
            raise SettingsError("client cert", str(client_cert), expected) from error
    return context


def _tls_reason(error: OSError) -> str:
    """Give OpenSSL's reason without its codes and the line of its source."""
    text = re.sub(r"^\[[^\]]*\]\s*|\s*\(_ssl\.c:\d+\)$", "", error.strerror or str(error))
    return "it holds no PEM that belongs there" if text == "PEM lib" else text
