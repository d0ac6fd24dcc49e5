from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from moorline.cli import cli
from moorline.configuration import (
    FILE_BYTES_MAX,
    ClientSettings,
    Configuration,
    check_document,
    check_value,
    client_options,
    load_configuration,
    masked,
    unknown_variables,
)
from moorline.failures import CommandError, ExitCode

pytestmark = pytest.mark.usefixtures("alone")

FILE = Path("moorline.toml")


def find(name: str) -> click.Command | None:
    return cli.get_command(click.Context(cli), name)


def in_force(*arguments: str, **environment: str) -> dict[str, dict[str, dict[str, object]]]:
    result = CliRunner().invoke(cli, [*arguments, "--json"], env=environment)
    assert result.exit_code == 0, result.output
    settings: dict[str, dict[str, dict[str, object]]] = json.loads(result.stdout)["settings"]
    return settings


class TestPrecedence:
    def test_without_anything_there_is_the_default(self) -> None:
        assert in_force("config")["hub"]["node_port"] == {
            "value": 8765, "source": "default", "variable": "MOORLINE_HUB_NODE_PORT"
        }  # fmt: skip

    def test_the_file_comes_before_the_default(self) -> None:
        FILE.write_text("[hub]\nnode_port = 1\n[client]\nurl = 'http://h:2'\n")
        settings = in_force("config")
        assert (settings["hub"]["node_port"]["value"], settings["hub"]["node_port"]["source"]) == (1, "file")
        assert (settings["client"]["url"]["value"], settings["client"]["url"]["source"]) == ("http://h:2", "file")

    def test_a_variable_comes_before_the_file(self) -> None:
        FILE.write_text("[hub]\nnode_port = 1\n[client]\nurl = 'http://h:2'\n")
        settings = in_force("config", MOORLINE_HUB_NODE_PORT="3", MOORLINE_URL="http://h:4")
        assert (settings["hub"]["node_port"]["value"], settings["hub"]["node_port"]["source"]) == (3, "environment")
        assert settings["client"]["url"]["value"] == "http://h:4"

    def test_a_flag_comes_before_the_variable(self) -> None:
        settings = in_force("config", "--url", "http://h:5", MOORLINE_URL="http://h:4")
        assert (settings["client"]["url"]["value"], settings["client"]["url"]["source"]) == ("http://h:5", "flag")

    def test_the_file_may_be_named_by_flag_or_variable(self, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        other.write_text("[hub]\nnode_port = 7\n")
        assert in_force("--config", str(other), "config")["hub"]["node_port"]["value"] == 7
        assert in_force("config", MOORLINE_CONFIG=str(other))["hub"]["node_port"]["value"] == 7

    def test_labels_may_be_a_table_or_a_list(self) -> None:
        for text in ("label = ['gpu=h100']", "label = {gpu = 'h100'}"):
            FILE.write_text(f"[node]\n{text}\n")
            assert in_force("config")["node"]["label"]["value"] == {"gpu": "h100"}


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("[hbu]\n", "[hbu] is no section", "Did you mean [hub]?"),
        ("[elsewhere]\n", "[elsewhere] is no section", "There are: [hub], [node], [client]."),
        ("hub = 3\n", "hub is 3", "Write a section: [hub]"),
        ("[hub]\nnode_prot = 1\n", "[hub] node_prot is no setting", "Did you mean node_port?"),
        ("[hub]\nnode-port = 1\n", "[hub] node-port is no setting", "Did you mean node_port?"),
        ("[client]\nurll = 'x'\n", "[client] urll is no setting", "Did you mean url?"),
        ("[hub]\nnode_port = 'x'\n", "[hub] node_port is the text 'x'; it must be a whole number", ""),
        ("[hub]\nnode_port = 1.5\n", "[hub] node_port is 1.5; it must be a whole number", ""),
        ("[hub]\nnode_port = true\n", "[hub] node_port is true; it must be a whole number", ""),
        ("[hub]\nheartbeat_s = '1'\n", "[hub] heartbeat_s is the text '1'; it must be a number", ""),
        ("[hub]\ninsecure = 1\n", "[hub] insecure is 1; it must be true or false", ""),
        ("[hub]\ndurability = 3\n", "it must be one of full, normal", ""),
        ("[hub]\ndurability = 'half'\n", "[hub] durability is wrong: 'half' is not one of", ""),
        ("[hub]\nstate = ['a']\n", "[hub] state is a list; it must be a text", ""),
        ("[node]\napp = 'tasks.py'\n", "[node] app is the text 'tasks.py'; it must be a list", ""),
        ("[node]\nlabel = {gpu = {}}\n[hub]\nstate = {}\n", "[hub] state is a table; it must be a text", ""),
        ("[client]\nurl = 'ftp://x'\n", "[client] url is wrong: 'ftp://x' is no address", ""),
        ("[hub\n", "is no TOML", ""),
        ("[hub]\nnode_host = 2031-05-17\n", "node_host is 2031-05-17; it must be a text", ""),
    ],
)
def test_a_mistake_in_the_file_names_the_file_the_key_and_what_would_be_right(
    text: str, problem: str, remedy: str
) -> None:
    FILE.write_text(text)
    result = CliRunner().invoke(cli, ["task", "list"])
    assert result.exit_code == ExitCode.USAGE
    assert "moorline.toml: " in result.stderr
    assert problem in result.stderr
    assert remedy in result.stderr


