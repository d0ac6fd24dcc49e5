"""The server under the application: it bounds connections, and the time that a silent one may stay.

What is no HTTP is answered here, in the shape of every other error, and does not fill the log: anybody can send it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final

from aiohttp import web

from hub.accepting import accept_no_more
from hub.http.bodies import JSON
from hub.http.connection import Connection
from hub.http.errors import TooManyConnectionsError

logger = logging.getLogger(__name__)

# Connections of clients at once: what the application takes in requests, and some idle ones.
CONNECTIONS_MAX: Final = 10_000

# How long a connection may say nothing, or drip, before its first or next request is complete.
IDLE_S: Final = 75.0

# The kernel's line of connections that are not accepted yet.
BACKLOG: Final = 1024

# How long requests under way may take when the hub stops: each is a commit away from its answer.
STOP_WITHIN_S: Final = 1.0

# Of one request: the longest line, which may list 500 task ids; the longest header field, and how many.
LINE_BYTES_MAX: Final = 16 * 1024
FIELD_BYTES_MAX: Final = 8 * 1024
HEADERS_MAX: Final = 64


class HttpServer:
    """One application on one address. `start` returns when it accepts, `stop` when all is closed; twice is harmless."""

    def __init__(self, application: web.Application, *, connections_max: int = CONNECTIONS_MAX) -> None:
        self._runner = web.AppRunner(application, handle_signals=False, shutdown_timeout=STOP_WITHIN_S)
        self._connections_max = connections_max
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen. Raises OSError if the address cannot be had."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, ssl=tls, backlog=BACKLOG)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the server listens on no port before `start`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Accept nothing new, give requests under way a moment, close."""
        if self._server is not None:
            await accept_no_more(self._server)
            await self._runner.cleanup()
            self._server = None

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= self._connections_max:
            return _Refusal(self._connections_max)
        return Connection(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=IDLE_S,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=FIELD_BYTES_MAX,
            max_headers=HEADERS_MAX,
            # Compressed bodies are refused by the handlers; unpacking them first would be the attack.
            auto_decompress=False,
        )


class _Refusal(asyncio.Protocol):
    """Tells a connection that there are too many, and closes it."""

    def __init__(self, connections_max: int) -> None:
        self._connections_max = connections_max

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer before anything is asked."""
        message = f"{self._connections_max} connections are open, the most that this hub takes"
        error = TooManyConnectionsError(message, "close idle ones, or come back in a second")
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(refusal(error))
        transport.close()


def refusal(error: TooManyConnectionsError) -> bytes:
    """Give a whole HTTP answer, for a connection that no request is read from."""
    body = error.body
    head = (
        f"HTTP/1.1 {error.status.value} {error.status.phrase}\r\n"
        f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
