"""Claim: who looks costs the hub next to nothing: pages and a terminal, with a large fleet and steady work.

The pages are real ones in a real Chromium, each in a profile of its own as on a screen of its own; the terminal is a
real `moorline top` on a pseudo-terminal. The hub's processor time is taken without them and with them in turns, each
time with the same fleet and the same work. What they cost in a turn is the difference to the mean of the two turns
beside it; the claim is the median, as one busy neighbour of this machine outweighs what is to be measured.

How late a page is: from the moment for which the hub took its counts to the frame in which the page shows them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from benchmarks.claim import Claim, at_most
from benchmarks.crowd import crowd
from benchmarks.installation import CROWDED, Hub, Node, afterwards, conditions, hub_in, working_folder
from benchmarks.pages import Pages
from benchmarks.quantiles import told_ms
from benchmarks.settings import command, setting
from benchmarks.steady_work import steady_work
from benchmarks.watching_terminal import watching_terminal

ALL_IN_WITHIN_S: Final = 120.0

HUB_PERCENT_MAX: Final = 3.0
TERMINAL_PERCENT_MAX: Final = 3.0
LATE_MS_MAX: Final = 1000.0

# What ten people look at: most at the first view, some at lists.
VIEWS: Final = ("overview", "nodes", "tasks", "overview", "overview")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is measured."""

    nodes: int = setting(1000, "Nodes that are connected and idle; one more works.")
    rate_per_s: float = setting(200.0, "Tasks submitted a second, evenly.")
    pages: int = setting(10, "Open pages.")
    turns: int = setting(3, "How often they come and go.")
    settle_s: float = setting(5.0, "From each change to the measurement.")
    watch_s: float = setting(10.0, "For how long each measurement watches.")
    slots: int = setting(100, "Slots of the node that works.")


def measure(settings: Settings) -> Claim:
    """Measure once."""
    before = conditions()
    with _busy_hub(settings) as hub:
        without = [_watch(hub, settings.watch_s)]
        watched = []
        for _ in range(settings.turns):
            watched.append(_watch_the_watchers(hub, settings))
            time.sleep(settings.settle_s)
            without.append(_watch(hub, settings.watch_s))
    costs = [
        one.hub.percent - (earlier.percent + later.percent) / 2
        for earlier, one, later in zip(without, watched, without[1:], strict=False)
    ]
    cost = median(costs)
    terminal_percent = median(one.terminal_percent for one in watched)
    late = told_ms([late_s for one in watched for late_s in one.late_s])
    return Claim(
        claim="who looks costs the hub next to nothing",
        figures={
            "hub_percent": round(cost, 2),
            "hub_percent_each": [round(one, 2) for one in costs],
            "hub_percent_with": [round(one.hub.percent, 2) for one in watched],
            "hub_percent_without": [round(one.percent, 2) for one in without],
            # The same in all, or the differences mean nothing.
            "tasks_per_s_with": [round(one.hub.tasks_per_s, 1) for one in watched],
            "tasks_per_s_without": [round(one.tasks_per_s, 1) for one in without],
            "terminal_percent": round(terminal_percent, 2),
            "page_late_ms": late,
        },
        targets=[
            at_most(f"hub's CPU for {settings.pages} pages and a terminal", HUB_PERCENT_MAX, cost, "% of a core"),
            at_most("the terminal's own CPU", TERMINAL_PERCENT_MAX, terminal_percent, "% of a core"),
            at_most("a page shows the counts after, p99", LATE_MS_MAX, late["p99"], "ms"),
        ],
        settings={"hub_flags": " ".join(CROWDED), "views": list(VIEWS), **asdict(settings)},
        conditions=afterwards(before),
    )


@contextmanager
def _busy_hub(settings: Settings) -> Iterator[Hub]:
    """Give a hub with a fleet and steady work."""
    with ExitStack() as ends:
        folder = ends.enter_context(working_folder())
        hub = ends.enter_context(hub_in(folder, *CROWDED))
        node = Node(folder, hub, settings.slots)
        ends.callback(node.kill)
        node.start()
        node.wait_until_online()
        fleet = ends.enter_context(crowd("idle-node", hub.node_url, "idle", settings.nodes, 1, folder))
        fleet.wait_until_in(ALL_IN_WITHIN_S)
        ends.enter_context(steady_work(hub.url, settings.rate_per_s, folder))
        time.sleep(settings.settle_s)
        yield hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What the hub used while it was watched, in percent of a core, and what it got done."""

    percent: float
    tasks_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One turn of those who look."""

    hub: Used
    terminal_percent: float
    late_s: list[float]


def _watch_the_watchers(hub: Hub, settings: Settings) -> Watched:
    """Open the pages and the terminal, measure, and close them."""
    with Pages(hub.url, VIEWS, settings.pages) as pages, watching_terminal(hub.url, pages.folder) as terminal:
        time.sleep(settings.settle_s)
        used_s = terminal.cpu_s()
        used = _watch(hub, settings.watch_s)
        used_s = terminal.cpu_s() - used_s
        return Watched(hub=used, terminal_percent=100 * used_s / settings.watch_s, late_s=pages.late_s())


def _watch(hub: Hub, watch_s: float) -> Used:
    done = hub.stats()["totals"]["succeeded"]
    begun_s, used_s = time.monotonic(), hub.cpu_s()
    # What is measured is what happens by itself in so long.
    time.sleep(watch_s)
    used_s, took_s = hub.cpu_s() - used_s, time.monotonic() - begun_s
    return Used(percent=100 * used_s / took_s, tasks_per_s=(hub.stats()["totals"]["succeeded"] - done) / took_s)


main = command(Settings, measure, "Measure what those who look cost the hub.")

if __name__ == "__main__":
    main()
