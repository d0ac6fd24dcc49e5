"""The node's decisions, step by step, with a clock that stands still unless it is told to move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
from msgspec import Raw

from node.decisions.core import (
    BYE_WITHIN_S,
    FLUSH_WITHIN_S,
    GREET_WITHIN_S,
    STOP_WITHIN_S,
    NodeCore,
    Profile,
    Vitals,
)
from node.decisions.effects import (
    Close,
    Dial,
    Effect,
    Ended,
    Exit,
    Finished,
    Forget,
    Joined,
    Send,
    Start,
    Stop,
    Store,
)
from node.decisions.link import Link
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.frames import AttemptKey, HubFrame, NodeFrame
from tests.node.fake_hub import task

E = TypeVar("E", bound=Effect)
F = TypeVar("F", bound=NodeFrame)

HEARTBEAT_S = 10.0


def of(kind: type[E], effects: Sequence[Effect]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(kind: type[F], effects: Sequence[Effect]) -> list[F]:
    return [frame for effect in of(Send, effects) for frame in effect.frames if isinstance(frame, kind)]


def started(effects: Sequence[Effect]) -> list[str]:
    return [frame.task_id for effect in of(Start, effects) for frame in effect.tasks]


def stopped(effects: Sequence[Effect]) -> list[tuple[AttemptKey, str]]:
    return [(effect.key, effect.reason) for effect in of(Stop, effects)]


class Node:
    """A core with a clock, and a hub's words for it."""

    def __init__(
        self, *, slots: int = 2, hubs: Sequence[str] = ("ws://a",), results: Sequence[Finished] = (), luck: float = 0.5
    ) -> None:
        profile = Profile(
            node_id="node", instance_id="two", hubs=hubs, slots=slots, handlers=["echo"], predecessors=["one"]
        )
        self.core = NodeCore(profile, luck=lambda: luck, results=results)
        self.now_s = 1000.0
        self.connection = 0
        self.core.begin()

    def pass_s(self, seconds: float) -> list[Effect]:
        """Move the clock, waking the core whenever it wants to be."""
        told: list[Effect] = []
        until_s = self.now_s + seconds
        while (at_s := self.core.wake_at_s()) <= until_s:
            self.now_s = max(self.now_s, at_s)
            told += self.core.tick(self.now_s)
        self.now_s = until_s
        return told + self.core.tick(until_s)

    def stand_still(self, seconds: float) -> None:
        """Move the clock while the process is stopped."""
        self.now_s += seconds

    def connect(self, hub_instance: str = "") -> NodeFrame:
        self.connection += 1
        told = self.core.connected(self.connection, self.now_s, hub_instance=hub_instance)
        (greeting,) = sent(frames.Frame, told)  # type: ignore[type-var]
        assert isinstance(greeting, frames.Register | frames.Resume)
        return greeting

    def hear(self, *message: HubFrame, connection: int | None = None) -> list[Effect]:
        return self.core.received(self.connection if connection is None else connection, message, self.now_s)

    def join(self, *message: HubFrame, spread_s: float = 1.0, limits: frames.HubLimits | None = None) -> list[Effect]:
        """Connect and be welcomed."""
        kind = frames.Registered if isinstance(self.connect(), frames.Register) else frames.Resumed
        answer = kind(
            session_id="session",
            hub_id="hub",
            heartbeat_s=HEARTBEAT_S,
            spread_s=spread_s,
            limits=limits or frames.HubLimits(),
        )
        return self.hear(answer, *message)

    def lose(self, code: int = 1006) -> list[Effect]:
        return self.core.disconnected(self.connection, code, "gone", self.now_s)

    def end(self, *task_ids: str, outcome: frames.Outcome = "succeeded", value: bytes = b"1") -> list[Effect]:
        ended = [
            Ended(key=(task_id, 1), outcome=outcome, value=value, started_s=self.now_s - 1, ended_s=self.now_s)
            for task_id in task_ids
        ]
        return self.core.ended(ended, self.now_s)

    def store(self, *task_ids: str) -> list[Effect]:
        return self.core.stored([(task_id, 1) for task_id in task_ids], self.now_s)

    def finish(self, *task_ids: str) -> list[Effect]:
        return [*self.end(*task_ids), *self.store(*task_ids)]

    def ack_beats(self, effects: Sequence[Effect]) -> None:
        for beat in sent(frames.Heartbeat, effects):
            self.hear(frames.HeartbeatAck(sequence=beat.sequence))

    @property
    def running(self) -> list[str]:
        return [key[0] for key in self.core.inventory.running]

    @property
    def results(self) -> list[str]:
        return [key[0] for key in self.core.inventory.results]


