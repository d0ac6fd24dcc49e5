from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import socket
import time
from pathlib import Path

import pytest

from dashboards.demo import services
from dashboards.demo.services import Services, make_certificate
from examples.diagnosis import certificate_check, http_check, tcp_check

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl command")


async def test_every_service_answers_as_the_tasks_expect(tmp_path: Path) -> None:
    async with Services(tmp_path) as up:
        ports = await up.start()
        http = await http_check(f"http://127.0.0.1:{ports.http}/")
        tcp = await tcp_check("127.0.0.1", ports.tcp)
        closed = await tcp_check("127.0.0.1", ports.closed)
    assert (http["status"], http["body_bytes"]) == (200, 5)
    assert tcp["is_reachable"] is True
    assert closed["is_reachable"] is False


@needs_openssl
async def test_the_certificate_is_trusted_by_who_is_given_it(tmp_path: Path) -> None:
    async with Services(tmp_path) as up:
        ports = await up.start()
        assert ports.tls is not None
        result = await certificate_check("localhost", ports.tls, ca_path=str(ports.ca_path))
    assert result["is_trusted"] is True


async def test_http_takes_the_time_that_the_path_names(tmp_path: Path) -> None:
    async with Services(tmp_path) as up:
        ports = await up.start()
        result = await http_check(f"http://127.0.0.1:{ports.http}/after/0.20")
    assert isinstance(result["first_byte_ms"], float)
    assert result["first_byte_ms"] >= 190


async def test_leaving_ends_conversations_that_are_under_way(tmp_path: Path) -> None:
    async with Services(tmp_path) as up:
        ports = await up.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
        writer.write(b"GET /after/9.00 HTTP/1.1\r\n\r\n")
        await writer.drain()
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 5
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()


@needs_openssl
@pytest.mark.parametrize("turns", range(6))
async def test_leaving_closes_who_has_just_come_at_whatever_turn_of_the_loop(tmp_path: Path, turns: int) -> None:
    async with Services(tmp_path) as up:
        ports = await up.start()
        clients = [socket.create_connection(("127.0.0.1", port or 0), 5) for port in (ports.http, ports.tcp, ports.tls)]
        for _ in range(turns):
            await asyncio.sleep(0)
    for client in clients:
        # Whoever was taken hears an end, whoever was not a reset; nobody waits for the time out.
        with client, contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
    # A transport that nobody closed speaks up when it is collected, and the test fails.
    gc.collect()


async def test_without_openssl_there_is_no_certificate_and_no_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    async with Services(tmp_path) as up:
        ports = await up.start()
    assert (ports.tls, ports.ca_path) == (None, None)


async def test_an_openssl_that_refuses_or_hangs_makes_no_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "openssl"
    monkeypatch.setattr("shutil.which", lambda name: str(fake))
    monkeypatch.setattr(services, "OPENSSL_WITHIN_S", 0.1)
    for script in ("exit 1", "exec sleep 60"):
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        assert await make_certificate(tmp_path) is None
