"""Run all tests under coverage, child processes too, and hold the thresholds: ``python -m tests.run [arguments]``.

The pure parts carry the promises, so they are held higher than the shells.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

PURE = (
    "protocol/*",
    "dashboards/charts.py",
    *(f"dashboards/terminal/{name}.py" for name in ("bindings", "columns", "footer", "header", "keys", "layout")),
    *(f"dashboards/terminal/{name}.py" for name in ("look", "looks", "node_map", "picture", "presence", "pressing")),
    *(f"dashboards/terminal/{name}.py" for name in ("scrolling", "snapshot", "state", "texts", "timeline", "troubles")),
    "dashboards/terminal/views/*",
    *(f"hub/alerts/{name}.py" for name in ("*condition*", "delivering", "endings", "engine", "facts", "messages")),
    *(f"hub/alerts/{name}.py" for name in ("quiet", "reading", "recents", "rules", "selecting")),
    "hub/decisions/*",
    "hub/metrics/metric.py",
    "hub/metrics/samples.py",
    "hub/metrics/table.py",
    "node/decisions/*",
)
PURE_PERCENT_MIN = 98
WHOLE_PERCENT_MIN = 90


def coverage(*arguments: str) -> int:
    """Run one command of coverage; give its exit status."""
    return subprocess.call([sys.executable, "-m", "coverage", *arguments], cwd=ROOT)


def main() -> int:
    """Run and judge; give the exit status."""
    coverage("erase")
    # Most tests wait for processes and sockets: a few at once fill two cores without starving each other.
    several = [] if sys.argv[1:] else ["-n", "4", "--dist", "worksteal"]
    tests = [sys.executable, "-m", "coverage", "run", "-m", "pytest", *several, *sys.argv[1:]]
    failed = subprocess.call(tests, cwd=ROOT)
    if failed or sys.argv[1:]:
        # A part of the tests says nothing about coverage.
        return failed
    coverage("combine", "--quiet")
    print(f"\npure decisions and protocol (at least {PURE_PERCENT_MIN} %):", flush=True)
    pure = coverage("report", f"--include={','.join(PURE)}", f"--fail-under={PURE_PERCENT_MIN}")
    print(f"\nthe whole (at least {WHOLE_PERCENT_MIN} %):", flush=True)
    whole = coverage("report", "--skip-covered", f"--fail-under={WHOLE_PERCENT_MIN}")
    return pure or whole


if __name__ == "__main__":
    sys.exit(main())
