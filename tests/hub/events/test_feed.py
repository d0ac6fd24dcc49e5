from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hub.events.bounds import Bounds
from hub.events.endings import REVOKED, STOPPING, TooManyStreamsError
from hub.events.feed import EventFeed
from hub.events.filter import EventFilter
from hub.events.objects import sse_message
from hub.events.subscription import Subscription
from hub.store.events import Event
from protocol.frames import Log, LogLine, Progress, TaskError


def event(number: int, state: str = "queued", **more: Any) -> Event:
    values = {"task_id": f"t{number}", "name": "work", "origin": "me"} | more
    return Event(id=number, at=1.0, kind=f"task.{state}", **values)


def following(feed: EventFeed, position: int = 0, **wanted: Any) -> Subscription:
    subscription = feed.subscribe(EventFilter(**wanted))
    subscription.follow(position)
    return subscription


def ids(piece: bytes) -> list[int]:
    return [int(line[4:]) for line in piece.split(b"\n") if line.startswith(b"id: ")]


def data(piece: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in piece.split(b"\n") if line.startswith(b"data: ")]


# --- messages -------------------------------------------------------------------------------------------------------


def test_a_message_has_every_field_and_the_value_as_it_was() -> None:
    message = sse_message(event(7, "succeeded", attempt=2, node_id="n", group="g"), b'{"x": 1.10}')
    assert message.endswith(b',"value":{"x": 1.10}}\n\n')
    assert data(message) == [
        {
            "id": 7,
            "at": 1.0,
            "kind": "task.succeeded",
            "task_id": "t7",
            "name": "work",
            "state": "succeeded",
            "attempt": 2,
            "node_id": "n",
            "origin": "me",
            "group": "g",
            "value": {"x": 1.1},
        }
    ]


def test_line_ends_within_a_value_do_not_end_the_message() -> None:
    message = sse_message(event(1, "succeeded"), b'{\r\n "a":\n"b\\n"\r}')
    assert message.count(b"\n") == 3
    assert b"\r" not in message
    assert data(message)[0]["value"] == {"a": "b\n"}


def test_an_error_is_told_whole() -> None:
    message = sse_message(event(1, "failed", error=TaskError(kind="error", message="no"), reason="because"), None)
    assert data(message)[0]["error"] == {
        "kind": "error",
        "message": "no",
        "type": "",
        "traceback": "",
        "retryable": True,
    }
    assert data(message)[0]["reason"] == "because"


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"kinds": ("task",)}, [1, 2, 3]),
        ({"kinds": ("task.succeeded", "node")}, [2, 4]),
        ({"kinds": ("tas",)}, []),
        ({"origin": "me"}, [1, 2]),
        ({"origin": "me", "kinds": ("task.queued",)}, [1]),
        ({"origin": "me", "name": "other"}, []),
        ({"task": "t2"}, [2]),
        ({"task": "t2", "origin": "you"}, []),
        ({"node": "n1"}, [2, 4]),
        ({"name": "other"}, [3]),
        ({"group": "g"}, [3]),
        ({"group": "h"}, []),
    ],
)
async def test_a_filter_lets_through_what_it_names(wanted: dict[str, Any], expected: list[int]) -> None:
    published = [
        event(1),
        event(2, "succeeded", node_id="n1"),
        event(3, name="other", origin="you", group="g"),
        Event(id=4, at=1.0, kind="node.online", node_id="n1"),
    ]
    feed = EventFeed()
    subscription = following(feed, **wanted)
    feed.publish(published, {"t2": b"1"})
    assert ids(subscription.take()) == expected
    assert [one.id for one in published if EventFilter(**wanted).wants(one)] == expected


async def test_the_index_finds_each_kind_of_subscriber_beside_the_others() -> None:
    feed = EventFeed()
    everything, mine, one = following(feed), following(feed, origin="me"), following(feed, task="t2")
    feed.publish([event(1), event(2), event(3, origin="you")], {})
    assert [ids(subscription.take()) for subscription in (everything, mine, one)] == [[1, 2, 3], [1, 2], [2]]
    mine.close()
    mine.close()
    feed.publish([event(4)], {})
    assert ids(mine.take()) == []
    assert ids(everything.take()) == [4]
    one.close()
    everything.close()
    assert feed.subscriptions == 0


async def test_an_event_is_encoded_once_for_all() -> None:
    feed = EventFeed()
    subscriptions = [following(feed, origin="me") for _ in range(50)]
    feed.publish([event(1), event(2, origin="nobody")], {})
    # One message that waits alone is given as it is: the very same bytes for all.
    pieces = [subscription.take() for subscription in subscriptions]
    assert len({id(piece) for piece in pieces}) == 1
    assert ids(pieces[0]) == [1]


# --- following ------------------------------------------------------------------------------------------------------


async def test_what_was_seen_before_does_not_come_again() -> None:
    feed = EventFeed()
    subscription = following(feed, position=2)
    feed.publish([event(1), event(2), event(3)], {})
    assert ids(subscription.take()) == [3]
    assert (subscription.position, feed.last_id) == (3, 3)


async def test_nothing_comes_before_follow() -> None:
    feed = EventFeed()
    subscription = feed.subscribe(EventFilter())
    feed.publish([event(1)], {})
    assert subscription.take() == b""
    assert await subscription.wait(60)


async def test_waiting_ends_with_the_next_event_or_with_its_time() -> None:
    feed = EventFeed()
    subscription = following(feed)
    assert not await subscription.wait(0.001)
    waiting = asyncio.create_task(subscription.wait(60))
    await asyncio.sleep(0)
    feed.publish([event(1)], {})
    feed.publish([event(2)], {})
    assert await waiting
    assert await subscription.wait(60)
    assert ids(subscription.take()) == [1, 2]


