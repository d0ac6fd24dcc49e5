"""Three states of a fleet as values, from which the stored pictures are drawn."""

from __future__ import annotations

import math
from dataclasses import replace

from dashboards.terminal.reading import document
from dashboards.terminal.snapshot import (
    Alert,
    Attempt,
    Detail,
    ErrorGroup,
    Link,
    Listing,
    MapNode,
    Presence,
    Snapshot,
    Span,
    Trends,
)
from dashboards.terminal.state import State, View
from moorline.views import (
    AlertCounts,
    Disconnect,
    Event,
    Explanation,
    HubView,
    LogLine,
    NodeReason,
    NodeView,
    Problem,
    Progress,
    Rates,
    Stats,
    TaskLogs,
    TaskView,
    Verdict,
)

NOW = 1_900_000_000.0
NAMES = ("diagnosis.hash_tree", "diagnosis.http_get", "report.monthly", "images.thumbnail")
STATES = ("queued", "running", "running", "succeeded", "failed", "succeeded", "scheduled", "lost")
TRACEBACK = """Traceback (most recent call last):
  File "/srv/tasks/diagnosis.py", line 41, in http_get
    raise TimeoutError(f"{url} did not answer in {timeout_s} s")
TimeoutError: https://berlin.example did not answer in 30 s
"""
PROBLEM = Problem(
    kind="error",
    type="TimeoutError",
    message="https://berlin.example did not answer in 30 s",
    traceback=TRACEBACK,
    retryable=True,
)


def wave(height: float, step: float) -> tuple[float | None, ...]:
    return tuple(round(height * (1.2 + math.sin(place * step)), 2) for place in range(60))


def node(number: int, state: str = "online") -> NodeView:
    is_here = state == "online"
    site = ("berlin", "lisbon", "東京")[number % 3]
    return NodeView(
        id=f"{('edge', 'office', 'lab')[number % 3]}-{number:03}",
        state=state,
        cordoned=number % 13 == 5,
        labels={"site": site, "gpu": "h100"} if number % 4 == 0 else {"site": site},
        slots=(4, 8, 16)[number % 3],
        slots_in_use=number * 7 % ((4, 8, 16)[number % 3] + 1) if is_here else None,
        version="0.1.0",
        first_seen_at=NOW - 90_000,
        last_seen_at=NOW - (2 if is_here else 130 + number),
        connected_at=NOW - 7000 * (number + 1) if is_here else None,
        connects=1 + number % 3,
        disconnects=number % 3,
        last_disconnect=Disconnect(at=NOW - 130 - number, reason="no heartbeat for 30 s") if number % 3 else None,
        totals={"succeeded": 1234.0 * number, "failed": float(number % 5), "run_s": 99.0},
        session_id=f"s{number}" if is_here else None,
        round_trip_ms=0.8 + 11 * (number % 9) if is_here else None,
        outbox=number % 4 if is_here else None,
    )


def task(number: int) -> TaskView:
    state = STATES[number % len(STATES)]
    has_begun = state not in {"queued", "scheduled"}
    return TaskView(
        id=f"01M8FZ52VWFDW9NZADJRWD{number:04}",
        name=NAMES[number % len(NAMES)],
        state=state,
        attempt=1 + number % 3 // 2 if has_begun else 0,
        node=f"edge-{number % 7:03}" if has_begun else None,
        labels={"team": "ops"},
        submitted_at=NOW - 3 * number - 5,
        due_at=NOW + 90 if state == "scheduled" else None,
        started_at=NOW - 3 * number - 4 if has_begun else None,
        finished_at=NOW - 1 if state in {"succeeded", "failed", "lost"} else None,
        run_s=3.0 * number + 3 if state in {"succeeded", "failed"} else None,
        wait_s=0.5 if has_begun else None,
        progress=Progress(done=number % 10, total=10, message="files of /srv") if state == "running" else None,
        error=PROBLEM if state == "failed" else None,
        payload={"url": "https://berlin.example", "depth": 3},
        value={"files": 12} if state == "succeeded" else None,
    )


def event(number: int) -> Event:
    kind = ("task.running", "task.succeeded", "node.online", "task.failed", "node.unreachable")[number % 5]
    of_node = kind.startswith("node")
    return Event(
        kind=kind,
        id=1000 - number,
        at=NOW - number * 1.7,
        task_id="" if of_node else f"01M8FZ52VWFDW9NZADJRWD{number:04}",
        name="" if of_node else NAMES[number % len(NAMES)],
        state="" if of_node else kind.partition(".")[2],
        attempt=0 if of_node else 1,
        node_id=f"edge-{number:03}",
        reason="no heartbeat for 30 s" if kind == "node.unreachable" else "",
        error=PROBLEM if kind == "task.failed" else None,
    )


