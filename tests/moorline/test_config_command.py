from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from moorline.cli import cli

pytestmark = pytest.mark.usefixtures("alone")

FILE = Path("moorline.toml")


def test_secrets_are_masked_everywhere() -> None:
    FILE.write_text("[node]\ntoken = 'sesame1'\nproxy = 'http://me:sesame2@proxy:1'\n")
    for arguments in (["config"], ["config", "--json"]):
        result = CliRunner().invoke(cli, arguments, env={"MOORLINE_TOKEN": "sesame3"})
        assert result.exit_code == 0
        assert "sesame" not in result.output
        assert "********@proxy:1" in result.output


def test_people_see_value_source_and_variable_in_one_line() -> None:
    FILE.write_text("[hub]\ninsecure = true\nretention_s = 1.5\n[node]\napp = ['a', 'b']\nlabel = {x = 'y'}\n")
    lines = CliRunner().invoke(cli, ["config"]).stdout.splitlines()
    rows = [line.split("  ") for line in lines]
    found = {row[0]: [cell.strip() for cell in row[1:] if cell.strip()] for row in rows}
    assert found["hub.insecure"] == ["yes", "file", "MOORLINE_HUB_INSECURE"]
    assert found["hub.retention_s"] == ["1.5", "file", "MOORLINE_HUB_RETENTION_S"]
    assert found["node.app"] == ["a, b", "file", "MOORLINE_NODE_APP"]
    assert found["node.label"] == ["x=y", "file", "MOORLINE_NODE_LABEL"]
    assert found["hub.tls_cert"] == ["-", "default", "MOORLINE_HUB_TLS_CERT"]


def test_a_variable_that_sets_nothing_is_pointed_out() -> None:
    result = CliRunner().invoke(cli, ["config"], env={"MOORLINE_HUB_NODEPORT": "1"})
    assert "MOORLINE_HUB_NODEPORT sets nothing. Did you mean MOORLINE_HUB_NODE_PORT?" in result.stderr