@pytest.fixture
def node() -> Node:
    """A node with a session."""
    node = Node()
    node.join()
    return node


def finished(task_id: str, *, ended_s: float = 900.0, value: bytes = b"1") -> Finished:
    result = frames.Result(task_id=task_id, attempt=1, outcome="succeeded", value=Raw(value))
    return Finished(result=result, ended_s=ended_s)


# --- joining --------------------------------------------------------------------------------------------------------


def test_a_new_process_registers_with_all_that_it_holds_and_who_was_before() -> None:
    node = Node(results=[finished("old")])
    greeting = node.connect()
    assert isinstance(greeting, frames.Register)
    assert greeting.inventory == frames.Inventory(running=[], results=[("old", 1)])
    assert greeting.predecessors == ["one"]
    assert not greeting.draining


def test_predecessors_are_named_until_a_hub_has_committed_that_they_are_dead(node: Node) -> None:
    node.lose()
    node.connect()
    node.hear(frames.UnknownSession(session_id="session"))
    greeting = node.connect()
    assert isinstance(greeting, frames.Register)
    assert greeting.predecessors == []


def test_a_disconnect_is_followed_by_a_resume_with_the_inventory(node: Node) -> None:
    node.hear(task("a"), task("b"))
    node.finish("a")
    node.lose()
    greeting = node.connect()
    assert isinstance(greeting, frames.Resume)
    assert greeting.session_id == "session"
    assert greeting.inventory == frames.Inventory(running=[("b", 1)], results=[("a", 1)])


def test_at_another_process_of_the_hub_a_node_registers_at_once(node: Node) -> None:
    node.hear(task("a"))
    for instance, kind in (("one", frames.Resume), ("one", frames.Resume), ("two", frames.Register)):
        node.lose()
        greeting = node.connect(instance)
        assert isinstance(greeting, kind)
        assert greeting.inventory == frames.Inventory(running=[("a", 1)])


def test_at_a_hub_that_does_not_say_which_process_it_is_a_node_resumes(node: Node) -> None:
    for instance in ("one", "", "two"):
        node.lose()
        assert isinstance(node.connect(instance), frames.Resume)


def test_a_spread_that_comes_with_an_ack_counts_for_the_next_disconnect() -> None:
    node = Node(luck=1.0)
    node.join(spread_s=1.0)
    node.hear(frames.HeartbeatAck(sequence=1, spread_s=20.0))
    (dial,) = of(Dial, node.lose())
    assert dial.after_s == 20.0


def test_joining_says_which_hub_and_what_it_takes() -> None:
    limits = frames.HubLimits(result_bytes_max=100)
    (joined,) = of(Joined, Node().join(limits=limits))
    assert (joined.hub_id, joined.session_id, joined.limits, joined.is_resumed) == ("hub", "session", limits, False)


def test_an_unknown_session_is_forgotten_and_registered_again_after_one_first_wait(node: Node) -> None:
    node.lose()
    node.connect()
    told = node.hear(frames.UnknownSession(session_id="session"))
    assert of(Close, told)
    (dial,) = of(Dial, told)
    assert dial.after_s == 0.5
    assert isinstance(node.connect(), frames.Register)


def test_a_refusal_is_followed_by_a_dial_when_the_hub_said() -> None:
    node = Node(luck=0.0)
    node.connect()
    told = node.hear(frames.Refused(code="degraded", message="no disk", remedy="wait", retry_after_s=40.0))
    (dial,) = of(Dial, told)
    assert dial.after_s == 40.0
    assert not dial.is_parked
    assert "no disk; wait" in dial.reason


def test_a_fatal_refusal_parks_the_node_and_what_runs_goes_on(node: Node) -> None:
    node.hear(task("a"))
    node.lose()
    node.connect()
    told = node.hear(frames.Refused(code="not_allowed", message="no", fatal=True))
    (dial,) = of(Dial, told)
    assert dial.is_parked
    assert 300 <= dial.after_s <= 900
    assert node.running == ["a"]
    assert not of(Stop, told)


