"""SIGHUP has a hub read its certificate and its rules again, while its sessions and its work go on."""

from __future__ import annotations

import signal
import ssl
import sys

import aiohttp
import trustme

from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, HubProcess, NodeProcess
from tests.faults.waiting import until, until_told
from tests.pseudo_terminal import on_terminal

RULE = '[rule.{name}]\nkind = "node_unreachable"\nfor_s = 30\n'


async def rules(fleet: Fleet) -> set[str]:
    async with aiohttp.ClientSession() as http, http.get(f"{fleet.hub.url}/v1/alerts") as answer:
        return {rule["name"] for rule in (await answer.json())["rules"]}


async def test_rules_that_have_changed_hold_without_a_restart_and_wrong_ones_change_nothing(fleet: Fleet) -> None:
    path = fleet.folder / "alerts.toml"
    path.write_text(RULE.format(name="first"))
    fleet.hub.add_arguments("--alerts", str(path))
    fleet.hub.has_terminal = False
    fleet.hub.start()
    node = fleet.add_node("n")
    node.wait_for_line("connected to hub")
    assert "first" in await rules(fleet)
    path.write_text(RULE.format(name="second"))
    fleet.hub.signal(signal.SIGHUP)

    async def is_new() -> bool:
        return "second" in await rules(fleet)

    await until_told(is_new, "the new rule holds")
    assert "first" not in await rules(fleet)
    path.write_text("[rule.second]\nkind = 'node_unreachible'\n")
    fleet.hub.signal(signal.SIGHUP)
    await until(lambda: "the rules of alerts stay as they were" in fleet.hub.log, "the hub says what is wrong")
    assert "second" in await rules(fleet)
    async with Client(fleet.hub.url) as client:
        assert await (await client.submit(app.noop, 1)).result(PATIENCE_S) == 1
        assert (await client.node("n")).connects == 1


async def test_a_certificate_that_was_renewed_is_served_without_a_restart(fleet: Fleet) -> None:
    authority = trustme.CA()
    ca, pem = fleet.folder / "ca.pem", fleet.folder / "hub.pem"
    authority.cert_pem.write_to_path(str(ca))

    def renew() -> None:
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))

    def serial() -> str:
        return ssl.get_server_certificate(("127.0.0.1", fleet.hub.http_port), timeout=PATIENCE_S)

    renew()
    fleet.hub = HubProcess(fleet.folder / "hub", "--tls-cert", str(pem), "--tls-key", str(pem))
    fleet.hub.has_terminal = False
    fleet.hub.start()
    url = fleet.hub.node_url.replace("ws://", "wss://")
    node = NodeProcess(url, fleet.folder / "n", fleet.folder / "truth.ndjson", "n", "--ca", str(ca))
    fleet.nodes.append(node)
    node.start()
    node.wait_for_line("connected to hub")
    before = serial()
    renew()
    fleet.hub.signal(signal.SIGHUP)
    await until(lambda: "the certificate was read again" in fleet.hub.log, "the hub has read it")
    assert serial() != before
    async with Client(fleet.hub.url.replace("http://", "https://"), ca=ca) as client:
        assert await (await client.submit(app.noop, 1)).result(PATIENCE_S) == 1
        assert (await client.node("n")).connects == 1


def test_a_hub_whose_terminal_closes_ends_in_order(fleet: Fleet) -> None:
    command = (sys.executable, "run_hub.py", "--state", str(fleet.folder / "h"), "--no-dashboard")
    ports = ("--node-port", str(fleet.hub.node_port), "--http-port", str(fleet.hub.http_port))
    with on_terminal(*command, *ports) as terminal:
        terminal.wait_for("hub ready")
        terminal.hang_up()
        assert terminal.process.wait(timeout=PATIENCE_S) == 0
