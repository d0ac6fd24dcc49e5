from __future__ import annotations

from pathlib import Path

from benchmarks.chromium import NAMES
from benchmarks.dashboard_pictures import PAGES, TERMINALS, make
from tests.programs import program


def test_pictures_of_both_dashboards_come_from_a_real_run(tmp_path: Path) -> None:
    program(*NAMES, package="chromium")
    make(tmp_path, minutes=0.02, pages=PAGES[:1])
    for name, _ in TERMINALS:
        assert (tmp_path / name).read_text().startswith("<svg")
    assert "ship-7" in (tmp_path / TERMINALS[1][0]).read_text()
    assert (tmp_path / PAGES[0][0]).read_bytes().startswith(b"\x89PNG")
