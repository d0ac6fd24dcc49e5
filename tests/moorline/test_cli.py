from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from moorline import cli as module
from moorline.cli import OWN, LazyGroup, cli, load_command, main
from moorline.failures import MEANINGS, CommandError, ExitCode

ROOT = Path(__file__).parents[2]
HEAVY = {"aiohttp", "rich", "websockets", "uvloop", "msgspec", "orjson"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def imported_by(*arguments: str) -> set[str]:
    """Run the command and give the top-level modules that it imported."""
    script = (
        "import json, sys\n"
        "from moorline.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print('\\n' + json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["hub", "--help"], ["token", "create", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & HEAVY


@pytest.mark.parametrize("arguments", [["task", "--help"], ["submit", "--help"], ["doctor", "--help"]])
def test_help_of_a_client_command_imports_no_network_library(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & {"aiohttp", "rich", "websockets", "uvloop"}


def test_the_table_of_commands_is_that_of_the_entry_points() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {own.name: own.target for own in OWN} == project["entry-points"]["moorline.commands"]
    assert project["scripts"]["moorline"] == "moorline.cli:main"


def test_help_shows_each_command_and_each_exit_status() -> None:
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for own in OWN:
        assert f"  {own.name} " in result.output
        assert own.summary in result.output
    for code, meaning in MEANINGS.items():
        assert f"  {int(code):<3}  {meaning}" in result.output


def test_each_exit_status_is_documented() -> None:
    reference = (ROOT / "docs/reference/cli.md").read_text()
    for code, meaning in MEANINGS.items():
        assert f"| {int(code)} | {meaning} |" in reference


@pytest.mark.parametrize("name", [own.name for own in OWN])
def test_each_command_has_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: cli {name}" in result.output


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [(["tsak", "list"], "task"), (["hbu"], "hub"), (["node", "lst"], "list"), (["task", "cancle"], "cancel")],
)
def test_a_mistyped_command_is_answered_with_the_nearest_one(arguments: list[str], suggestion: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == ExitCode.USAGE
    assert f"Did you mean '{suggestion}'" in result.stderr


def test_a_mistyped_option_is_answered_with_the_nearest_one() -> None:
    result = CliRunner().invoke(cli, ["hub", "--node-prot", "1"])
    assert result.exit_code == ExitCode.USAGE
    assert "--node-port" in result.stderr


def test_the_version_is_the_installed_one() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert result.output == f"moorline {importlib.metadata.version('moorline')}\n"


def test_a_checkout_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("moorline.version.version", missing)
    assert "not installed" in CliRunner().invoke(cli, ["--version"]).output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_MOORLINE_COMPLETE" in result.output


def completions(words: str, position: int) -> list[str]:
    environment = {
        **os.environ, "_MOORLINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "moorline.cli"], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_values_are_completed() -> None:
    assert completions("moorline tok", 1) == ["token"]
    assert completions("moorline task ca", 2) == ["cancel"]
    assert completions("moorline hub --dura", 2) == ["--durability"]
    assert completions("moorline hub --durability ", 3) == ["full", "normal"]


class TestCommandsOfOthers:
    def test_an_installed_package_adds_its_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_installed", lambda: {"extra": f"{__name__}:extra"})
        assert "An extra thing." in CliRunner().invoke(cli, ["--help"]).output
        assert CliRunner().invoke(cli, ["extra"]).output == "extra\n"

    def test_a_broken_one_does_not_break_the_help(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_installed", lambda: {"broken": "no.such.module:x", "odd": f"{__name__}:ROOT"})
        result = CliRunner().invoke(cli, ["--help"])
        assert result.exit_code == 0
        assert "broken" in result.output

    def test_a_broken_one_says_what_is_broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_installed", lambda: {"broken": "no.such.module:x"})
        result = CliRunner().invoke(cli, ["broken"])
        assert result.exit_code == ExitCode.FAILED
        assert "`broken` cannot be loaded from no.such.module:x" in result.stderr

    def test_what_is_no_command_is_refused(self) -> None:
        with pytest.raises(CommandError, match="no command"):
            load_command("odd", f"{__name__}:ROOT")


@click.command()
def extra() -> None:
    """An extra thing."""
    click.echo("extra")


@click.group(cls=LazyGroup)
def interrupted() -> None:
    pass


@interrupted.command()
def stop() -> None:
    raise KeyboardInterrupt


def test_ctrl_c_ends_with_130_and_without_a_traceback() -> None:
    result = CliRunner().invoke(interrupted, ["stop"])
    assert result.exit_code == ExitCode.INTERRUPTED
    assert "Traceback" not in result.output


def test_ctrl_c_in_a_conversation_ends_with_130(tmp_path: Path) -> None:
    # A server that takes the connection and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "moorline.cli", "task", "list", "--url", f"http://127.0.0.1:{server.getsockname()[1]}"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in errors


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "moorline.cli", "config"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == ExitCode.BROKEN_PIPE
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_main_ends_the_process_with_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("moorline ")


@pytest.mark.parametrize(
    ("variable", "arguments", "option"),
    [
        ("MOORLINE_HUB_NODE_PORT", ["hub"], "--node-port"),
        ("MOORLINE_URL", ["task", "list"], "--url"),
        ("MOORLINE_TASK_LIST_LIMIT", ["task", "list"], "--limit"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, arguments: list[str], option: str) -> None:
    result = CliRunner().invoke(cli, arguments, env={variable: "wrong"})
    assert result.exit_code == ExitCode.USAGE
    assert f"'{option}' (from {variable})" in result.stderr


def test_a_wrong_flag_names_no_variable() -> None:
    result = CliRunner().invoke(cli, ["task", "list", "--url", "wrong"])
    assert result.exit_code == ExitCode.USAGE
    assert "MOORLINE" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["node", "--slots", "many"], "'many' is no whole number; give one from 1 to 4096"),
        (["node", "--slots", "0"], "0 is out of bounds; give a whole number from 1 to 4096"),
        (["node", "--drain-timeout-s", "-1"], "-1.0 is out of bounds; give a number, 0 or more"),
        (["hub", "--heartbeat-s", "often"], "'often' is no number\n"),
        (["hub", "--retention-s", "7d"], "'7d' is no number; it counts seconds: 604800"),
        (["hub", "--state", __file__], f"{__file__} is a file; give a folder"),
        (["hub", "--alerts", "."], ". is a folder; give a file"),
        (["task", "list", "--token", "a b"], "printable ASCII"),
        (["submit", "add", "--delay", "900d"], "'900d' is out of bounds; give at most 366d"),
        (["submit", "add", "--timeout", "0"], "'0' is out of bounds; give more than 0, and at most 30d"),
        (["alert", "silence", "--for", "60d"], "'60d' is out of bounds; give more than 0, and at most 31d"),
        (["chaos", "--html", "/nowhere/x.html"], "cannot be written: there is no folder /nowhere"),
        (["demo", "--svg", "/"], "/ is a folder; give a file"),
        (["task", "list", "--since", "soon"], "'soon' is no time; write 10m (ago), or 2031-"),
    ],
)
def test_a_wrong_value_is_told_as_a_person_would(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == ExitCode.USAGE
    assert words in result.stderr
    assert "not a valid" not in result.stderr


def test_a_variable_that_is_neither_yes_nor_no_is_told() -> None:
    result = CliRunner().invoke(cli, ["hub"], env={"MOORLINE_HUB_DASHBOARD": "perhaps"})
    assert result.exit_code == ExitCode.USAGE
    assert "(from MOORLINE_HUB_DASHBOARD): 'perhaps' is neither yes nor no" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_full_disk_under_stdout_is_an_error_and_no_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "moorline.cli", "config"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.FAILED
    assert "Error: stdout takes no more: No space left on device\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_who_closes_stdout_wants_no_output() -> None:
    command = f"{sys.executable} -m moorline.cli config >&-"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def commands_below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if path != "moorline":
        yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from commands_below(inner, f"{path} {name}")


COMMANDS = dict(commands_below(cli, "moorline"))


@pytest.mark.parametrize("path", COMMANDS)
def test_each_command_shows_how_it_is_used(path: str) -> None:
    shown = CliRunner().invoke(cli, [*path.split()[1:], "--help"]).stdout
    examples = [line for line in shown.splitlines()[1:] if line.startswith("  ") and path in line]
    assert examples, shown
    # click's names of types.
    assert "RANGE" not in shown
    assert "INTEGER" not in shown


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if not isinstance(command, click.Group)])
def test_each_option_says_what_it_is_for(path: str) -> None:
    for parameter in COMMANDS[path].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.opts
