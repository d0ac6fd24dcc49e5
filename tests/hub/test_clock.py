"""The steady clock: it never jumps, and goes on where an earlier process left it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.clock import CLOCK_NAME, Clock

DAY_S = 86_400.0


@pytest.fixture
def set_wall(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    true_time = time.time

    def set_by(offset_s: float) -> None:
        monkeypatch.setattr(time, "time", lambda: true_time() + offset_s)

    return set_by


def test_both_clocks_agree_at_first_and_only_one_follows_the_wall(set_wall: Callable[[float], None]) -> None:
    clock = Clock()
    assert abs(clock().wall_s - clock().steady_s) < 1
    before = clock()
    set_wall(DAY_S)
    assert clock().wall_s - before.wall_s > DAY_S - 1
    assert 0 <= clock().steady_s - before.steady_s < 10


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S])
def test_it_goes_on_after_a_restart_though_the_time_was_set(
    tmp_path: Path, set_wall: Callable[[float], None], jump_s: float
) -> None:
    before = Clock.kept_in(tmp_path, boot_id="b")()
    set_wall(jump_s)
    after = Clock.kept_in(tmp_path, boot_id="b")()
    assert 0 <= after.steady_s - before.steady_s < 10
    assert abs(after.wall_s - before.wall_s - jump_s) < 10


def test_after_a_boot_it_starts_at_the_wall_clock_again(tmp_path: Path, set_wall: Callable[[float], None]) -> None:
    before = Clock.kept_in(tmp_path, boot_id="b")()
    set_wall(DAY_S)
    after = Clock.kept_in(tmp_path, boot_id="c")()
    assert after.steady_s - before.steady_s > DAY_S - 1
    # And goes on from there.
    set_wall(0.0)
    assert Clock.kept_in(tmp_path, boot_id="c")().steady_s - before.steady_s > DAY_S - 1


@pytest.mark.parametrize("boot_id", ["b", "c", ""])
def test_it_never_starts_before_what_is_stored_by_it(
    tmp_path: Path, set_wall: Callable[[float], None], boot_id: str
) -> None:
    last_s = Clock.kept_in(tmp_path, boot_id="b")().steady_s
    # A machine without a battery.
    set_wall(-20_000 * DAY_S)
    (tmp_path / CLOCK_NAME).unlink()
    after = Clock.kept_in(tmp_path, boot_id=boot_id, last_steady_s=last_s)()
    assert 0 <= after.steady_s - last_s < 10
    assert after.wall_s < last_s - DAY_S
    # Its time is set meanwhile, and the next process goes on.
    set_wall(0.0)
    again = Clock.kept_in(tmp_path, boot_id=boot_id, last_steady_s=last_s)()
    assert 0 <= again.steady_s - after.steady_s < 20


def test_what_is_stored_does_not_hold_it_back(tmp_path: Path) -> None:
    before = Clock.kept_in(tmp_path, boot_id="b")()
    after = Clock.kept_in(tmp_path, boot_id="b", last_steady_s=before.steady_s - DAY_S)()
    assert 0 <= after.steady_s - before.steady_s < 10


def test_a_system_that_does_not_name_its_boots_keeps_nothing(tmp_path: Path) -> None:
    Clock.kept_in(tmp_path, boot_id="")
    assert not (tmp_path / CLOCK_NAME).exists()


def test_a_file_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / CLOCK_NAME).write_text("{")
    assert abs(Clock.kept_in(tmp_path, boot_id="b")().steady_s - time.time()) < 10
    assert b'"b"' in (tmp_path / CLOCK_NAME).read_bytes()


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock.kept_in(tmp_path / "missing", boot_id="b")
    assert abs(clock().steady_s - time.time()) < 10
    assert "cannot be written" in caplog.text