def test_a_registration_that_nobody_answers_is_given_up() -> None:
    node = Node()
    node.connect()
    told = node.pass_s(GREET_WITHIN_S)
    assert of(Close, told)
    assert of(Dial, told)
    assert node.core.link is Link.OFFLINE


def test_frames_before_the_welcome_are_ignored() -> None:
    node = Node()
    node.connect()
    assert not node.hear(task("a"))
    assert node.running == []


def test_a_second_welcome_changes_nothing(node: Node) -> None:
    answer = frames.Registered(session_id="other", hub_id="hub", heartbeat_s=1, spread_s=1)
    assert not node.hear(answer)


# --- losing connections ---------------------------------------------------------------------------------------------


def test_after_a_session_the_first_dial_comes_within_the_spread() -> None:
    node = Node(luck=1.0)
    node.join(spread_s=8.0)
    node.pass_s(5.0)
    (dial,) = of(Dial, node.lose(1000))
    assert dial.after_s == 8.0


def test_a_normal_close_is_a_disconnect_like_any_other(node: Node) -> None:
    for code in (1000, 1001, 1012, 4000, 4008, 4009):
        (dial,) = of(Dial, node.lose(code))
        assert not dial.is_parked
        node.join()


@pytest.mark.parametrize("code", [CloseCode.UNAUTHORIZED, CloseCode.BAD_FRAME])
def test_a_fatal_close_code_parks_the_node(node: Node, code: CloseCode) -> None:
    (dial,) = of(Dial, node.lose(code))
    assert dial.is_parked


def test_going_away_keeps_sending_results_and_then_waits_for_the_spread_that_was_named() -> None:
    node = Node(luck=1.0)
    node.join(task("a"))
    node.hear(frames.GoAway(action="reconnect", spread_s=7.0))
    assert sent(frames.Result, node.finish("a"))
    (dial,) = of(Dial, node.lose(1012))
    assert dial.after_s == 7.0


def test_dials_that_fail_wait_longer_and_longer() -> None:
    node = Node(luck=1.0)
    waits_s = [of(Dial, node.core.dial_failed("refused", node.now_s))[0].after_s for _ in range(4)]
    assert waits_s == [1, 2, 4, 8]


def test_a_fatal_dial_parks_the_node() -> None:
    (dial,) = of(Dial, Node().core.dial_failed("401", 0.0, is_fatal=True))
    assert dial.is_parked


def test_several_hubs_are_tried_in_turn_and_a_round_is_one_failure() -> None:
    node = Node(hubs=["ws://a", "ws://b"], luck=1.0)
    dials = [of(Dial, node.core.dial_failed("refused", node.now_s))[0] for _ in range(4)]
    assert [dial.url for dial in dials] == ["ws://b", "ws://a", "ws://b", "ws://a"]
    assert [dial.after_s for dial in dials] == [0.5, 1.0, 0.5, 2.0]


def test_a_node_parks_only_when_every_hub_refused_it_for_good() -> None:
    node = Node(hubs=["ws://a", "ws://b"])
    first = of(Dial, node.core.dial_failed("401", node.now_s, is_fatal=True))[0]
    second = of(Dial, node.core.dial_failed("401", node.now_s, is_fatal=True))[0]
    assert [first.is_parked, second.is_parked] == [False, True]


def test_frames_and_ends_of_a_connection_that_was_left_are_dropped(node: Node) -> None:
    old = node.connection
    node.lose()
    node.join()
    assert not node.hear(task("a"), connection=old)
    assert not node.core.disconnected(old, 1006, "late", node.now_s)
    assert node.running == []
    assert node.core.link is Link.OPEN


def test_a_connection_on_which_nothing_comes_for_three_heartbeats_is_left(node: Node) -> None:
    told = node.pass_s(3 * HEARTBEAT_S - 0.1)
    assert not of(Close, told)
    told = node.pass_s(0.2)
    assert of(Close, told)
    assert of(Dial, told)


# --- heartbeats -----------------------------------------------------------------------------------------------------


def test_heartbeats_are_numbered_per_connection_and_come_at_the_hubs_interval(node: Node) -> None:
    beats = sent(frames.Heartbeat, node.pass_s(2 * HEARTBEAT_S))
    assert [beat.sequence for beat in beats] == [1, 2]
    node.lose()
    node.join()
    beats = sent(frames.Heartbeat, node.pass_s(HEARTBEAT_S))
    assert [beat.sequence for beat in beats] == [1]


