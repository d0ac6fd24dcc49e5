"""Alerts, their messages and silences, whatever the backend; and what rules ask of nodes and of the queue."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from hub.store.alerts import (
    RESOLVED_KEPT_MAX,
    AlertRow,
    ForgetMessages,
    NoteAlerts,
    OutboundMessage,
    PutSilence,
    QueueHead,
    SilenceRow,
)
from hub.store.nodes import NodeLeft
from tests.hub.store.board import START_S, Board, offer


def alert(subject: str = "n", **more: Any) -> AlertRow:
    values: dict[str, Any] = {
        "id": f"a-{subject}",
        "rule": "node_unreachable",
        "kind": "node_unreachable",
        "subject": subject,
        "node_id": subject,
        "severity": "warning",
        "state": "firing",
        "message": f"node {subject} is unreachable",
        "since_at": START_S - 60,
        "fired_at": START_S,
    }
    return AlertRow(**values | more)


def over(row: AlertRow, at: float = START_S + 5) -> AlertRow:
    return replace(row, state="resolved", resolved_at=at, message="back")


def message(number: int = 1, channel: str = "ops") -> OutboundMessage:
    return OutboundMessage(id=f"m{number}", channel=channel, made_at=START_S, body=b'{"n":%d}' % number)


def test_an_alert_comes_back_as_it_was_stored_with_its_messages_in_order(board: Board) -> None:
    row = alert(value=0.5, told=("ops", "mail"))
    board.run(NoteAlerts(alerts=[row], messages=[message(2), message(1)]))
    kept = board.store.alerts()
    assert kept.alerts == [row]
    assert kept.messages == [message(2), message(1)]


def test_an_alert_makes_an_event_where_its_state_changes_and_only_there(board: Board) -> None:
    row = alert()
    board.run(NoteAlerts(alerts=[row]))
    (event,) = board.last.events
    assert (event.kind, event.name, event.node_id, event.reason) == (
        *("alert.firing", "node_unreachable", "n"),
        "node n is unreachable",
    )
    board.run(NoteAlerts(alerts=[replace(row, told=("ops",))]))
    assert board.last.events == []
    board.run(NoteAlerts(alerts=[over(row)]))
    assert [(event.kind, event.reason) for event in board.last.events] == [("alert.resolved", "back")]
    assert board.store.events(0, 10).events[-1] == board.last.events[0]


def test_noting_the_same_again_changes_nothing_and_makes_no_second_message(board: Board) -> None:
    note = NoteAlerts(alerts=[alert()], messages=[message()])
    board.run(note, note)
    assert len(board.last.events) == 1
    board.run(note)
    assert board.last.events == []
    assert board.store.alerts().messages == [message()]


def test_another_episode_begins_only_when_the_one_before_is_over(board: Board) -> None:
    first, second = alert(), alert(id="a-other")
    board.run(NoteAlerts(alerts=[first]))
    board.run(NoteAlerts(alerts=[second]))
    assert board.store.alerts().alerts == [first]
    assert board.last.events == []
    board.run(NoteAlerts(alerts=[over(first)]), NoteAlerts(alerts=[second]))
    assert board.store.alerts().alerts == [second]
    assert [event.kind for event in board.last.events] == ["alert.resolved", "alert.firing"]


def test_messages_that_were_delivered_are_forgotten(board: Board) -> None:
    board.run(NoteAlerts(alerts=[], messages=[message(1), message(2), message(3)]))
    board.run(ForgetMessages(ids=["m1", "m3", "never heard of"]))
    assert board.store.alerts().messages == [message(2)]


def test_alerts_that_are_over_are_kept_for_a_week_and_only_so_many(board: Board) -> None:
    old = over(alert("old"))
    board.run(NoteAlerts(alerts=[old, alert("firing")]))
    board.wait(8 * 24 * 3600)
    many = [over(alert(f"n{number:04d}"), board.wall_s + number) for number in range(RESOLVED_KEPT_MAX + 10)]
    board.run(NoteAlerts(alerts=many))
    kept = {row.subject for row in board.store.alerts().alerts}
    assert "old" not in kept
    assert "firing" in kept
    assert len(kept) == RESOLVED_KEPT_MAX + 1
    assert "n0000" not in kept


def test_a_silence_can_be_ended_sooner_and_never_later(board: Board) -> None:
    silence = SilenceRow(id="s1", rule="r", subject="", made_at=START_S, until_at=START_S + 60, comment="c", who="w")
    assert board.one(PutSilence(silence=silence)) is True
    assert board.one(PutSilence(silence=replace(silence, until_at=START_S + 90))) is False
    assert board.store.alerts().silences == [silence]
    sooner = replace(silence, until_at=START_S + 1)
    assert board.one(PutSilence(silence=sooner)) is True
    assert board.store.alerts().silences == [sooner]
    board.wait(8 * 24 * 3600)
    board.one(PutSilence(silence=replace(silence, id="s2", until_at=board.wall_s + 1)))
    assert [kept.id for kept in board.store.alerts().silences] == ["s2"]


def test_away_are_those_that_are_unreachable_with_since_and_why(board: Board) -> None:
    for node_id in ("a", "b", "c"):
        board.register(node_id, labels={"site": node_id}, session_id=f"s-{node_id}")
    board.wait(7)
    board.run(NodeLeft(node_id="b", instance_id="i", session_id="s-b", reason="reset"))
    board.run(NodeLeft(node_id="c", instance_id="i", session_id="s-c", reason="bye", gone=True))
    (away,) = board.store.away_nodes()
    assert (away.id, away.name, away.labels, away.version) == ("b", "B", {"site": "b"}, "1")
    assert (away.since_s, away.reason) == (START_S + 7, "reset")


def test_the_heads_of_the_queue_are_one_for_each_class_and_priority(board: Board) -> None:
    board.put(name="hash")
    board.wait(1)
    board.put(name="hash")
    board.put(name="hash", priority=5)
    board.put(name="train", requires={"gpu": "h100"})
    board.put(name="look", node="n7")
    board.put(name="later", delay_s=60)
    heads = board.store.queue_heads(10)
    assert sorted(heads, key=lambda head: (head.name, head.since_at)) == [
        QueueHead(name="hash", requires={}, target="", since_at=START_S),
        QueueHead(name="hash", requires={}, target="", since_at=START_S + 1),
        QueueHead(name="look", requires={}, target="n7", since_at=START_S + 1),
        QueueHead(name="train", requires={"gpu": "h100"}, target="", since_at=START_S + 1),
    ]
    assert heads[-1].target == "n7", "those for one node come last"
    assert len(board.store.queue_heads(2)) == 2
    board.claim(offer(10, handlers=("hash",)))
    assert {head.name for head in board.store.queue_heads(10)} == {"look", "train"}


def test_a_task_that_was_told_to_wait_is_counted_from_when_it_could_run(board: Board) -> None:
    board.put(name="later", delay_s=60)
    board.wait(61)
    board.sweep()
    (head,) = board.store.queue_heads(10)
    assert head.since_at == START_S + 60
