"""`moorline hub` and `moorline token`, by the command line, on a real store and real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import trustme
from click.testing import CliRunner, Result

from hub.commands import SectionOption
from hub.commands import hub as hub_command
from hub.settings import HubSettings
from moorline.cli import cli
from moorline.failures import ExitCode

ROOT = Path(__file__).parents[2]
READY = re.compile(r"hub ready: nodes (\S+) http (\S+) id (\S+)")


pytestmark = pytest.mark.usefixtures("alone")


@contextlib.contextmanager
def running(*arguments: str, script: tuple[str, ...] = ("-m", "moorline.cli", "hub")) -> Iterator[tuple[str, str]]:
    """Run a hub on ports of the system's choice; give where nodes and clients connect. It must end with 0."""
    process = subprocess.Popen(
        [sys.executable, *script, "--node-port", "0", "--http-port", "0", *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr:
        said = ""
        while not (found := READY.search(said)):
            line = process.stderr.readline()
            assert line, said
            said += line
        try:
            yield found[1], found[2]
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a hub that cannot start."""
    return subprocess.run(
        [sys.executable, "-m", "moorline.cli", "hub", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


class TestOptions:
    def test_each_setting_is_an_option_with_the_same_default(self) -> None:
        fields = {field.name: field.default for field in msgspec.structs.fields(HubSettings)}
        assert hub_command.make_context("hub", []).params == fields

    def test_each_option_has_help_and_a_section(self) -> None:
        for option in hub_command.params:
            assert isinstance(option, SectionOption)
            assert option.help
            assert option.section

    def test_help_is_by_section(self) -> None:
        output = CliRunner().invoke(cli, ["hub", "--help"]).output
        places = [
            output.index(f"\n{title}:") for title in ("Where it listens", "What it keeps", "Who may come in", "Limits")
        ]
        assert places == sorted(places)
        assert "MOORLINE_HUB_NODE_PORT" in output


class TestRunning:
    def test_it_says_where_it_listens_and_ends_with_0(self, tmp_path: Path) -> None:
        with running("--state", str(tmp_path / "hub")) as (nodes, clients):
            assert nodes.startswith("ws://127.0.0.1:")
            result = CliRunner().invoke(cli, ["doctor", "--url", clients, "--hub", nodes, "--state", str(tmp_path)])
            assert result.exit_code == 0, result.output

    def test_a_checkout_has_a_script_for_it(self, tmp_path: Path) -> None:
        with running("--state", str(tmp_path / "hub"), script=("run_hub.py",)) as (_, clients):
            assert CliRunner().invoke(cli, ["node", "list", "--url", clients]).exit_code == 0


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Give the error without log lines; there must be no traceback."""
    assert "Traceback" not in done.stderr
    return done.stderr[done.stderr.index("Error: ") :]


class TestStartErrors:
    @pytest.mark.parametrize("option", ["--node-port", "--http-port"])
    def test_a_port_that_is_taken_ends_with_6(self, tmp_path: Path, option: str) -> None:
        other = "--http-port" if option == "--node-port" else "--node-port"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = start("--state", str(tmp_path), option, str(port), other, "0")
        assert done.returncode == ExitCode.CONFLICT
        assert f"another process listens on 127.0.0.1:{port}" in said(done)

    def test_an_address_of_another_machine_ends_with_2(self, tmp_path: Path) -> None:
        done = start("--state", str(tmp_path), "--node-host", "192.0.2.1", "--insecure")
        assert done.returncode == ExitCode.USAGE
        assert "no address of this machine" in said(done)

    def test_being_open_to_strangers_is_refused_with_2(self, tmp_path: Path) -> None:
        done = start("--state", str(tmp_path), "--http-host", "0.0.0.0", "--http-port", "0", "--node-port", "0")
        assert done.returncode == ExitCode.USAGE
        assert "there are no tokens" in said(done)
        assert f"  moorline token create --role admin --state {tmp_path}" in said(done)

    def test_a_wrong_word_in_the_file_of_alerts_ends_with_2_and_the_nearest_one(self, tmp_path: Path) -> None:
        path = tmp_path / "alerts.toml"
        path.write_text("[rule.node_unreachabel]")
        arguments = ("--state", str(tmp_path / "hub"), "--node-port", "0", "--http-port", "0")
        done = start(*arguments, "--alerts", str(path))
        assert done.returncode == ExitCode.USAGE
        problem, remedy = said(done).splitlines()
        assert problem.endswith("alerts.toml: [rule.node_unreachabel] has no kind, and 'node_unreachabel' is none")
        assert remedy == "  Did you mean node_unreachable?"
        done = start(*arguments, "--alerts", str(tmp_path / "none.toml"))
        assert done.returncode == ExitCode.USAGE
        assert "--alerts" in said(done)

    def test_a_state_folder_in_use_ends_with_6(self, tmp_path: Path) -> None:
        with running("--state", str(tmp_path)):
            done = start("--state", str(tmp_path), "--node-port", "0", "--http-port", "0")
        assert done.returncode == ExitCode.CONFLICT
        assert "in use by another hub (pid " in said(done)

    def test_a_damaged_database_ends_with_1(self, tmp_path: Path) -> None:
        (tmp_path / "hub.db").write_bytes(b"no database" * 1000)
        done = start("--state", str(tmp_path), "--node-port", "0", "--http-port", "0")
        assert done.returncode == ExitCode.FAILED
        assert "hub.db" in said(done)

    def test_a_database_of_another_program_ends_with_1(self, tmp_path: Path) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as database:
            database.execute("CREATE TABLE recipes (name TEXT)")
            database.commit()
        done = start("--state", str(tmp_path), "--node-port", "0", "--http-port", "0")
        assert done.returncode == ExitCode.FAILED
        assert "another program" in said(done)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--heartbeat-s", "0"], "--heartbeat-s is 0\n  Give a value from 0.05 to 3600."),
            (["--node-port", "70000"], "--node-port is 70000"),
            (["--connections-max", "0"], "--connections-max is 0\n  Give a value from 1 to 1000000."),
            (["--retention-s", "-1"], "--retention-s is -1\n  Give 0 or more."),
            (["--node-port", "9", "--http-port", "9"], "--node-port and --http-port are both 9\n  Give nodes and"),
            (["--tls-cert", "none.pem"], "--tls-cert and --tls-key go together"),
            (["--tls-cert", "none.pem", "--tls-key", "none.key"], "--tls-cert none.pem cannot be read"),
        ],
    )
    def test_settings_that_cannot_be_end_with_2(self, tmp_path: Path, arguments: list[str], words: str) -> None:
        result = CliRunner().invoke(cli, ["hub", "--state", str(tmp_path), *arguments])
        assert result.exit_code == ExitCode.USAGE
        assert words in result.stderr

    def test_files_that_are_no_certificates_end_with_2(self, tmp_path: Path) -> None:
        wrong = tmp_path / "wrong.pem"
        wrong.write_text("none")
        done = start("--state", str(tmp_path), "--tls-cert", str(wrong), "--tls-key", str(wrong))
        assert done.returncode == ExitCode.USAGE
        assert said(done).startswith(f"Error: --tls-cert {wrong} holds no certificate in PEM form\n")

    def test_a_key_of_another_certificate_is_said_to_be_one(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        paths = []
        for number in range(2):
            paths.append(tmp_path / f"{number}.pem")
            authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(paths[-1]))
        done = start("--state", str(tmp_path), "--tls-cert", str(paths[0]), "--tls-key", str(paths[1]))
        assert said(done).startswith(f"Error: --tls-key {paths[1]} is not the key of --tls-cert {paths[0]}\n")
        assert done.returncode == ExitCode.USAGE

    def test_a_host_without_an_address_is_named(self, tmp_path: Path) -> None:
        done = start("--state", str(tmp_path), "--node-host", "nowhere.invalid", "--insecure", "--http-port", "0")
        assert done.returncode == ExitCode.USAGE
        assert said(done).startswith("Error: --node-host nowhere.invalid has no address: ")

    def test_an_unknown_log_level_ends_with_2(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(cli, ["hub", "--state", str(tmp_path)], env={"MOORLINE_LOG_LEVEL": "loud"})
        assert result.exit_code == ExitCode.USAGE
        assert "MOORLINE_LOG_LEVEL is LOUD" in result.stderr

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = start("--state", str(tmp_path / "file" / "hub"), "--node-port", "0", "--http-port", "0")
        assert done.returncode == ExitCode.FAILED
        assert said(done).startswith(f"Error: --state {tmp_path / 'file' / 'hub'} cannot be used: ")


class TestTokens:
    @pytest.fixture
    def state(self, tmp_path: Path) -> Path:
        return tmp_path / "hub"

    def run(self, state: Path, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["token", *arguments, "--state", str(state)])

    def test_the_secret_is_alone_on_stdout(self, state: Path) -> None:
        result = self.run(state, "create", "--role", "submit", "--name", "ci")
        assert result.exit_code == 0, result.output
        assert re.fullmatch(r"moor_[\w-]{43}\n", result.stdout)
        assert "moorline token revoke tok_" in result.stderr
        assert result.stdout.strip() not in result.stderr

    def test_a_list_shows_no_secrets(self, state: Path) -> None:
        secret = self.run(state, "create", "--role", "node", "--node", "n1", "--expires-in", "30d").stdout.strip()
        self.run(state, "create", "--role", "read", "--name", "eyes")
        result = self.run(state, "list")
        assert secret not in result.output
        rows = [re.split(r"  +", line) for line in result.stdout.splitlines()]
        assert rows[0] == ["ID", "NAME", "ROLE", "NODE", "CREATED", "EXPIRES", "STATE"]
        assert {(row[1], row[2], row[3], row[6]) for row in rows[1:]} == {
            ("node", "node", "n1", "valid"), ("eyes", "read", "-", "valid")
        }  # fmt: skip

    def test_a_token_for_ever_is_one_without_an_end(self, state: Path) -> None:
        result = self.run(state, "create", "--role", "node", "--expires-in", "99999999w")
        assert result.exit_code == ExitCode.USAGE
        assert "--expires-in is 6.048e+13\n  Give a time span above 0, and at most 100 years." in result.stderr

    def test_a_token_that_ends_after_all_dates_hides_no_other(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As versions before the bound have made them.
        monkeypatch.setattr("hub.tokens.EXPIRES_IN_S_MAX", float("inf"))
        self.run(state, "create", "--role", "node", "--expires-in", "99999999w")
        assert "after 9999" in self.run(state, "list").stdout

    def test_json_is_one_document(self, state: Path) -> None:
        created = json.loads(self.run(state, "create", "--role", "admin", "--expires-in", "1h", "--json").stdout)
        assert created["secret"].startswith("moor_")
        (listed,) = json.loads(self.run(state, "list", "--json").stdout)["tokens"]
        assert (listed["id"], listed["role"], "secret" in listed) == (created["id"], "admin", False)
        assert listed["expires_at"] - listed["created_at"] == 3600

    def test_a_revoked_token_stays_in_the_list(self, state: Path) -> None:
        created = json.loads(self.run(state, "create", "--role", "read", "--json").stdout)
        assert self.run(state, "revoke", created["id"]).exit_code == 0
        assert self.run(state, "list").stdout.splitlines()[1].endswith("revoked")

    def test_a_token_that_is_not_there_ends_with_5(self, state: Path) -> None:
        self.run(state, "create", "--role", "read")
        result = self.run(state, "revoke", "tok_none")
        assert (result.exit_code, "no token tok_none" in result.stderr) == (ExitCode.NOT_FOUND, True)

    def test_without_a_hub_s_folder_there_is_nothing_to_list(self, state: Path) -> None:
        result = self.run(state, "list")
        assert result.exit_code == ExitCode.NOT_FOUND
        assert "Give the state folder" in result.stderr

    @pytest.mark.parametrize("text", ["soon", "0", "-3d", "d"])
    def test_an_expiry_that_is_none_is_refused(self, state: Path, text: str) -> None:
        result = self.run(state, "create", "--role", "read", f"--expires-in={text}")
        assert result.exit_code == ExitCode.USAGE
        assert "30d" in result.stderr

    def test_only_a_node_s_token_is_for_one_node(self, state: Path) -> None:
        result = self.run(state, "create", "--role", "read", "--node", "n1")
        assert result.exit_code == ExitCode.USAGE
        assert "role node" in result.stderr

    def test_a_folder_that_cannot_be_made_ends_with_2(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        result = self.run(tmp_path / "file" / "hub", "create", "--role", "read")
        assert result.exit_code == ExitCode.USAGE
        assert "--state" in result.stderr

    def test_an_expired_token_is_said_to_be(self, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run(state, "create", "--role", "read", "--expires-in", "1h")

        class Tomorrow(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return datetime(2999, 1, 1, tzinfo=UTC)

        monkeypatch.setattr("hub.commands.datetime", Tomorrow)
        assert self.run(state, "list").stdout.splitlines()[1].endswith("expired")

    def test_a_running_hub_takes_notice(self, state: Path) -> None:
        first = self.run(state, "create", "--role", "admin").stdout.strip()
        with running("--state", str(state)) as (_, clients):
            created = json.loads(self.run(state, "create", "--role", "read", "--json").stdout)

            def status(secret: str) -> int:
                return CliRunner().invoke(cli, ["node", "list", "--url", clients, "--token", secret]).exit_code

            assert status(first) == 0
            assert status("moor_wrong") == ExitCode.REFUSED
            wait_until(lambda: status(created["secret"]) == 0)
            assert self.run(state, "revoke", created["id"]).exit_code == 0
            wait_until(lambda: status(created["secret"]) == ExitCode.REFUSED)


def wait_until(fact: object, tries_max: int = 500) -> None:
    """Ask again and again; each question takes a request's time."""
    assert callable(fact)
    assert any(fact() for _ in range(tries_max))