def test_a_heartbeat_carries_vitals_counters_and_the_last_round_trip(node: Node) -> None:
    node.hear(task("a"), task("b"), task("c"))
    node.finish("a")
    node.stand_still(HEARTBEAT_S)
    node.hear()
    told = node.core.tick(node.now_s, Vitals(load=1.5, loop_lag_ms=2.0))
    (beat,) = sent(frames.Heartbeat, told)
    assert (beat.slots_in_use, beat.outbox, beat.load, beat.loop_lag_ms, beat.round_trip_ms) == (2, 1, 1.5, 2.0, None)
    assert beat.counters == frames.Counters(started=3, succeeded=1, run_s=1.0, connects=1)
    node.stand_still(0.25)
    node.hear(frames.HeartbeatAck(sequence=beat.sequence))
    (beat,) = sent(frames.Heartbeat, node.pass_s(HEARTBEAT_S))
    assert beat.round_trip_ms == pytest.approx(250)


def test_counters_go_on_across_connections(node: Node) -> None:
    node.hear(task("a"))
    node.finish("a")
    node.lose()
    node.join()
    assert node.core.counters.succeeded == 1
    assert node.core.counters.connects == 2


def test_an_ack_of_a_heartbeat_that_was_never_sent_confirms_nothing(node: Node) -> None:
    node.hear(task("a", lease_s=30.0))
    node.stand_still(20)
    node.hear(frames.HeartbeatAck(sequence=99))
    assert stopped(node.pass_s(10)) == [(("a", 1), "lease")]


def test_a_hub_that_answers_other_things_but_no_heartbeat_bounds_what_is_remembered() -> None:
    node = Node()
    node.join(task("a", lease_s=0.3))
    for _ in range(300):
        node.stand_still(0.2)
        node.hear()
        node.core.tick(node.now_s)
    assert node.core._heartbeats.unconfirmed <= 100


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_a_task_is_started_once_however_often_it_is_pushed(node: Node) -> None:
    assert started(node.hear(task("a"))) == ["a"]
    assert not node.hear(task("a"))
    node.end("a")
    assert not started(node.hear(task("a")))
    node.store("a")
    assert not node.hear(task("a"))
    assert node.results == ["a"]


def test_attempts_past_the_slots_wait_in_their_order(node: Node) -> None:
    assert started(node.hear(task("a"), task("b"), task("c"), task("d"))) == ["a", "b"]
    assert node.running == ["a", "b", "c", "d"]
    assert started(node.end("b")) == ["c"]
    assert started(node.end("a")) == ["d"]


def test_an_attempt_that_is_over_and_pushed_again_does_not_start_but_is_reported_as_stopped(node: Node) -> None:
    node.hear(task("a"))
    node.finish("a")
    node.hear(frames.Ack(attempts=[("a", 1)]))
    told = node.hear(task("a"))
    assert not started(told)
    (store,) = of(Store, told)
    assert store.results[0].result.outcome == "cancelled"


def test_another_attempt_of_a_task_that_is_over_starts(node: Node) -> None:
    node.hear(task("a"))
    node.finish("a")
    assert started(node.hear(task("a", attempt=2))) == ["a"]


# --- results --------------------------------------------------------------------------------------------------------


def test_a_result_is_sent_only_when_it_is_stored(node: Node) -> None:
    node.hear(task("a"))
    told = node.end("a", value=b"42")
    assert not of(Send, told)
    (store,) = of(Store, told)
    result = store.results[0].result
    assert (result.outcome, result.value, result.run_s) == ("succeeded", Raw(b"42"), 1.0)
    assert node.running == ["a"]
    assert node.results == []
    (frame,) = sent(frames.Result, node.store("a"))
    assert frame.task_id == "a"
    assert node.running == []
    assert node.results == ["a"]


def test_a_result_is_kept_until_it_is_acked(node: Node) -> None:
    node.hear(task("a"))
    node.finish("a")
    (forget,) = of(Forget, node.hear(frames.Ack(attempts=[("a", 1), ("unknown", 1)])))
    assert forget.keys == [("a", 1)]
    assert node.results == []
    assert not node.hear(frames.Ack(attempts=[("a", 1)]))


def test_results_are_sent_again_on_the_next_connection_in_their_order_with_their_age(node: Node) -> None:
    node.hear(task("a"), task("b"))
    node.finish("b")
    node.finish("a")
    node.lose()
    node.stand_still(5)
    told = node.join()
    assert [(frame.task_id, frame.age_s) for frame in sent(frames.Result, told)] == [("b", 5.0), ("a", 5.0)]


