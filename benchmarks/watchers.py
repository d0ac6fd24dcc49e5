"""Claim: who looks costs the hub next to nothing: pages and a terminal, with a large fleet and steady work.

The pages are real ones in a real Chromium, each in a profile of its own as on a screen of its own; the terminal is a
real `moorline top` on a pseudo-terminal. The hub's processor time is taken without them, with them, and without them
again, each time with the same fleet and the same work; what they cost is the difference to the mean of the two.

How late a page is: from the moment for which the hub took its counts to the frame in which the page shows them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
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
    settle_s: float = setting(5.0, "From each change to the measurement.")
    watch_s: float = setting(20.0, "For how long each of the three measurements watches.")
    slots: int = setting(100, "Slots of the node that works.")


def measure(settings: Settings) -> Claim:
    """Measure once."""
    before = conditions()
    with _busy_hub(settings) as hub:
        without = [_watch(hub, settings.watch_s)]
        with Pages(hub.url, VIEWS, settings.pages) as pages, watching_terminal(hub.url, pages.folder) as terminal:
            time.sleep(settings.settle_s)
            terminal_before_s = terminal.cpu_s()
            watched = _watch(hub, settings.watch_s)
            terminal_percent = 100 * (terminal.cpu_s() - terminal_before_s) / settings.watch_s
            late_s = pages.late_s()
        time.sleep(settings.settle_s)
        without.append(_watch(hub, settings.watch_s))
    cost = watched.hub_percent - sum(one.hub_percent for one in without) / len(without)
    late = told_ms(late_s)
    return Claim(
        claim="who looks costs the hub next to nothing",
        figures={
            "hub_percent": round(cost, 2),
            "hub_percent_with": round(watched.hub_percent, 2),
            "hub_percent_without": [round(one.hub_percent, 2) for one in without],
            # The same in all three, or the difference means nothing.
            "tasks_per_s": [round(one.tasks_per_s, 1) for one in (without[0], watched, without[1])],
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
class Watched:
    """What the hub used while it was watched, in percent of a core, and what it got done."""

    hub_percent: float
    tasks_per_s: float


def _watch(hub: Hub, watch_s: float) -> Watched:
    done = hub.stats()["totals"]["succeeded"]
    begun_s, used_s = time.monotonic(), hub.cpu_s()
    # What is measured is what happens by itself in so long.
    time.sleep(watch_s)
    used_s, took_s = hub.cpu_s() - used_s, time.monotonic() - begun_s
    return Watched(hub_percent=100 * used_s / took_s, tasks_per_s=(hub.stats()["totals"]["succeeded"] - done) / took_s)


main = command(Settings, measure, "Measure what those who look cost the hub.")

if __name__ == "__main__":
    main()
