"""The demo for real: a hub and nodes as processes, killed and started again."""

from __future__ import annotations

import io
import json
import re
import signal
import time
from pathlib import Path

import click
import pytest
from rich.console import Console

from dashboards.demo import performance, show
from dashboards.demo.performance import DemoSettings, perform
from dashboards.demo.screen import LiveScreen, NoScreen
from dashboards.installation import fleet
from dashboards.installation.processes import ProcessDiedError
from tests.dashboards.commands import left_behind_in, start_command

WITHIN_S = 60.0


def test_nothing_is_lost_and_nothing_is_left_behind(tmp_path: Path) -> None:
    demo = start_command(tmp_path, "demo", "--tasks", "90", "--svg", str(tmp_path / "demo.svg"))
    stdout, stderr = demo.communicate(timeout=WITHIN_S)
    assert demo.returncode == 0, stderr
    report = json.loads(stdout.splitlines()[-1])
    assert (report["tasks"], report["succeeded"], report["failed"]) == (90, 90, 0)
    assert (report["lost"], report["ran_twice"], report["statistics_kept"]) == (0, 0, True)
    assert (report["hub_kills"], report["node_kills"]) == (1, 1)
    assert report["nodes_back_s"] > 0
    assert re.search(r"^\d\d:\d\d:\d\d +\d+\.\d s  hub killed \(SIGKILL\) while \d+ tasks? ran$", stderr, re.MULTILINE)
    assert "<svg" in (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert list(tmp_path.glob("moorline-demo-*")) == []
    assert left_behind_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_ends_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    demo = start_command(tmp_path, "demo", "--plain")
    assert demo.stderr is not None
    for line in demo.stderr:
        if "the work begins" in line:
            break
    demo.send_signal(number)
    stdout, stderr = demo.communicate(timeout=WITHIN_S)
    assert demo.returncode == 130, stderr
    assert "interrupted; all that was started has been ended" in stderr
    assert "Traceback" not in stderr
    assert stdout == ""
    assert list(tmp_path.glob("moorline-demo-*")) == []
    assert left_behind_in(tmp_path) == []


def test_out_of_time_is_a_verdict_too(tmp_path: Path) -> None:
    demo = start_command(tmp_path, "demo", "--tasks", "2000", "--seconds-max", "10", "--json", "--keep")
    started_s = time.monotonic()
    stdout, stderr = demo.communicate(timeout=WITHIN_S)
    assert time.monotonic() - started_s < 30
    assert demo.returncode == 1
    report = json.loads(stdout)
    assert report["lost"] > 0
    assert report["ran_twice"] == 0
    folder = next(tmp_path.glob("moorline-demo-*"))
    assert stderr == f"state, logs and the truth are kept in {folder}\n"
    assert (folder / "truth.ndjson").exists()
    assert left_behind_in(tmp_path) == []


async def test_the_live_picture_is_drawn_while_it_goes_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})
    with LiveScreen(console) as screen:
        report, last = await perform(DemoSettings(tasks=60), tmp_path, screen)
    assert report.is_well
    assert "The hub is dead" in stream.getvalue()
    assert last.verdict


async def test_a_hub_that_does_not_start_is_said_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub").write_text("a file where the state folder should be")
    with pytest.raises(ProcessDiedError, match="hub ended with status"):
        await perform(DemoSettings(), tmp_path, NoScreen())
    assert left_behind_in(tmp_path) == []


def test_a_demo_that_cannot_be_run_is_one_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fleet, "READY_WORDS", "words that no hub says")
    monkeypatch.setattr(performance, "HUB_READY_WITHIN_S", 0.1)
    with pytest.raises(click.ClickException, match=r"hub did not say 'words that no hub says' within 0\.1 s"):
        show.show(tasks=60, seconds_max=20, keep=False, plain=True, as_json=True, svg=None)