def test_what_an_earlier_process_left_is_sent_first_thing() -> None:
    node = Node(results=[finished("old", ended_s=900.0)])
    (frame,) = sent(frames.Result, node.join())
    assert (frame.task_id, frame.age_s) == ("old", 100.0)


def test_no_more_than_four_megabytes_of_results_are_in_flight() -> None:
    big = b'"' + b"x" * 250_000 + b'"'
    node = Node(results=[finished(f"t{number}", value=big) for number in range(40)])
    first = sent(frames.Result, node.join())
    assert 16 <= len(first) <= 18
    keys = [(frame.task_id, frame.attempt) for frame in first]
    second = sent(frames.Result, node.hear(frames.Ack(attempts=keys[:5])))
    assert [frame.task_id for frame in second] == [f"t{number}" for number in range(len(first), len(first) + 5)]


def test_a_result_too_large_for_this_hub_is_sent_as_a_failure() -> None:
    node = Node(results=[finished("old", value=b'"' + b"x" * 200 + b'"')])
    (frame,) = sent(frames.Result, node.join(limits=frames.HubLimits(result_bytes_max=100)))
    assert frame.outcome == "failed"
    assert frame.error is not None
    assert frame.error.kind == "bad_result"


def test_while_the_outbox_cannot_write_nothing_starts_and_results_are_sent_all_the_same(node: Node) -> None:
    node.hear(task("a"))
    node.core.outbox_failing(node.now_s)
    assert sent(frames.Result, node.finish("a"))
    assert not started(node.hear(task("b")))
    assert node.running == ["b"]
    assert started(node.core.outbox_recovered(node.now_s)) == ["b"]


def test_an_end_of_what_is_not_held_is_ignored(node: Node) -> None:
    assert not node.end("ghost")
    assert not node.store("ghost")


# --- verdicts and cancels -------------------------------------------------------------------------------------------


def test_a_verdict_stop_takes_the_result_of_what_runs_away(node: Node) -> None:
    node.hear(task("a"))
    told = node.hear(frames.Verdicts(stop=[("a", 1), ("unknown", 1)]))
    assert stopped(told) == [(("a", 1), "unwanted")]
    assert node.running == ["a"]
    assert not of(Store, node.end("a"))
    assert node.running == []
    assert node.results == []


def test_a_verdict_stop_reaches_what_waits_what_is_being_stored_and_what_is_stored(node: Node) -> None:
    node.hear(task("a"), task("b"), task("c"))
    node.finish("a")
    node.end("b")
    node.hear(task("d"), task("e"))
    told = node.hear(frames.Verdicts(stop=[("a", 1), ("b", 1), ("e", 1)]))
    assert of(Forget, told)[0].keys == [("a", 1)]
    assert node.running == ["b", "c", "d"]
    assert of(Forget, node.store("b"))[0].keys == [("b", 1)]
    assert node.results == []


def test_a_verdict_stop_for_what_is_being_stopped_only_takes_its_result(node: Node) -> None:
    node.hear(task("a"))
    node.hear(frames.Cancel(task_id="a", attempt=1))
    assert not node.hear(frames.Verdicts(stop=[("a", 1)]))
    assert not of(Store, node.end("a"))


def test_verdicts_forget_and_keep_do_what_they_say(node: Node) -> None:
    node.hear(task("a"), task("b"))
    node.finish("a")
    node.lose()
    told = node.join(frames.Verdicts(keep=[("b", 1)], forget=[("a", 1)]))
    assert of(Forget, told)[0].keys == [("a", 1)]
    assert not sent(frames.Result, told)
    assert node.running == ["b"]


def test_a_cancel_stops_what_runs_and_its_end_is_reported(node: Node) -> None:
    node.hear(task("a"))
    cancel = frames.Cancel(task_id="a", attempt=1)
    assert stopped(node.hear(cancel)) == [(("a", 1), "cancelled")]
    assert not node.hear(cancel)
    (store,) = of(Store, node.end("a", outcome="cancelled", value=b""))
    assert store.results[0].result.outcome == "cancelled"


def test_what_finished_before_its_cancel_keeps_its_outcome(node: Node) -> None:
    node.hear(task("a"))
    node.hear(frames.Cancel(task_id="a", attempt=1))
    (store,) = of(Store, node.end("a"))
    assert store.results[0].result.outcome == "succeeded"
    assert not node.hear(frames.Cancel(task_id="a", attempt=1))


