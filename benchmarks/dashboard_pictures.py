"""Pictures of both dashboards, from a real run: ``python -m benchmarks.dashboard_pictures FOLDER``.

A hub and six nodes do diagnosis work on this machine for some minutes, some of which fails; one node is stopped and one
drains. Then the terminal is saved as SVG and the page is photographed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import click
import psutil
from playwright.sync_api import Browser

from benchmarks.chromium import running_browser
from benchmarks.installation import Hub, hub_in, working_folder
from benchmarks.process import ROOT, Process
from benchmarks.settings import end_on_sigterm

NODES: Final = (
    *(("berlin-1", "site=berlin"), ("berlin-2", "site=berlin"), ("oslo-1", "site=oslo")),
    *(("porto-1", "site=porto"), ("porto-2", "site=porto"), ("ship-7", "site=at-sea")),
)
STOPPED: Final = "ship-7"
DRAINED: Final = "porto-2"

READY_WITHIN_S: Final = 60.0

# The page asks again each few seconds; then it stands still.
PAGE_RESTS_S: Final = 4.0

PagePicture: TypeAlias = tuple[str, str, int, int, str]
"""``(file, view, width, height, scheme)``"""

PAGES: Final[tuple[PagePicture, ...]] = (
    ("web-overview.png", "overview", 1280, 960, "light"),
    ("web-overview-dark.png", "overview", 1280, 960, "dark"),
    ("web-nodes.png", "nodes", 1280, 620, "light"),
    ("web-tasks.png", "tasks", 1280, 760, "light"),
    ("web-errors.png", "errors", 1280, 520, "light"),
    ("web-phone.png", "overview", 360, 740, "light"),
)
TERMINALS: Final = (("top.svg", "overview"), ("top-nodes.svg", "nodes"), ("top-tasks.svg", "tasks"))


@contextmanager
def fleet(hub: Hub, folder: Path) -> Iterator[dict[str, Process]]:
    """Start the nodes and wait until all are online; end them."""
    nodes = {name: _node(hub, folder, name, label) for name, label in NODES}
    try:
        for node in nodes.values():
            node.start()
        hub.wait_for(lambda: hub.stats()["nodes"].get("online") == len(nodes), "all nodes online", READY_WITHIN_S)
        yield nodes
    finally:
        for node in nodes.values():
            node.kill()


def _node(hub: Hub, folder: Path, name: str, label: str) -> Process:
    arguments = [
        *("run_node.py", "--hub", hub.node_url, "--node-id", name, "--state", str(folder / name), "--label", label),
        *("--app", "examples.diagnosis", "--slots", "8", "--log-level", "warning"),
    ]
    return Process(name, folder, arguments)


def photograph(browser: Browser, hub: Hub, folder: Path, pages: Sequence[PagePicture] = PAGES) -> None:
    """Take pictures of the page."""
    for name, view, width, height, scheme in pages:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=2 if width < 500 else 1,
        )
        page = context.new_page()
        page.goto(f"{hub.url}/#/{view}")
        page.wait_for_timeout(PAGE_RESTS_S * 1000)
        page.screenshot(path=str(folder / name))
        context.close()


def draw_terminals(hub: Hub, folder: Path) -> None:
    """Save the pictures of the terminal."""
    for name, view in TERMINALS:
        _moorline("top", "--url", hub.url, "--view", view, "--size", "110x32", "--svg", str(folder / name))


def _moorline(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "moorline.cli", *arguments], cwd=ROOT, check=True)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--minutes", default=6.0, show_default=True, help="For how long the fleet works before.")
def main(folder: Path, minutes: float) -> None:
    """Make all pictures of the dashboards in FOLDER."""
    end_on_sigterm()
    make(folder, minutes)


def make(folder: Path, minutes: float, pages: Sequence[PagePicture] = PAGES) -> None:
    """Let a fleet work for so long, disturb it, and take the pictures.

    Raises:
        RuntimeError: something did not come about in time, or there is no Chromium.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with working_folder() as scratch, hub_in(scratch, "--heartbeat-s", "1") as hub, fleet(hub, scratch) as nodes:
        worker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.dashboard_work", hub.url, str(scratch), str(minutes + 5)], cwd=ROOT
        )
        try:
            time.sleep(60 * minutes)
            _disturb(hub, nodes)
            draw_terminals(hub, folder)
            with running_browser() as browser:
                photograph(browser, hub, folder, pages)
        finally:
            worker.kill()
            worker.wait()


def _disturb(hub: Hub, nodes: dict[str, Process]) -> None:
    """Stop one node and drain another, and wait until the hub knows."""
    psutil.Process(nodes[STOPPED].pid).send_signal(signal.SIGSTOP)
    _moorline("node", "drain", DRAINED, "--url", hub.url)
    hub.wait_for(lambda: hub.stats()["nodes"].get("unreachable"), "a node that is unreachable", READY_WITHIN_S)


if __name__ == "__main__":
    main()