async def test_one_that_falls_behind_leaves_with_what_it_has_and_others_notice_nothing() -> None:
    feed = EventFeed(Bounds(waiting_bytes_max=1000))
    slow, quick = following(feed), following(feed)
    for number in range(1, 21):
        feed.publish([event(number)], {})
        assert ids(quick.take()) == [number]
    assert not slow.is_following
    assert await slow.wait(60)
    seen = ids(slow.take())
    assert seen == list(range(1, slow.position + 1))
    assert 1 <= slow.position < 20
    slow.follow(feed.last_id)
    feed.publish([event(21)], {})
    assert ids(slow.take()) == [21]


async def test_all_that_waits_is_bounded_together() -> None:
    feed = EventFeed(Bounds(waiting_bytes_total_max=5000))
    subscriptions = [following(feed) for _ in range(30)]
    feed.publish([event(number) for number in range(1, 11)], {})
    assert feed.waiting_bytes <= 5000
    assert sum(subscription.is_following for subscription in subscriptions) < 30
    for subscription in subscriptions:
        subscription.close()
    assert feed.waiting_bytes == 0


async def test_streams_are_bounded() -> None:
    feed = EventFeed(Bounds(subscriptions_max=2, watches_max=1))
    first = feed.subscribe(EventFilter())
    feed.subscribe(EventFilter())
    with pytest.raises(TooManyStreamsError, match="2 event streams"):
        feed.subscribe(EventFilter())
    first.close()
    feed.subscribe(EventFilter())
    watch = feed.watch("t")
    with pytest.raises(TooManyStreamsError, match="waiting requests"):
        feed.watch("t")
    watch.close()
    watch.close()
    feed.watch("t").close()


# --- what is only live ----------------------------------------------------------------------------------------------


async def test_progress_and_logs_carry_no_id_and_follow_the_filters_of_their_task() -> None:
    feed = EventFeed()
    mine, yours = following(feed, origin="me", kinds=("task",)), following(feed, origin="you")
    feed.publish([event(1, "running", attempt=1, group="g")], {})
    mine.take()
    feed.tell("n1", Progress(task_id="t1", attempt=1, done=1, total=2, message="half"), 5.0)
    line = LogLine(task_id="t1", attempt=1, at=6.0, level="INFO", message="hello")
    feed.tell("n1", Log(lines=[line]), 7.0)
    piece = mine.take()
    assert ids(piece) == []
    progress, log = data(piece)
    common = {
        "task_id": "t1",
        "name": "work",
        "state": "running",
        "attempt": 1,
        "node_id": "n1",
        "origin": "me",
        "group": "g",
    }
    assert progress == {
        "at": 5.0,
        "kind": "task.progress",
        **common,
        "done": 1.0,
        "total": 2.0,
        "message": "half",
    }
    assert log == {"at": 6.0, "kind": "task.log", **common, "level": "INFO", "message": "hello"}
    assert yours.take() == b""


async def test_progress_of_a_task_that_began_before_the_hub_is_found_by_its_id_alone() -> None:
    feed = EventFeed()
    by_task, by_origin = following(feed, task="old"), following(feed, origin="me")
    feed.tell("n1", Progress(task_id="old", attempt=1, done=1), 5.0)
    assert len(data(by_task.take())) == 1
    assert by_origin.take() == b""


async def test_progress_is_dropped_for_one_without_room_who_goes_on_following() -> None:
    feed = EventFeed(Bounds(waiting_bytes_max=10))
    subscription = following(feed)
    feed.tell("n1", Progress(task_id="t", attempt=1, done=1), 5.0)
    assert subscription.is_following
    assert subscription.take() == b""


async def test_nothing_is_remembered_of_tasks_that_run_no_more() -> None:
    feed = EventFeed()
    feed.tell("n1", Progress(task_id="t1", attempt=1, done=1), 5.0)
    feed.publish([event(1, "running"), Event(id=2, at=1.0, kind="node.online", node_id="n")], {})
    assert len(feed._running) == 1
    feed.publish([event(3, "succeeded", task_id="t1")], {})
    feed.publish([], {})
    assert feed._running == {}


# --- waiting for one task -------------------------------------------------------------------------------------------


async def test_a_watch_ends_with_the_outcome_and_with_nothing_before() -> None:
    feed = EventFeed()
    watch, other = feed.watch("t1"), feed.watch("t1")
    feed.publish([event(1, "running"), event(2, "succeeded")], {})
    assert not await watch.wait(0.001)
    feed.publish([event(3, "failed", task_id="t1")], {})
    assert await other.wait(60)
    watch.close()
    other.close()
    assert feed.watches == 0


# --- ending ---------------------------------------------------------------------------------------------------------


async def test_streams_of_a_revoked_token_end() -> None:
    feed = EventFeed()
    revoked = feed.subscribe(EventFilter(), token_id="a")
    other = feed.subscribe(EventFilter(), token_id="b")
    for subscription in (revoked, other):
        subscription.follow(0)
    waiting = asyncio.create_task(revoked.wait(60))
    await asyncio.sleep(0)
    feed.end_streams({"a"})
    assert await waiting
    assert revoked.end is REVOKED
    assert other.end is None


async def test_a_closed_feed_ends_all_that_are_open_and_all_that_come_later() -> None:
    feed = EventFeed()
    subscription, watch = following(feed), feed.watch("t")
    feed.close()
    feed.close()
    assert subscription.end is STOPPING
    assert not await watch.wait(60)
    assert feed.subscribe(EventFilter()).end is STOPPING
    assert not await feed.watch("t").wait(60)