def test_a_cancel_of_what_waits_is_reported_at_once(node: Node) -> None:
    node.hear(task("a"), task("b"), task("c"))
    told = node.hear(frames.Cancel(task_id="c", attempt=1))
    (store,) = of(Store, told)
    assert store.results[0].result.outcome == "cancelled"
    assert not of(Stop, told)
    assert not started(node.end("a", "b"))


def test_a_cancel_of_something_unknown_is_ignored(node: Node) -> None:
    assert not node.hear(frames.Cancel(task_id="ghost", attempt=1))


# --- leases ---------------------------------------------------------------------------------------------------------


def test_an_attempt_is_stopped_when_no_heartbeat_sent_within_its_lease_was_acked(node: Node) -> None:
    node.hear(task("a", lease_s=60.0), task("b", lease_s=100.0))
    node.lose()
    assert not stopped(node.pass_s(59.9))
    assert stopped(node.pass_s(0.2)) == [(("a", 1), "lease")]
    assert not stopped(node.pass_s(39.8))
    assert stopped(node.pass_s(0.2)) == [(("b", 1), "lease")]


def test_what_it_came_to_is_reported_for_the_hub_to_decide(node: Node) -> None:
    node.hear(task("a", lease_s=60.0))
    node.lose()
    node.pass_s(61)
    (store,) = of(Store, node.end("a", outcome="cancelled", value=b""))
    assert store.results[0].result.outcome == "cancelled"


def test_a_lease_counts_from_the_sending_of_the_heartbeat_that_was_acked(node: Node) -> None:
    node.hear(task("a", lease_s=60.0))
    (beat,) = sent(frames.Heartbeat, node.pass_s(5.0))
    node.stand_still(4.0)
    node.hear(frames.HeartbeatAck(sequence=beat.sequence))
    node.lose()
    assert not stopped(node.pass_s(55.9))
    assert stopped(node.pass_s(0.2))


def test_a_resume_renews_leases_from_the_time_of_its_sending(node: Node) -> None:
    node.hear(task("a", lease_s=60.0))
    node.lose()
    node.pass_s(50)
    node.join()
    node.lose()
    assert not stopped(node.pass_s(59))
    assert stopped(node.pass_s(2))


def test_a_process_that_was_stopped_first_stops_what_is_overdue_whatever_woke_it(node: Node) -> None:
    node.hear(task("a", lease_s=60.0), task("b"), task("c"))
    node.stand_still(100)
    told = [*node.finish("b")]
    assert isinstance(told[0], Stop)
    assert told[0].key == ("a", 1)
    assert sent(frames.Result, told)


def test_heartbeats_are_as_frequent_as_the_shortest_lease_needs(node: Node) -> None:
    node.hear(task("a", lease_s=3.0))
    told: list[Effect] = []
    for _ in range(100):
        step = node.pass_s(0.1)
        node.ack_beats(step)
        told += step
    assert not stopped(told)
    assert len(sent(frames.Heartbeat, told)) >= 9
    node.finish("a")
    node.pass_s(1)
    assert len(sent(frames.Heartbeat, node.pass_s(19))) <= 2


def test_a_push_with_a_lease_shorter_than_the_last_word_waits_for_a_heartbeat(node: Node) -> None:
    node.stand_still(4.0)
    assert started(node.hear(task("a", lease_s=2.0), task("b"))) == ["b"]
    assert node.running == ["a", "b"]
    (beat,) = sent(frames.Heartbeat, node.pass_s(0))
    assert started(node.hear(frames.HeartbeatAck(sequence=beat.sequence))) == ["a"]


def test_a_push_read_after_a_long_stop_does_not_start_before_the_hub_has_confirmed_it(node: Node) -> None:
    node.stand_still(400)
    assert not started(node.hear(task("a")))
    node.lose()
    told = node.join(frames.Verdicts(stop=[("a", 1)]))
    assert not started(told)
    assert node.running == []


# --- draining -------------------------------------------------------------------------------------------------------


def test_an_idle_node_drains_at_once_with_a_bye(node: Node) -> None:
    told = node.core.drain("SIGTERM", node.now_s)
    assert sent(frames.Drain, told)
    assert sent(frames.Bye, told)
    assert of(Exit, node.lose(1000))[0].code == 0
    assert not node.core.drain("SIGTERM", node.now_s)


