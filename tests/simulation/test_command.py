"""The command line of the simulation."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import main


def test_clean_seeds_exit_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3", "--jobs", "1"]) == 0
    assert "3 seeds in" in capsys.readouterr().out


def test_a_wrong_seed_exits_with_1_and_says_how_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3", "--jobs", "1", "--broken", "ack-before-commit"]) == 1
    said = capsys.readouterr().out
    assert "acked after its commit" in said
    assert "replay it: python -m tests.simulation --seed 0 --verbose --broken ack-before-commit" in said


def test_one_seed_prints_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "1", "--verbose"]) == 0
    said = capsys.readouterr().out
    assert "hub.1 starts" in said
    assert said.endswith("seed 1: clean\n")


def test_an_unknown_rule_is_refused_with_the_names_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--broken", "nonsense"]) == 2
    assert "push-before-commit" in capsys.readouterr().err
