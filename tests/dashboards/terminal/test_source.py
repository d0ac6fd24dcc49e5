from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from dashboards.terminal.acting import WAITING_MAX, Actor
from dashboards.terminal.following import event_filters
from dashboards.terminal.look import Look
from dashboards.terminal.reading import rounded, sorted_tasks
from dashboards.terminal.source import Source
from dashboards.terminal.state import Act, ActOnAll, Count, Question, State, View
from dashboards.terminal.task_times import ran_s
from moorline.errors import HubError, HubUnavailableError, InvalidTaskError, UnauthorizedError
from moorline.views import AlertRule, Alerts, AlertView, Event, TaskView
from tests.dashboards.terminal.fake_client import FakeClient
from tests.dashboards.terminal.fleets import NODES, NOW, stats, task

PULSE_KINDS = ("hub", "node", "alert")


@pytest.fixture
def client() -> FakeClient:
    fake = FakeClient(stats("ok"))
    fake.node_views = list(NODES)
    fake.task_views = [task(number) for number in range(200)]
    return fake


class Clock:
    """A time of day that a test moves."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@contextlib.asynccontextmanager
async def followed(client: FakeClient, clock: Clock | None = None) -> AsyncIterator[Source]:
    source = Source(client, "http://hub", wall=clock or Clock())  # type: ignore[arg-type]
    running = asyncio.create_task(source.run())
    try:
        yield source
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(fact: Callable[[], Any]) -> None:
    """Wait for a fact; the reading goes on meanwhile."""
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.01)


async def test_it_is_live_once_the_hub_has_answered(client: FakeClient) -> None:
    async with followed(client) as source:
        assert source.snapshot().link.state == "connecting"
        await until(lambda: source.snapshot().is_live)
        assert source.snapshot().stats == client.answer


async def test_only_what_is_looked_at_is_read(client: FakeClient) -> None:
    async with followed(client) as source:
        source.look_at(Look(view=View.NODES, node_filter="state=online", node_sort=2, rows=30))
        await until(lambda: source.snapshot().nodes.is_read)
        assert "nodes 'state=online' -used 50" in client.calls
        assert not [call for call in client.calls if call.split()[0] in {"tasks", "map", "history"}]


async def test_a_pulse_spares_the_question(client: FakeClient) -> None:
    clock = Clock()
    async with followed(client, clock) as source:
        await until(lambda: PULSE_KINDS in client.streams)
        asked = client.calls.count("stats")
        for _ in range(3):
            clock.now_s += 1.0
            client.streams[PULSE_KINDS].put_nowait(Event(kind="hub.pulse", stats=stats("degraded")))
            await until(lambda: source.snapshot().heard_at == clock.now_s)
        assert source.snapshot().stats == stats("degraded")
        assert client.calls.count("stats") == asked


async def test_a_pulse_that_is_missing_is_asked_for(client: FakeClient) -> None:
    clock = Clock()
    async with followed(client, clock) as source:
        await until(lambda: source.snapshot().is_live)
        asked = client.calls.count("stats")
        clock.now_s += 10.0
        await until(lambda: client.calls.count("stats") > asked)


async def test_a_hub_that_is_away_keeps_its_last_picture_and_is_asked_for_a_sign_of_life_only(
    client: FakeClient,
) -> None:
    clock = Clock()
    async with followed(client, clock) as source:
        await until(lambda: source.snapshot().map)
        client.error = HubUnavailableError("http://hub cannot be reached: Connection refused")
        clock.now_s += 10.0
        await until(lambda: source.snapshot().link.state == "away")
        seen = source.snapshot()
        assert seen.map
        assert seen.link.reason.endswith("Connection refused")
        client.calls.clear()
        await until(lambda: len(client.calls) >= 2)
        assert set(client.calls) == {"stats"}
        client.error = None
        await until(lambda: source.snapshot().is_live)
        await until(lambda: "map" in client.calls)


async def test_a_token_that_is_refused_is_told(client: FakeClient) -> None:
    client.error = UnauthorizedError("the token is unknown", remedy="give another")
    async with followed(client) as source:
        await until(lambda: source.snapshot().link.state == "refused")
        assert "the token is unknown" in source.snapshot().link.reason


async def test_a_filter_that_the_hub_refuses_is_told_and_the_hub_is_still_there(client: FakeClient) -> None:
    client.refused_filter = InvalidTaskError("state is never 'x'")
    async with followed(client) as source:
        source.look_at(Look(view=View.NODES, node_filter="state=x"))
        await until(lambda: source.snapshot().nodes.problem)
        assert "state is never" in source.snapshot().nodes.problem
        assert source.snapshot().is_live


async def test_what_this_token_may_do_is_known(client: FakeClient) -> None:
    async with followed(client) as source:
        await until(lambda: source.snapshot().role == "read")
        assert not source.snapshot().may_submit


async def test_what_happens_to_nodes_is_kept_newest_first(client: FakeClient) -> None:
    async with followed(client) as source:
        await until(lambda: PULSE_KINDS in client.streams)
        for number in range(3):
            client.streams[PULSE_KINDS].put_nowait(Event(kind="node.online", id=number, node_id=f"n{number}"))
        await until(lambda: len(source.snapshot().lately) == 3)
        assert [event.node_id for event in source.snapshot().lately] == ["n2", "n1", "n0"]


async def test_progress_and_logs_of_the_open_task_come_as_they_happen(client: FakeClient) -> None:
    running = next(view for view in client.task_views if view.state == "running")
    async with followed(client) as source:
        source.look_at(Look(view=View.TASK, task_id=running.id))
        await until(lambda: source.snapshot().detail and ("task",) in client.streams)
        stream = client.streams["task",]
        stream.put_nowait(Event(kind="task.progress", task_id=running.id, done=7.0, total=9.0, message="now"))
        stream.put_nowait(Event(kind="task.log", task_id=running.id, level="INFO", message="a line", at=5.0))
        await until(lambda: source.snapshot().detail.logs.lines)
        detail = source.snapshot().detail
        assert detail.task.progress.done == 7.0
        assert detail.logs.lines[-1].message == "a line"


async def test_a_task_that_is_not_there_is_told(client: FakeClient) -> None:
    async with followed(client) as source:
        source.look_at(Look(view=View.TASK, task_id="nobody"))
        await until(lambda: source.snapshot().detail)
        assert "nobody" in source.snapshot().detail.problem


async def test_events_begin_a_little_before_now_and_end_when_nobody_looks(client: FakeClient) -> None:
    async with followed(client) as source:
        await until(lambda: source.snapshot().is_live)
        source.look_at(Look(view=View.EVENTS))
        await until(lambda: len(client.streams) == 2)
        assert client.asked_last_ids[-1] == 800
        (kinds,) = set(client.streams) - {PULSE_KINDS}
        assert "task.log" not in kinds
        for number in range(700):
            client.streams[kinds].put_nowait(Event(kind="task.queued", id=number))
        await until(lambda: source.snapshot().events.rows and source.snapshot().events.rows[0].id == 699)
        assert len(source.snapshot().events.rows) == 500


def test_a_filter_of_events_names_what_streams_can_be_filtered_by() -> None:
    assert event_filters("kind=node node=n1") == {"kind": "node", "node": "n1"}
    assert "task.failed" in event_filters("")["kind"]
    with pytest.raises(ValueError, match="state=failed: events are filtered by"):
        event_filters("state=failed")


def test_rows_are_read_in_steps_and_not_without_end() -> None:
    assert [rounded(rows) for rows in (0, 1, 50, 51, 99_999)] == [50, 50, 50, 100, 1000]


def test_tasks_can_be_put_in_another_order() -> None:
    some = [task(number) for number in range(8)]
    assert sorted_tasks(some, "newest", NOW) == tuple(some)
    assert sorted_tasks(some, "state", NOW)[0].state == "lost"
    assert ran_s(sorted_tasks(some, "-run", NOW)[0], NOW) == max(ran_s(view, NOW) or 0 for view in some)
    assert [view.name for view in sorted_tasks(some, "name", NOW)] == sorted(view.name for view in some)


def test_what_waits_still_is_sorted_by_how_long_it_has_been_waiting() -> None:
    some = [
        TaskView(id="old", name="x", state="queued", submitted_at=NOW - 50),
        TaskView(id="over", name="x", state="succeeded", submitted_at=NOW - 90, wait_s=60.0),
        TaskView(id="due", name="x", state="queued", submitted_at=NOW - 900, due_at=NOW - 5),
    ]
    assert [view.id for view in sorted_tasks(some, "-wait", NOW)] == ["over", "old", "due"]


async def test_alerts_and_who_is_away_are_read_in_every_view_while_there_are_such(client: FakeClient) -> None:
    client.answer = stats("degraded", "2 nodes unreachable", away=2)
    async with followed(client) as source:
        source.look_at(Look(view=View.TASKS))
        await until(lambda: {"alerts", "map"} <= set(client.calls))
        maps = client.calls.count("map")
        client.streams[PULSE_KINDS].put_nowait(Event(kind="node.unreachable", id=7, node_id="n7"))
        client.streams[PULSE_KINDS].put_nowait(Event(kind="hub.pulse", stats=stats("degraded", away=3)))
        await until(lambda: client.calls.count("map") > maps)


async def test_alerts_are_read_with_the_kinds_of_their_rules_and_what_is_over_as_events(client: FakeClient) -> None:
    client.alerts_answer = Alerts(
        alerts=[
            AlertView(
                id="a", rule="ships", severity="warning", state="firing", since_at=NOW - 9, silenced_until=NOW + 9
            ),
            AlertView(
                id="b", rule="disk_low", severity="critical", state="resolved", since_at=1.0, resolved_at=NOW - 9
            ),
            AlertView(id="c", rule="disk_low", severity="critical", state="resolved", since_at=1.0, resolved_at=2.0),
        ],
        rules=[AlertRule(name="ships", kind="node_flapping", severity="warning")],
    )
    clock = Clock()
    clock.now_s = NOW
    async with followed(client, clock) as source:
        await until(lambda: source.snapshot().alerts)
        (alert,) = source.snapshot().alerts
        assert (alert.kind, alert.is_silenced, alert.silenced_until_at) == ("node_flapping", True, NOW + 9)
        assert [(event.name, event.at) for event in source.snapshot().over] == [("disk_low", NOW - 9)]


async def test_a_single_picture_of_any_view_knows_why_nodes_are_away(client: FakeClient) -> None:
    source = Source(client, "http://hub", wall=Clock())  # type: ignore[arg-type]
    await source.read_once(Look(view=View.NODES))
    assert ("node", "alert") not in client.streams
    client.answer = stats("degraded", away=1)
    await source.read_once(Look(view=View.NODES))
    assert ("node", "alert") in client.streams


async def test_why_the_chosen_task_waits_is_asked(client: FakeClient) -> None:
    async with followed(client) as source:
        source.look_at(Look(view=View.TASKS, waiting_id="t1"))
        await until(lambda: source.snapshot().explanation)
        assert "explain" in client.calls


@contextlib.asynccontextmanager
async def acting(client: FakeClient) -> AsyncIterator[Actor]:
    actor = Actor(client, Source(client, "http://hub"))  # type: ignore[arg-type]
    running = asyncio.create_task(actor.run())
    try:
        yield actor
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def noticed(actor: Actor) -> str:
    """Wait for what came of something."""
    state = State()
    async with asyncio.timeout(20):
        while not state.notice:
            await asyncio.sleep(0.01)
            state = actor.noted(state)
    return state.notice


async def test_what_was_confirmed_is_done_and_told(client: FakeClient) -> None:
    async with acting(client) as actor:
        actor.do(Act("drain", ("n1",)))
        assert await noticed(actor) == "✓ n1 drains"
        assert client.calls == ["drain n1"]


async def test_what_the_hub_refuses_is_told(client: FakeClient) -> None:
    client.error = HubError("it is gone", remedy="look elsewhere")
    async with acting(client) as actor:
        actor.do(Act("cancel", ("t1",)))
        assert await noticed(actor) == "✗ it is gone; look elsewhere"


async def test_all_that_match_are_done_in_as_many_requests_as_it_takes(client: FakeClient) -> None:
    async with acting(client) as actor:
        actor.do(ActOnAll("cancel", "state=queued"))
        await until(lambda: len(client.calls) == 2)
        await until(lambda: actor.noted(State()).notice == "✓ 14,999 tasks cancelled")
        assert client.calls == ["bulk cancel 'state=queued' do None", "bulk cancel 'state=queued' do next"]


async def test_a_question_learns_its_number(client: FakeClient) -> None:
    question = Question(action="retry", ids=("t",), label="", filter="state=failed")
    async with acting(client) as actor:
        actor.do(Count(question))
        state = State(dialog=question)
        await until(lambda: client.calls)
        async with asyncio.timeout(20):
            while state.dialog == question:
                await asyncio.sleep(0.01)
                state = actor.noted(state)
        assert isinstance(state.dialog, Question)
        assert state.dialog.matched == 15_000


async def test_too_much_at_once_is_refused_in_words(client: FakeClient) -> None:
    actor = Actor(client, Source(client, "http://hub"))  # type: ignore[arg-type]
    for number in range(WAITING_MAX + 1):
        actor.do(Act("cancel", (f"t{number}",)))
    assert "this is not done" in actor.noted(State()).notice