def test_a_draining_node_finishes_what_it_holds_and_delivers_it_before_it_leaves(node: Node) -> None:
    node.hear(task("a"), task("b"), task("c"))
    told = node.core.drain("SIGTERM", node.now_s)
    assert sent(frames.Drain, told)
    assert not sent(frames.Bye, told)
    assert started(node.finish("a", "b")) == ["c"]
    assert not sent(frames.Bye, node.finish("c"))
    told = node.hear(frames.Ack(attempts=[("a", 1), ("b", 1), ("c", 1)]))
    assert sent(frames.Bye, told)


def test_a_hub_that_asks_for_a_drain_gets_one(node: Node) -> None:
    told = node.hear(frames.GoAway(action="drain", reason="maintenance"))
    assert sent(frames.Drain, told)[0].reason == "maintenance"
    assert sent(frames.Bye, told)


def test_a_bye_that_nobody_answers_is_not_waited_for(node: Node) -> None:
    node.core.drain("SIGTERM", node.now_s)
    told = node.pass_s(BYE_WITHIN_S)
    assert of(Close, told)
    assert of(Exit, told)[0].code == 0


def test_what_comes_after_a_bye_is_not_started(node: Node) -> None:
    node.core.drain("SIGTERM", node.now_s)
    assert not node.hear(task("late"))


def test_a_node_that_joins_while_it_drains_says_so(node: Node) -> None:
    node.hear(task("a"))
    node.lose()
    node.core.drain("SIGTERM", node.now_s)
    assert sent(frames.Drain, node.join())
    node.lose()
    node.connect()
    node.hear(frames.UnknownSession(session_id="session"))
    greeting = node.connect()
    assert isinstance(greeting, frames.Register)
    assert greeting.draining


def test_a_drain_waits_for_a_hub_to_take_the_last_results_but_not_for_ever(node: Node) -> None:
    node.hear(task("a"))
    node.lose()
    assert not of(Exit, node.core.drain("SIGTERM", node.now_s))
    assert not of(Exit, node.finish("a"))
    told = node.pass_s(FLUSH_WITHIN_S)
    (leaving,) = of(Exit, told)
    assert leaving.code == 0
    assert "1 results wait in the outbox" in leaving.reason


def test_an_idle_node_without_a_hub_leaves_at_once() -> None:
    node = Node()
    assert of(Exit, node.core.drain("SIGTERM", node.now_s))[0].code == 0
    assert not of(Dial, node.core.dial_failed("refused", node.now_s))


def test_a_node_that_is_greeting_waits_for_the_answer_before_it_leaves() -> None:
    node = Node()
    node.connect()
    assert not of(Exit, node.core.drain("SIGTERM", node.now_s))
    assert of(Exit, node.lose())


def test_stopping_handlers_stops_what_runs_and_reports_what_waits(node: Node) -> None:
    node.hear(task("a"), task("b"), task("c"))
    told = node.core.stop_handlers("SIGTERM again", node.now_s)
    assert [key[0] for key, reason in stopped(told) if reason == "shutdown"] == ["a", "b"]
    (store,) = of(Store, told)
    assert [item.key[0] for item in store.results] == ["c"]
    assert not started(node.end("a", "b", outcome="cancelled", value=b""))
    assert not stopped(node.core.stop_handlers("SIGTERM again", node.now_s))


def test_what_is_pushed_while_handlers_are_stopped_is_given_back(node: Node) -> None:
    node.hear(task("a"))
    node.core.stop_handlers("SIGTERM again", node.now_s)
    (store,) = of(Store, node.hear(task("late")))
    assert store.results[0].result.outcome == "cancelled"


def test_handlers_that_do_not_stop_are_abandoned(node: Node) -> None:
    node.hear(task("a"))
    node.core.stop_handlers("SIGTERM again", node.now_s)
    assert not of(Exit, node.pass_s(STOP_WITHIN_S - 0.1))
    (leaving,) = of(Exit, node.pass_s(0.2))
    assert leaving.code == 1


# --- reports --------------------------------------------------------------------------------------------------------


def test_reports_are_sent_on_an_open_session_and_else_not(node: Node) -> None:
    progress = frames.Progress(task_id="a", attempt=1, done=1.0)
    assert sent(frames.Progress, node.core.report([progress], node.now_s)) == [progress]
    node.lose()
    assert not node.core.report([progress], node.now_s)
