from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from moorline.cli import cli
from tests.moorline.cli_hub import CliHub, node, task
from tests.moorline.raw_server import RawServer


def completed(*words: str) -> list[tuple[str, str | None]]:
    """Complete the last word, as a shell would."""
    items = ShellComplete(cli, {"auto_envvar_prefix": "MOORLINE"}, "moorline", "_MOORLINE_COMPLETE")
    return [(item.value, item.help) for item in items.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def here(hub: CliHub, monkeypatch: pytest.MonkeyPatch) -> CliHub:
    monkeypatch.setenv("MOORLINE_URL", hub.url)
    hub.nodes = {"web-1": node("web-1"), "web-2": node("web-2", state="gone"), "db-1": node("db-1")}
    hub.tasks = {"t1": task("t1", "running"), "u1": task("u1")}
    return hub


def test_ids_of_nodes_are_completed(here: CliHub) -> None:
    assert completed("node", "drain", "web-") == [("web-1", "online"), ("web-2", "gone")]
    assert here.requests == ["GET /v1/nodes?limit=50&filter=id~web-"]
    assert [name for name, _ in completed("node", "get", "")] == ["web-1", "web-2", "db-1"]


def test_ids_of_the_newest_tasks_are_completed(here: CliHub) -> None:
    assert completed("task", "cancel", "t") == [("t1", "add running")]
    assert completed("task", "get", "") == [("t1", "add running"), ("u1", "add queued")]


def test_the_token_and_the_address_of_the_line_count(here: CliHub, monkeypatch: pytest.MonkeyPatch) -> None:
    here.token = "sesame"
    assert completed("task", "get", "") == []
    assert len(completed("task", "get", "--token", "sesame", "")) == 2
    monkeypatch.setenv("MOORLINE_URL", "http://127.0.0.1:1")
    assert len(completed("task", "get", "--url", here.url, "--token", "sesame", "")) == 2


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"])
def test_what_is_no_hub_completes_nothing(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(lambda _: answer) as server:
        monkeypatch.setenv("MOORLINE_URL", f"http://127.0.0.1:{server.port}")
        assert completed("node", "get", "") == []
