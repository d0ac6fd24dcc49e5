"""Draw the stored pictures anew: ``python -m tests.dashboards.terminal.redraw``. Look at them, then commit them."""

from __future__ import annotations

from pathlib import Path

from dashboards.terminal.picture import render
from dashboards.terminal.state import View
from tests.dashboards.terminal.fleets import FLEETS, SIZES, looking_at

FOLDER = Path(__file__).parent / "snapshots"


def path_of(fleet: str, width: int, height: int) -> Path:
    return FOLDER / f"{fleet}-{width}x{height}.txt"


def drawn(fleet: str, width: int, height: int) -> str:
    """Give all views of a fleet below each other, as plain text."""
    pictures = [render(FLEETS[fleet], looking_at(view), width, height).plain for view in View]
    return ("═" * width + "\n").join(pictures)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for fleet in FLEETS:
        for size in SIZES:
            path_of(fleet, *size).write_text(drawn(fleet, *size), encoding="utf-8")
