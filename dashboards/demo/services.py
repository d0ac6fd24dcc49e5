"""Servers on loopback for the tasks to check: HTTP that takes its time, TCP, and TLS with a certificate of its own."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dashboards.installation.processes import held_ports
from moorline.testing.fault_listener import Listener, owned_by

# A request that is not here by then is none.
REQUEST_WITHIN_S = 10.0
# A peer that has its answer and does not say goodbye is not waited for.
CLOSE_WITHIN_S = 2.0
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
    """The servers, up between enter and exit.

    Each connection has a task that owns it from the moment it was accepted until it is closed, also while it is in
    the middle of a TLS handshake: an `asyncio.Server` would wait for that, for up to a minute.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listeners: list[Listener] = []
        self._conversations: set[asyncio.Task[None]] = set()
        self._closed_port = contextlib.ExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def start(self) -> Ports:
        """Start the servers, and say where they are. Without `openssl` there is no TLS server."""
        certificate = await make_certificate(self._folder)
        http = self._listen(None)
        tcp = self._listen(None)
        tls = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.chain_path, certificate.key_path)
            tls = self._listen(context)
        return Ports(
            http=http,
            tcp=tcp,
            closed=self._closed_port.enter_context(held_ports(1))[0],
            tls=tls,
            ca_path=certificate.chain_path if certificate else None,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            listener.close()
        ending = list(self._conversations)
        for conversation in ending:
            conversation.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        self._closed_port.close()

    def _listen(self, context: ssl.SSLContext | None) -> int:
        listener = Listener("127.0.0.1", 0, lambda client: self._begin(client, context))
        self._listeners.append(listener)
        listener.occupy()
        listener.listen()
        return listener.port

    def _begin(self, client: socket.socket, context: ssl.SSLContext | None) -> None:
        conversation = asyncio.create_task(_converse(client, context))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)
        owned_by(conversation, client)


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


async def _converse(client: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer one request, or none, and close. Cancelling it closes too, at once."""
    # Whoever only wanted to see that the port is open has hung up by now.
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        reader, writer = await _open_streams(client, context)
        try:
            await _answer(reader, writer)
            writer.close()
            await writer.wait_closed()
        finally:
            # Harmless if it is closed; else nobody is left to whom what is still under way would matter.
            writer.transport.abort()


async def _open_streams(
    client: socket.socket, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    transport, protocol = await loop.connect_accepted_socket(
        lambda: asyncio.StreamReaderProtocol(reader, loop=loop),
        client,
        ssl=context,
        ssl_handshake_timeout=REQUEST_WITHIN_S if context else None,
        ssl_shutdown_timeout=CLOSE_WITHIN_S if context else None,
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    async with asyncio.timeout(REQUEST_WITHIN_S):
        request = await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(_delay_s(request))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nwell\n")
    await writer.drain()


def _delay_s(request: bytes) -> float:
    matched = _DELAY.match(request)
    return min(float(matched[1]), DELAY_S_MAX) if matched else 0.0
