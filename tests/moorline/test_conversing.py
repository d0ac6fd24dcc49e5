from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from moorline.cli import cli
from moorline.client import Client
from moorline.configuration import ClientSettings
from moorline.conversing import converse
from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, run
from tests.moorline.raw_server import RawServer


def test_no_hub_ends_with_3(hub: CliHub) -> None:
    with RawServer(lambda _: b"") as server:
        address = f"http://127.0.0.1:{server.port}"
    result = CliRunner().invoke(cli, ["task", "list", "--url", address])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert f"Error: {address} cannot be reached" in result.stderr
    assert "moorline doctor" in result.stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
def test_something_else_than_a_hub_ends_with_3_and_a_clear_sentence(answer: bytes) -> None:
    with RawServer(lambda _: answer) as server:
        result = CliRunner().invoke(cli, ["task", "list", "--url", f"http://127.0.0.1:{server.port}"])
    assert result.exit_code == ExitCode.UNREACHABLE
    assert f"127.0.0.1:{server.port}" in result.stderr
    assert "moorline doctor" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_token_ends_with_4(hub: CliHub) -> None:
    hub.token = "sesame"
    result = run(hub, "task", "list")
    assert result.exit_code == ExitCode.REFUSED
    assert "Give a token with --token or MOORLINE_TOKEN" in result.stderr
    assert run(hub, "task", "list", "--token", "sesame").exit_code == 0


def test_a_token_that_may_not_ends_with_4(hub: CliHub) -> None:
    hub.token = "sesame"
    result = run(hub, "task", "cancel", "t1", "--token", "read-only")
    assert result.exit_code == ExitCode.REFUSED
    assert "role" in result.stderr


def test_a_file_without_certificates_ends_with_2(hub: CliHub, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("none")
    result = run(hub, "task", "list", "--ca", str(ca))
    assert result.exit_code == ExitCode.USAGE
    assert "holds no certificates" in result.stderr


def test_settings_of_the_file_reach_the_client(hub: CliHub, tmp_path: Path) -> None:
    hub.token = "sesame"
    (tmp_path / "moorline.toml").write_text(f"[client]\nurl = '{hub.url}'\ntoken = 'sesame'\n")
    for command in (["task", "list"], ["node", "list"]):
        assert CliRunner().invoke(cli, command).exit_code == 0


def test_a_hub_that_is_slow_is_waited_for_and_named(hub: CliHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "waiting" not in run(hub, "task", "list").stderr
    monkeypatch.setattr("moorline.conversing.SAY_SO_AFTER_S", 0.0)

    async def slow(client: Client) -> int:
        await asyncio.sleep(0)
        await client.nodes()
        return 3

    said: list[str] = []
    monkeypatch.setattr("moorline.conversing.say", said.append)
    assert converse(ClientSettings(url=hub.url), slow) == 3
    assert said == [f"still waiting for {hub.url} …"]
    assert converse(ClientSettings(url=hub.url), slow, is_long=True) == 3
    assert len(said) == 1
