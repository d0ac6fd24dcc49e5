"""A port on which probes ask a node how it is: three routes of HTTP/1.1, one answer a connection.

A node does not load a web server for that. Whoever asks gets what `node.decisions.health` says and nothing else: there
is no secret in it, and nothing that can be changed.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Final

import msgspec

from node.decisions.health import Look
from node.errors import SettingsError

logger = logging.getLogger(__name__)

# A request is a few lines; whoever needs longer for them drips on purpose.
REQUEST_BYTES_MAX: Final = 8 * 1024
REQUEST_WITHIN_S: Final = 5.0

# Probes come one by one.
CONNECTIONS_MAX: Final = 16

# asyncio takes a connection from the kernel in one turn of the loop, makes its transport in the next, tells its
# protocol in the one after that, and begins our task in a fourth.
ACCEPTED_WITHIN_TURNS: Final = 4

_LIVE: Final = b'{"ready":true,"reasons":[]}'
_STARTING: Final = b'{"ready":false,"reasons":["the node starts"]}'


class HealthPort:
    """Answers `/livez` (this thread turns), `/readyz` (200 if ready, else 503) and `/health` (always 200).

    Args:
        host, port: where it listens; port 0 lets the system pick.
        look: looks at the node.
    """

    def __init__(self, host: str, port: int, look: Look) -> None:
        self._host = host
        self._port = port
        self._look = look
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        if self._server is None:
            raise RuntimeError("the port is not open")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the address cannot be had.
        """
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=REQUEST_BYTES_MAX)
        except OSError as error:
            where = f"{self._host}:{self._port}"
            raise SettingsError("health port", where, f"a free port of this machine ({error.strerror})") from error
        logger.info("health on http://%s:%d/readyz", self._host, self.port)

    async def stop(self) -> None:
        """Listen no more, and drop who is connected. Twice is harmless."""
        server, self._server = self._server, None
        if server is not None:
            # Who came just now is dropped with the others; a server that is closed meanwhile would forget it.
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            for _ in range(ACCEPTED_WITHIN_TURNS):
                await asyncio.sleep(0)
            server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            async with asyncio.timeout(REQUEST_WITHIN_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Too slow, too long, or gone: there is nobody to be told.
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        """Answer the first line; what else a request says does not matter here."""
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in {b"GET", b"HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, b'{"error":"it takes GET"}', method)
        match path:
            case b"/livez":
                return _response(HTTPStatus.OK, _LIVE, method)
            case b"/readyz" | b"/health":
                health = self._look()
                is_good = path == b"/health" or (health is not None and health.ready)
                status = HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE
                return _response(status, _STARTING if health is None else msgspec.json.encode(health), method)
            case _:
                return _response(HTTPStatus.NOT_FOUND, b'{"error":"there are /livez, /readyz and /health"}', method)


def _response(status: HTTPStatus, body: bytes, method: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)