def test_a_file_that_is_named_must_be_there() -> None:
    result = CliRunner().invoke(cli, ["--config", "nowhere.toml", "config"])
    assert result.exit_code == ExitCode.USAGE
    assert "nowhere.toml: cannot be read: No such file" in result.stderr


def test_a_file_that_is_no_text_is_refused() -> None:
    FILE.write_bytes(b"\xff")
    with pytest.raises(CommandError, match="is not UTF-8"):
        load_configuration(None, find)


def test_a_file_that_is_no_settings_file_is_not_read_to_its_end() -> None:
    FILE.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(CommandError, match="is larger than"):
        load_configuration(None, find)


def test_without_a_file_nothing_is_configured() -> None:
    assert load_configuration(None, find) == Configuration()


def test_a_command_that_cannot_be_loaded_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        check_document({"hub": {}}, FILE, lambda _: None)


def test_the_option_s_own_check_counts_in_the_file_too() -> None:
    option = click.Option(["--slots"], type=click.IntRange(1, 10))
    with pytest.raises(ValueError, match="is wrong: 11 is out of bounds; give a whole number from 1 to 10"):
        check_value(option, 11)


class TestDefaultsFor:
    configuration = Configuration(
        sections={"hub": {"state": "s", "node_port": 1}, "node": {"slots": 2}, "client": {"url": "u"}}
    )

    def test_a_hub_gets_its_own_section(self) -> None:
        command = click.Command("hub")
        assert self.configuration.defaults_for("hub", command) == {"state": "s", "node_port": 1}

    def test_a_client_command_gets_the_client_s(self) -> None:
        assert self.configuration.defaults_for("submit", click.Command("submit")) == {"url": "u"}

    def test_the_commands_inside_of_node_are_clients(self) -> None:
        group = click.Group("node", commands={"list": click.Command("list")})
        assert self.configuration.defaults_for("node", group) == {"slots": 2, "list": {"url": "u"}}

    def test_tokens_and_the_doctor_look_where_the_hub_keeps_its_state(self) -> None:
        group = click.Group("token", commands={"list": click.Command("list")})
        assert self.configuration.defaults_for("token", group)["list"] == {"url": "u", "state": "s"}
        assert self.configuration.defaults_for("doctor", click.Command("doctor"))["state"] == "s"


def test_the_client_s_settings_come_as_one_value() -> None:
    @click.command()
    @client_options
    def command(settings: ClientSettings) -> None:
        click.echo(repr(settings))

    result = CliRunner().invoke(command, ["--url", "https://h/base/", "--token", "secret"])
    assert "https://h/base'" in result.output
    assert "secret" not in result.output


def test_masking_makes_everything_json() -> None:
    assert masked("state", Path("/x")) == "/x"
    assert masked("app", ("a", Path("b"))) == ["a", "b"]
    assert masked("token", None) is None
    assert masked("token", "") == ""
    assert masked("slots", 3) == 3


def test_variables_of_subcommands_are_no_strangers() -> None:
    known = ["MOORLINE_HUB_STATE"]
    environment = {
        "MOORLINE_NODE_LIST_JSON": "1",
        "MOORLINE_HUB_STTE": "x",
        "MOORLINE_TRUTH_FILE": "y",
        "MOORLINE_NODE_ZZZ": "",
    }
    assert unknown_variables(known, environment) == {"MOORLINE_HUB_STTE": "MOORLINE_HUB_STATE", "MOORLINE_NODE_ZZZ": ""}
