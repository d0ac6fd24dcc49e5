"""Servers on loopback for the tasks to check: HTTP that takes its time, TCP, and TLS with a certificate of its own."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dashboards.demo.processes import free_ports

# A request that is not here by then is none.
REQUEST_WITHIN_S = 10.0
# Longer than any task asks for.
DELAY_S_MAX = 10.0
OPENSSL_WITHIN_S = 15.0

_DELAY = re.compile(rb"GET /after/(\d{1,2}\.\d\d) HTTP/1\.1\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the services listen; nobody listens on ``closed``."""

    http: int
    tcp: int
    closed: int
    tls: int | None
    ca_path: Path | None


class Services:
    """The servers, up between enter and exit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[asyncio.Server] = []
        self._conversations: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def start(self) -> Ports:
        """Start the servers, and say where they are. Without `openssl` there is no TLS server."""
        certificate = await make_certificate(self._folder)
        http = await self._listen(None)
        tcp = await self._listen(None)
        tls = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.chain_path, certificate.key_path)
            tls = await self._listen(context)
        return Ports(
            http=http,
            tcp=tcp,
            closed=free_ports(1)[0],
            tls=tls,
            ca_path=certificate.chain_path if certificate else None,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()

    async def _listen(self, context: ssl.SSLContext | None) -> int:
        server = await asyncio.start_server(self._converse, "127.0.0.1", 0, ssl=context)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.current_task()
        if conversation is not None:
            self._conversations.add(conversation)
            conversation.add_done_callback(self._conversations.discard)
        try:
            await _answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            # Whoever only wanted to see that the port is open has hung up by now.
            pass
        except asyncio.CancelledError:
            # Ours, from the exit, and nobody waits for more of it: the stream's own callback would log it as an error.
            pass
        finally:
            writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCertificate:
    """A certificate that signs itself, for localhost."""

    chain_path: Path
    key_path: Path


async def make_certificate(folder: Path) -> MadeCertificate | None:
    """Make a certificate with the `openssl` command; None if there is no such command or it will not."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    made = MadeCertificate(chain_path=folder / "localhost.pem", key_path=folder / "localhost.key")
    process = await asyncio.create_subprocess_exec(
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
        *("-subj", "/O=Moorline demo/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(made.key_path), "-out", str(made.chain_path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(OPENSSL_WITHIN_S):
            status = await process.wait()
    except TimeoutError:
        process.kill()
        status = await process.wait()
    return made if status == 0 else None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(REQUEST_WITHIN_S):
        request = await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(_delay_s(request))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nwell\n")
    await writer.drain()


def _delay_s(request: bytes) -> float:
    matched = _DELAY.match(request)
    return min(float(matched[1]), DELAY_S_MAX) if matched else 0.0
