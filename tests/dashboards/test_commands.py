from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from dashboards.commands import demo, top


def test_the_help_says_what_it_does_and_every_option() -> None:
    result = CliRunner().invoke(demo, ["--help"])
    assert result.exit_code == 0
    for words in ("nothing is lost", "--tasks", "--seconds-max", "--keep", "--plain", "--json", "--svg"):
        assert words in result.output


def test_too_few_tasks_are_refused() -> None:
    result = CliRunner().invoke(demo, ["--tasks", "5"])
    assert result.exit_code == 2
    assert "60<=x<=10000" in result.output


def test_the_command_costs_nothing_until_it_runs() -> None:
    code = "import sys, dashboards.commands; print({'rich', 'aiohttp', 'moorline.client'} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert printed.strip() == "set()"


@pytest.mark.parametrize("more", [[], ["--view", "task"], ["--task", "t1"]])
def test_a_filter_without_a_list_is_refused(more: list[str]) -> None:
    result = CliRunner().invoke(top, ["--filter", "state=failed", *more])
    assert result.exit_code == 2
    assert "it goes with --view nodes, tasks or events" in result.output


@pytest.mark.parametrize("size", ["80", "80x", "19x24", "80x4", "9999x40", "axb"])
def test_a_size_that_nobody_can_look_at_is_refused(size: str) -> None:
    result = CliRunner().invoke(top, ["--size", size])
    assert result.exit_code == 2
    assert "from 20x5 to 500x200" in result.output
