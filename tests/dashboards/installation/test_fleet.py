from __future__ import annotations

from pathlib import Path

import pytest

import moorline
from dashboards.installation import fleet as fleets
from dashboards.installation.fleet import Fleet, environment
from dashboards.installation.processes import ProcessTooSlowError


def test_settings_of_the_user_are_none_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORLINE_TOKEN", "secret")
    monkeypatch.setenv("MOORLINE_HUB_NODE_PORT", "1")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    found = environment(Path("/truth"))
    assert {name for name in found if name.startswith("MOORLINE_")} == {"MOORLINE_TRUTH_FILE"}
    assert found["PYTHONPATH"].split(":") == [str(Path(moorline.__file__).parent.parent), "/mine"]


async def test_a_fleet_that_was_never_started_is_left_in_peace(tmp_path: Path) -> None:
    async with Fleet(tmp_path, ready_within_s=20) as fleet:
        for name in ("a", "b"):
            fleet.add_node(name, app="examples.diagnosis", slots=2)
        assert list(fleet.nodes) == ["a", "b"]
        assert not any(process.is_running for process in (fleet.hub, *fleet.nodes.values()))


async def test_a_hub_that_is_not_ready_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "READY_WORDS", "words that no hub says")
    fleet = Fleet(tmp_path, ready_within_s=0.1)
    with pytest.raises(ProcessTooSlowError, match=r"within 0\.1 s"):
        async with fleet:
            await fleet.start_hub()
    assert not fleet.hub.is_running


async def test_a_failure_ends_what_runs_at_once(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, ready_within_s=20)
    node = fleet.add_node("node-1", app="examples.diagnosis", slots=1)

    async def fail() -> None:
        async with fleet:
            await node.start()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await fail()
    assert not node.is_running
