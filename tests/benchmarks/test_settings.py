"""The command line that is made of settings."""

from __future__ import annotations

import json
from dataclasses import dataclass

from click.testing import CliRunner

from benchmarks.claim import Claim
from benchmarks.settings import command, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    tasks: int = setting(20, "Tasks.")
    sizes: tuple[int, ...] = setting((1, 2), "Sizes.")
    down_s: float = setting(1.5, "Seconds.")


def measure(settings: Settings) -> Claim:
    figures = {"tasks": settings.tasks, "sizes": settings.sizes, "down_s": settings.down_s}
    return Claim(claim="none", figures=figures, settings={}, conditions={})


def told(*arguments: str) -> object:
    result = CliRunner().invoke(command(Settings, measure, "Measure nothing."), arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["figures"]


def test_defaults_are_those_of_the_settings() -> None:
    assert told() == {"tasks": 20, "sizes": [1, 2], "down_s": 1.5}


def test_each_setting_is_an_option_and_a_tuple_is_a_repeated_one() -> None:
    assert told("--tasks", "3", "--sizes", "5", "--sizes", "7", "--down-s", "0.5") == {
        "tasks": 3,
        "sizes": [5, 7],
        "down_s": 0.5,
    }


def test_an_option_that_is_none_is_refused() -> None:
    assert CliRunner().invoke(command(Settings, measure, ""), ["--task", "x"]).exit_code == 2
