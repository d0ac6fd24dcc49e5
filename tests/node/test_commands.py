"""The command ``moorline node``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from node import service
from node.commands import LazyGroup, node
from node.errors import AppBrokenError, StateFolderLockedError
from node.settings import NodeSettings

# What a node must never load, and what its help must not either.
HEAVY = {"aiohttp", "rich"}
HEAVY_FOR_HELP = {*HEAVY, "websockets", "uvloop", "msgspec", "orjson", "anyio"}


class Runs:
    """Takes the place of `node.service.run`."""

    def __init__(self) -> None:
        self.settings: list[NodeSettings] = []
        self.error: Exception | None = None

    def __call__(self, settings: NodeSettings) -> int:
        self.settings.append(settings)
        if self.error is not None:
            raise self.error
        return 7


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr(service, "run", runs)
    return runs


def invoke(arguments: Sequence[str], **environment: str) -> Result:
    return CliRunner().invoke(node, arguments, env=environment, auto_envvar_prefix="MOORLINE_NODE")


def test_each_option_reaches_its_setting(runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "file.pem"
    file.write_text("")
    arguments = [
        *("--hub", "ws://a", "--hub", "wss://b", "--app", "x.y", "--app", "z.py", "--node-id", "n", "--name", "N"),
        *("--label", "gpu=h100", "--label", "site=a=b", "--slots", "3", "--state", str(tmp_path), "--token", "t"),
        *("--ca", str(file), "--client-cert", str(file), "--client-key", str(file), "--proxy", "auto"),
        *("--drain-timeout-s", "5"),
    ]
    assert invoke(arguments).exit_code == 7
    assert runs.settings == [
        NodeSettings(
            hubs=("ws://a", "wss://b"),
            apps=("x.y", "z.py"),
            node_id="n",
            name="N",
            labels={"gpu": "h100", "site": "a=b"},
            slots=3,
            state=tmp_path,
            token="t",
            ca=file,
            client_cert=file,
            client_key=file,
            proxy="auto",
            drain_timeout_s=5.0,
        )
    ]


def test_without_options_the_defaults_are_those_of_the_settings(runs: Runs) -> None:
    assert invoke([]).exit_code == 7
    assert runs.settings == [NodeSettings()]


def test_the_token_also_comes_from_the_common_variable(runs: Runs) -> None:
    invoke([], MOORLINE_TOKEN="common")
    invoke([], MOORLINE_TOKEN="common", MOORLINE_NODE_TOKEN="own")
    assert [settings.token for settings in runs.settings] == ["common", "own"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--label", "nonsense"], "KEY=VALUE"),
        (["--hub", "http://x"], "ws://"),
        (["--slots", "0"], "--slots"),
        (["--ca", "/no/such/file"], "--ca"),
    ],
)
def test_a_bad_value_is_a_usage_error_that_says_what_would_be_right(
    runs: Runs, arguments: list[str], words: str
) -> None:
    result = invoke(arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not runs.settings


def broken_app() -> AppBrokenError:
    try:
        try:
            raise ZeroDivisionError("in user code")
        except ZeroDivisionError as cause:
            raise AppBrokenError("app x cannot be imported") from cause
    except AppBrokenError as error:
        return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (StateFolderLockedError(Path("s"), "12"), 6, ["in use by process 12"]),
        (broken_app(), 2, ["ZeroDivisionError: in user code", "Error: app x cannot be imported"]),
    ],
)
def test_a_node_that_cannot_start_says_why_in_words(runs: Runs, error: Exception, code: int, words: list[str]) -> None:
    runs.error = error
    result = invoke([])
    assert result.exit_code == code
    assert all(word in result.stderr for word in words)


def test_the_help_lists_the_commands_about_nodes_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from node.commands import node\n"
        "try: node(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(' '.join(set(sys.modules) & {HEAVY_FOR_HELP!r}) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr
    for word in ("--hub", "--app", "cordon", "disconnect", "SIGTERM"):
        assert word in run.stdout


def test_running_a_node_loads_no_http_client() -> None:
    code = f"import sys, node.service; sys.exit(' '.join(set(sys.modules) & {HEAVY!r}) or 0)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stderr


def test_a_subcommand_is_imported_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, runs: Runs) -> None:
    class Commands:
        @staticmethod
        @click.command()
        def node_list() -> None:
            click.echo("listed")

        node_get = "not a command"

    def find(name: str) -> Any:
        assert name == "moorline.node_commands"
        return Commands

    monkeypatch.setattr("importlib.import_module", find)
    assert invoke(["list"]).output == "listed\n"
    assert invoke(["get"]).exit_code == 2
    assert invoke(["nonsense"]).exit_code == 2
    assert not runs.settings
    assert isinstance(node, LazyGroup)


def test_a_label_that_is_given_twice_is_refused(runs: Runs) -> None:
    result = invoke(["--label", "site=berlin", "--label", "site=paris"])
    assert (result.exit_code, runs.settings) == (2, [])
    assert "site is given twice: 'berlin' and 'paris'" in result.stderr


def test_the_end_of_the_line_does_not_belong_to_a_token(runs: Runs) -> None:
    invoke([], MOORLINE_TOKEN="moor_secret\r\n")
    assert runs.settings[0].token == "moor_secret"


def test_the_authority_may_be_that_of_all_commands(runs: Runs, tmp_path: Path) -> None:
    paths = [tmp_path / "common.pem", tmp_path / "own.pem"]
    for path in paths:
        path.write_text("")
    invoke([], MOORLINE_CA=str(paths[0]))
    invoke([], MOORLINE_CA=str(paths[0]), MOORLINE_NODE_CA=str(paths[1]))
    assert [settings.ca for settings in runs.settings] == paths
