"""A hub with certificates of a private authority: nodes and clients that trust it get in, others do not."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import psutil
import pytest
import trustme

from moorline import Client, HubUnavailableError
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, HubProcess, NodeProcess


class Certificates:
    """A private authority, a certificate for the hub, and one for a node."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.hub = folder / "hub.pem"
        self.node = folder / "node.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(self.hub))
        authority.issue_cert("node@example.org").private_key_and_cert_chain_pem.write_to_path(str(self.node))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def secure(fleet: Fleet, certificates: Certificates, *more: str) -> HubProcess:
    pem = str(certificates.hub)
    fleet.hub = HubProcess(fleet.folder / "hub", "--tls-cert", pem, "--tls-key", pem, *more)
    fleet.hub.start()
    return fleet.hub


def add_node(fleet: Fleet, *arguments: str) -> NodeProcess:
    url = fleet.hub.node_url.replace("ws://", "wss://")
    node = NodeProcess(url, fleet.folder / "n", fleet.folder / "truth.ndjson", "n", *arguments)
    fleet.nodes.append(node)
    node.start()
    return node


async def test_tasks_run_over_tls_with_a_private_authority(fleet: Fleet, certificates: Certificates) -> None:
    hub = secure(fleet, certificates)
    add_node(fleet, "--ca", str(certificates.ca))
    url = hub.url.replace("http://", "https://")
    async with Client(url, ca=certificates.ca) as client:
        assert await (await client.submit(app.noop, 3)).result(PATIENCE_S) == 3
    async with Client(url, submit_timeout_s=0.5) as stranger:
        with pytest.raises(HubUnavailableError):
            await stranger.submit(app.noop, 4)


async def test_a_client_that_is_closed_leaves_no_connection_behind(fleet: Fleet, certificates: Certificates) -> None:
    hub = secure(fleet, certificates)
    async with Client(hub.url.replace("http://", "https://"), ca=certificates.ca) as client:
        await client.submit(app.noop, 3)
        assert connections_to(hub.http_port)
        # A hub that does not say goodbye is not waited for.
        hub.signal(signal.SIGSTOP)
    # What was dropped is closed in the next turn of the loop.
    await asyncio.sleep(0)
    assert not connections_to(hub.http_port)


def connections_to(port: int) -> list[str]:
    """Give this process's connections to a port that are still in use."""
    found = psutil.Process().net_connections("tcp")
    return [item.status for item in found if item.raddr and item.raddr.port == port and item.fd >= 0]


async def test_a_hub_that_asks_nodes_for_certificates_lets_in_who_shows_one(
    fleet: Fleet, certificates: Certificates
) -> None:
    hub = secure(fleet, certificates, "--client-ca", str(certificates.ca))
    node = add_node(fleet, "--ca", str(certificates.ca))
    node.wait_for_line("no session with a hub")
    node.kill()
    pem = str(certificates.node)
    shows = add_node(fleet, "--ca", str(certificates.ca), "--client-cert", pem, "--client-key", pem)
    shows.wait_for_line("connected to hub")
    async with Client(hub.url.replace("http://", "https://"), ca=certificates.ca) as client:
        assert await (await client.submit(app.noop, 3)).result(PATIENCE_S) == 3
