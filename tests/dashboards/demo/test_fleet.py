from __future__ import annotations

from pathlib import Path

import pytest

import moorline
from dashboards.demo.fleet import Fleet, environment


def test_settings_of_the_user_are_none_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORLINE_TOKEN", "secret")
    monkeypatch.setenv("MOORLINE_HUB_NODE_PORT", "1")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    found = environment(Path("/truth"))
    assert {name for name in found if name.startswith("MOORLINE_")} == {"MOORLINE_TRUTH_FILE"}
    assert found["PYTHONPATH"].split(":") == [str(Path(moorline.__file__).parent.parent), "/mine"]


async def test_a_fleet_that_was_never_started_is_left_in_peace(tmp_path: Path) -> None:
    async with Fleet(tmp_path, nodes=3, slots=2) as fleet:
        assert list(fleet.nodes) == ["node-1", "node-2", "node-3"]
        assert not fleet.hub.is_running


async def test_a_failure_ends_what_runs_at_once(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, nodes=1, slots=1)

    async def fail() -> None:
        async with fleet:
            await fleet.nodes["node-1"].start()
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await fail()
    assert not fleet.nodes["node-1"].is_running
