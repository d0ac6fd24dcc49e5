"""What the hub serves is what its files hold, also once they have changed; a wrong file changes nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from hub.tls import Tls

SOON = datetime(2031, 5, 17, 18, 0, tzinfo=UTC)
LATER = datetime(2033, 5, 17, 18, 0, tzinfo=UTC)


class Files:
    """A certificate, its key, and the authority that nodes must be of."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.cert, self.key, self.client_ca = (folder / name for name in ("hub.pem", "hub.key", "nodes.pem"))

    def write(self, expires: datetime) -> None:
        leaf = self.authority.issue_cert("127.0.0.1", not_after=expires)
        self.key.write_bytes(leaf.private_key_pem.bytes())
        self.cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))

    def trust(self, *authorities: trustme.CA) -> None:
        self.client_ca.write_bytes(b"".join(authority.cert_pem.bytes() for authority in authorities))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.write(SOON)
    return files


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    """Answer each connection with one byte, so that a client knows that its own certificate was taken."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def served(port: int, authority: trustme.CA, own: trustme.LeafCert | None = None) -> str:
    """Connect; give when the certificate that is served runs out. Raises ssl.SSLError: we are not let in."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if own is not None:
        own.configure_cert(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        assert await reader.readexactly(1) == b"!"
        return str(writer.get_extra_info("peercert")["notAfter"])
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_new_connections_get_the_certificate_that_is_there_now(files: Files) -> None:
    tls = Tls(files.cert, files.key, None)
    assert tls.expires_at == SOON.timestamp()
    async with serving(tls.for_clients) as port:
        assert "2031" in await served(port, files.authority)
        files.write(LATER)
        assert "2031" in await served(port, files.authority)
        tls.load()
        assert "2033" in await served(port, files.authority)
    assert tls.expires_at == LATER.timestamp()


async def test_a_certificate_whose_key_is_not_there_yet_changes_nothing(files: Files) -> None:
    tls = Tls(files.cert, files.key, None)
    key = files.key.read_bytes()
    files.write(LATER)
    files.key.write_bytes(key)
    async with serving(tls.for_clients) as port:
        with pytest.raises(ssl.SSLError):
            tls.load()
        assert "2031" in await served(port, files.authority)
        assert tls.expires_at == SOON.timestamp()
        files.cert.unlink()
        with pytest.raises(OSError, match="No such file"):
            tls.load()
        assert "2031" in await served(port, files.authority)


async def test_nodes_of_an_authority_that_was_added_are_let_in(files: Files) -> None:
    ours, theirs = trustme.CA(), trustme.CA()
    files.trust(ours)
    tls = Tls(files.cert, files.key, files.client_ca)
    node = theirs.issue_cert("node@example.org")
    async with serving(tls.for_nodes) as port:
        assert await served(port, files.authority, ours.issue_cert("node@example.org"))
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await served(port, files.authority, node)
        files.trust(ours, theirs)
        tls.load()
        assert await served(port, files.authority, node)


async def test_clients_need_no_certificate_where_nodes_do(files: Files) -> None:
    files.trust(trustme.CA())
    tls = Tls(files.cert, files.key, files.client_ca)
    async with serving(tls.for_clients) as port:
        assert await served(port, files.authority)
