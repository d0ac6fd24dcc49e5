"""The units of `deploy/systemd`, by systemd-analyze, which reads them as systemd does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import program

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
MOORLINE = "/opt/moorline/bin/moorline"

# What systemd-analyze makes of how much a unit leaves open, of 10; a node runs code of its user's.
EXPOSURE_MAX = {"moorline-hub.service": 1.5, "moorline-node@.service": 4.0}


def analyze(*arguments: str, cwd: Path) -> str:
    tool = program("systemd-analyze", package="systemd")
    done = subprocess.run([tool, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copy the units; what they start is one that is there."""
    for unit in FOLDER.glob("*.service"):
        (tmp_path / unit.name).write_text(unit.read_text().replace(MOORLINE, sys.executable))
    return tmp_path


@pytest.mark.parametrize("unit", sorted(EXPOSURE_MAX))
def test_systemd_finds_nothing_wrong_with_a_unit(units: Path, unit: str) -> None:
    assert analyze("verify", f"./{unit}", cwd=units) == ""


@pytest.mark.parametrize("unit", sorted(EXPOSURE_MAX))
def test_a_unit_leaves_little_open(units: Path, unit: str) -> None:
    said = analyze("security", "--offline=true", "--no-pager", f"./{unit}", cwd=units)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert level is not None, said
    assert float(level[1]) <= EXPOSURE_MAX[unit]


@pytest.mark.parametrize("unit", sorted(EXPOSURE_MAX))
def test_a_unit_starts_what_there_is_and_waits_to_be_told(unit: str) -> None:
    text = (FOLDER / unit).read_text()
    assert re.search(rf"^ExecStart={MOORLINE} (hub|node) ", text, re.MULTILINE)
    assert "Type=notify\n" in text
    assert re.search(r"^WatchdogSec=\d+$", text, re.MULTILINE)


def test_a_node_has_longer_to_drain_than_it_takes() -> None:
    text = (FOLDER / "moorline-node@.service").read_text()
    drain = re.search(r"MOORLINE_NODE_DRAIN_TIMEOUT_S=(\d+)", text)
    stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert drain is not None
    assert stop is not None
    # Handlers have 10 s to end when they are stopped, and results 30 s to be handed over.
    assert int(stop[1]) > int(drain[1]) + 40