def stats(level: str, *reasons: str, away: int = 0) -> Stats:
    return Stats(
        hub=HubView(id="hub-e107a2c4d1", version="0.1.0", started_at=NOW - 273_840),
        verdict=Verdict(level=level, reasons=list(reasons)),
        tasks={"queued": 1_284 if away else 12, "running": 97, "scheduled": 4, "succeeded": 182_311, "failed": 73},
        nodes={"online": 24 - away, "unreachable": away} if away else {"online": 24},
        sessions=24 - away,
        last_event_id=1000,
        oldest_queued_at=NOW - (252 if away else 0.4),
        rates=Rates(submitted=121.0, started=120.4, succeeded=119.8, failed=0.35 if away else 0.0, finished=120.15),
        alerts=AlertCounts(firing=3, critical=1) if away else AlertCounts(),
    )


UNREACHABLE = "node edge-003 is unreachable: no heartbeat for 30 s"
FLAPPING = "node lab-011 lost its connection 3 times within 10m 00s"
SKEW = "2 nodes run version 0.0.9, the hub 0.1.0: lab-002, lab-005"

TRENDS = Trends(
    columns={
        "finished": wave(50, 0.31),
        "failed": (None,) * 12 + wave(0.2, 0.9)[12:],
        "queued": wave(600, 0.12),
        "running": wave(40, 0.2),
        "wait": wave(3, 0.12),
        "run": wave(7, 0.5),
    }
)
NODES = tuple(node(number) for number in range(24))
AWAY_NODES = tuple(node(number, "unreachable" if number in {3, 11} else "online") for number in range(24))


def map_of(nodes: tuple[NodeView, ...]) -> tuple[MapNode, ...]:
    return tuple(MapNode(each.id, each.state, each.slots, each.slots_in_use or 0, each.cordoned) for each in nodes)


DETAIL = Detail(
    task_id=task(4).id,
    payload=document(task(4).payload),
    task=task(4),
    attempts=(
        Attempt(1, "edge-001", NOW - 16, NOW - 9, "failed", 7.0, PROBLEM),
        Attempt(2, "office-004", NOW - 6, NOW - 1, "failed", 5.0, PROBLEM),
    ),
    logs=TaskLogs(
        lines=[
            LogLine(at=NOW - 15, attempt=1, level="INFO", message="begins with 3 files"),
            LogLine(at=NOW - 3, attempt=2, level="WARNING", message="berlin answers slowly"),
        ],
        dropped=2,
    ),
    explanation=Explanation(
        task_id=task(4).id, state="failed", summary="It has failed.", nodes=[NodeReason(node_id="n", reason="finished")]
    ),
)

WELL = Snapshot(
    url="http://127.0.0.1:8780",
    now_at=NOW,
    heard_at=NOW - 0.4,
    link=Link(state="live", since_at=NOW - 500),
    stats=stats("ok"),
    trends=replace(TRENDS, columns={**TRENDS.columns, "failed": (0.0,) * 60}),
    map=map_of(NODES),
    nodes=Listing(rows=NODES, total=24, is_read=True),
    presence=Presence(
        NODES[0].id,
        NOW - 86_400,
        NOW,
        (
            Span(NOW - 80_000, NOW - 40_000, "online"),
            Span(NOW - 40_000, NOW - 36_000, "unreachable"),
            Span(NOW - 36_000, NOW - 9_000, "online"),
            Span(NOW - 9_000, NOW - 8_940, "unreachable"),
            Span(NOW - 8_940, None, "online"),
        ),
    ),
    tasks=Listing(rows=tuple(task(number) for number in range(100)), is_more=True, is_read=True),
    events=Listing(rows=tuple(event(number) for number in range(60)), is_read=True),
    lately=tuple(event(number) for number in range(60) if number % 5 in {2, 4}),
    detail=DETAIL,
)
DEGRADED = replace(
    WELL,
    stats=stats("degraded", "2 nodes unreachable", "oldest task waits 4m 12s", away=2),
    trends=TRENDS,
    map=map_of(AWAY_NODES),
    nodes=Listing(rows=AWAY_NODES, total=24, is_read=True),
    alerts=(
        Alert("node_unreachable", "critical", "edge-003", "firing", UNREACHABLE, NOW - 133, False),
        Alert("queue_age", "warning", "", "firing", "the oldest task waits 4m 09s", NOW - 60, False),
        Alert("flapping_ships", "warning", "lab-011", "pending", FLAPPING, NOW - 6, False, "node_flapping"),
        Alert("version_skew", "warning", "0.0.9", "firing", SKEW, NOW - 4000, True, "version_skew", NOW + 5400),
    ),
    errors=(
        ErrorGroup(
            "e1", "diagnosis.http_get", "TimeoutError: did not answer", "diagnosis.py:41", 42, NOW - 3, NOW - 400
        ),
        ErrorGroup("e2", "report.monthly", "KeyError: 'total'", "report.py:7", 2, NOW - 9000, NOW - 9900),
    ),
)
AWAY = replace(
    DEGRADED,
    heard_at=NOW - 14,
    link=Link(state="away", since_at=NOW - 12, reason="http://127.0.0.1:8780 cannot be reached: Connection refused"),
)
FLEETS = {"well": WELL, "degraded": DEGRADED, "hub-away": AWAY}
SIZES = ((40, 12), (60, 20), (80, 24), (120, 40), (200, 60))


def looking_at(view: View) -> State:
    return State(view=view, task_id=DETAIL.task_id if view is View.TASK else "")
