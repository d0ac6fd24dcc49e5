from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RIGHT, WRONG = HERE / "right_program.py", HERE / "wrong_program.py"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str]]:
    """File, line and words of each error that mypy reports for both programs, as for a user with `mypy --strict`."""
    cache = tmp_path_factory.mktemp("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(cache)]
    command += ["--hide-error-context", str(RIGHT), str(WRONG)]
    done = subprocess.run(command, cwd=HERE.parents[2], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = [re.fullmatch(r"(.+?):(\d+): error: (.+)", line) for line in done.stdout.splitlines()]
    return [(Path(match[1]).name, int(match[2]), match[3]) for match in found if match]


def test_a_right_program_is_accepted_and_its_types_are_known(reports: list[tuple[str, int, str]]) -> None:
    assert [report for report in reports if report[0] != WRONG.name] == []


def test_each_wrong_line_is_reported_and_no_other(reports: list[tuple[str, int, str]]) -> None:
    lines = WRONG.read_text().splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert {number for name, number, _ in reports if name == WRONG.name} == wrong


def test_a_report_names_the_signature_of_the_task(reports: list[tuple[str, int, str]]) -> None:
    line = 1 + WRONG.read_text().splitlines().index('    await client.submit(add, "1")  # wrong')
    (words,) = [words for name, number, words in reports if (name, number) == (WRONG.name, line)]
    assert '"Task[[int, int], int]"; expected "Task[[TheArgumentsGiven], AnyResult]"' in words
