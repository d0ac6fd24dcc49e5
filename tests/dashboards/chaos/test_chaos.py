"""It for real: a hub and nodes as processes, broken for half a minute, and proof that the judge is not blind."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboards.chaos import show
from dashboards.chaos.settings import ChaosSettings
from dashboards.chaos.stage import Stage
from dashboards.commands import chaos
from dashboards.installation.clients import Submitted
from tests.dashboards.commands import left_behind_in, start_command
from tests.end_to_end.processes import fleet_in

# A short run on a machine that is busy with others; nothing waits this long unless it has failed.
WITHIN_S = 110.0


def test_half_a_minute_of_everything_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run = start_command(
        tmp_path,
        "chaos",
        *("--minutes", "0.5", "--nodes", "3", "--lease-s", "5", "--seed", "1", "--json", "--html", str(page)),
    )
    stdout, stderr = run.communicate(timeout=WITHIN_S)
    assert run.returncode == 0, stderr + stdout
    report = json.loads(stdout)
    assert report["accepted"] > 50
    assert (report["lost"], report["ran_twice"], report["unexplained_reruns"], report["wrong_outcomes"]) == (0, 0, 0, 0)
    assert report["faults"]["hub_killed"] == 1
    assert report["faults"]["node_killed"] >= 1
    assert report["faults"]["node_paused"] >= 1
    assert any(kind.startswith("link") for kind in report["faults"])
    assert report["nodes_back_at_end"] == 3
    assert "<svg" in page.read_text(encoding="utf-8")
    assert "hub killed (SIGKILL)" in stderr
    assert list(tmp_path.glob("moorline-chaos-*")) == []
    assert left_behind_in(tmp_path) == []


def test_the_judge_sees_a_lost_task_and_one_that_ran_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drain = Stage.drain
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    async def drain_and_doctor(stage: Stage, working: Sequence[object]) -> None:
        await drain(stage, working)
        stage.log.submitted["never-told"] = Submitted(task_id="never-told", at=0.0)
        (truth,) = tmp_path.glob("moorline-chaos-*/truth.ndjson")
        lines = truth.read_bytes().splitlines(keepends=True)
        with truth.open("ab") as file:
            file.write(lines[0])

    monkeypatch.setattr(Stage, "drain", drain_and_doctor)
    settings = ChaosSettings(minutes=0.2, nodes=1, lease_s=5, kill_hub=False, kill_nodes=False, pause=False)
    status = show.show(settings, None, show.Output(as_json=True, html=None, keep=False))
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert status == 1
    assert (report["is_clean"], report["lost"], report["ran_twice"]) == (False, 1, 1)
    assert any("never-told" in problem for problem in report["problems"])
    (folder,) = tmp_path.glob("moorline-chaos-*")
    assert f"the truth are kept in {folder}" in printed.err
    assert left_behind_in(tmp_path) == []
    shutil.rmtree(folder)


def test_ctrl_c_ends_it_in_order_with_the_verdict_so_far(tmp_path: Path) -> None:
    run = start_command(tmp_path, "chaos", "--minutes", "5", "--nodes", "2", "--lease-s", "5", "--json", "--kill-nodes")
    assert run.stderr is not None
    for line in run.stderr:
        if "the work begins" in line:
            break
    for line in run.stderr:
        if "killed (SIGKILL)" in line:
            break
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=WITHIN_S)
    assert run.returncode == 130, stderr
    report = json.loads(stdout)
    assert (report["is_clean"], report["was_interrupted"], report["lost"]) == (True, True, 0)
    assert "Traceback" not in stderr
    assert left_behind_in(tmp_path) == []


def test_an_installation_that_runs_already_is_broken_through_its_api(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as fleet:
        fleet.hub.start()
        for node_id in ("a", "b"):
            fleet.add_node(node_id).wait_for_line("connected to hub")
        run = start_command(
            tmp_path,
            "chaos",
            *("--url", fleet.hub.url, "--task", "nap", "--payload", '{"seconds": 0.2}', "--minutes", "0.2", "--json"),
            *("--truth-file", str(tmp_path / "truth.ndjson"), "--i-know-this-breaks-things"),
        )
        stdout, stderr = run.communicate(timeout=WITHIN_S)
        assert run.returncode == 0, stderr + stdout
    report = json.loads(stdout)
    assert report["faults"]["node_disconnected"] >= 1
    assert report["accepted"] > 10
    assert (report["lost"], report["ran_twice"], report["unexplained_reruns"]) == (0, 0, 0)
    assert report["rests_on_truth"]
    assert report["nodes_back_at_end"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--url", "http://127.0.0.1:1"], "--i-know-this-breaks-things"),
        (["--url", "http://127.0.0.1:1", "--i-know-this-breaks-things"], "needs --task"),
        (["--url", "http://127.0.0.1:1", "--kill-hub"], "has the API alone"),
        (["--task", "nap"], "go with --url"),
        (["--payload", "[1]"], "is not a JSON object"),
        (["--payload", "{"], "is not JSON"),
        (["--minutes", "0"], "0.2<=x<=120"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_broken(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(chaos, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_an_installation_that_is_not_there_is_one_message() -> None:
    arguments = ["--url", "http://127.0.0.1:1", "--task", "nap", "--i-know-this-breaks-things"]
    result = CliRunner().invoke(chaos, arguments)
    assert result.exit_code == 3
    assert result.output.startswith("Error: ")
    assert "Traceback" not in result.output
