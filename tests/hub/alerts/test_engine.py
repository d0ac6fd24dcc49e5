"""Alerts fire once, are over once, and whoever was told of the one is told of the other."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.alerts.engine import OPEN_MAX, Decision
from hub.alerts.messages import ToldAlert
from hub.store.alerts import SILENCES_KEPT_MAX
from tests.hub.alerts.looks import START_S, Desk, away, here, told

UNREACHABLE = """
[rule.node_unreachable]
for_s = 30
"""


def test_an_alert_is_pending_until_it_held_long_enough_and_is_told_once() -> None:
    desk = Desk(UNREACHABLE)
    assert desk.look(away=[away("n1")]) == []
    assert desk.states() == [("pending", "n1")]
    desk.wait(29)
    assert desk.look(away=[away("n1")]) == []
    desk.wait(1)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]
    desk.wait(10)
    assert desk.look(away=[away("n1")]) == []
    assert desk.states() == [("firing", "n1")]
    assert desk.engine.counts() == (1, 0)
    row = desk.rows["node_unreachable", "n1"]
    assert (row.since_at, row.fired_at, row.node_id, row.told) == (START_S, START_S + 30, "n1", ("ops",))


def test_what_passes_before_it_is_due_is_told_to_nobody() -> None:
    desk = Desk(UNREACHABLE)
    desk.look(away=[away("n1")])
    desk.wait(29)
    assert desk.look(present=[here("n1")]) == []
    assert desk.states() == []
    desk.wait(29)
    assert desk.look(away=[away("n1", desk.now_s)]) == []


def test_that_it_is_over_is_told_once_with_words_about_how_it_ended() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away("n1"), away("n2")])
    desk.wait(60)
    assert desk.look(present=[here("n1")], away=[]) == [("resolved", "n1"), ("resolved", "n2")]
    assert [alert.message for alert in desk.messages[-2:]] == [
        "node n1 is back after 1m 30s",
        "node n2 is given up after 1m 30s: it left, or was away for too long",
    ]
    assert desk.look(present=[here("n1")]) == []
    assert {state for state, _ in desk.states()} == {"resolved"}
    assert desk.engine.counts() == (0, 0)


def test_a_look_that_could_not_ask_changes_nothing() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away("n1")])
    assert desk.look(away=None) == []
    assert desk.states() == [("firing", "n1")]


def test_a_restart_repeats_no_firing_and_loses_no_end() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]
    desk.restart()
    assert desk.look(away=[away("n1")]) == []
    desk.restart()
    assert desk.look(present=[here("n1")]) == [("resolved", "n1")]
    desk.restart()
    assert desk.look(present=[here("n1")]) == []


def test_what_a_process_decided_and_did_not_store_is_decided_again() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    assert [alert.state for alert in told(desk.decide(away=[away("n1")]))] == ["firing"]
    desk.restart()
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]


def test_the_time_that_a_node_has_been_away_counts_over_a_restart() -> None:
    desk = Desk(UNREACHABLE)
    desk.look(away=[away("n1")])
    desk.wait(20)
    desk.restart()
    desk.look(away=[away("n1")])
    desk.wait(10)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]


def test_the_next_episode_is_another_one() -> None:
    desk = Desk(UNREACHABLE)
    for _ in range(2):
        since_s = desk.now_s
        desk.wait(30)
        desk.look(away=[away("n1", since_s)])
        desk.wait(5)
        desk.look(present=[here("n1")])
    assert [alert.state for alert in desk.messages] == ["firing", "resolved"] * 2
    first, over, second, _ = (alert.id for alert in desk.messages)
    assert first == over != second


def test_an_alert_whose_rule_is_no_more_is_over() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away("n1")])
    other = Desk("[rule.hub_degraded]\n")
    other.rows = desk.rows
    other.restart()
    assert other.look(away=[away("n1")]) == [("resolved", "n1")]
    assert other.messages[0].message == "the rule node_unreachable is no more"


# --- whom to tell ----------------------------------------------------------------------------------------------------

CHANNELS = """
[rule.node_unreachable]
for_s = 0
[rule.hub_degraded]
[channel.pager]
kind = "command"
argv = ["true"]
severity = "critical"
[channel.berlin]
kind = "command"
argv = ["true"]
"""


def channels_told(desk: Desk, rule: str, subject: str) -> set[str]:
    return set(desk.rows[rule, subject].told)


def test_a_channel_is_told_what_is_severe_enough_for_it() -> None:
    desk = Desk(CHANNELS)
    desk.look(away=[away("n1")], degraded="disk full")
    assert channels_told(desk, "node_unreachable", "n1") == {"ops", "berlin"}
    assert channels_told(desk, "hub_degraded", "") == {"ops", "berlin", "pager"}


def test_a_rule_that_names_channels_is_told_there_alone() -> None:
    desk = Desk(CHANNELS.replace("for_s = 0", 'for_s = 0\nchannels = ["berlin"]'))
    desk.look(away=[away("n1")])
    assert channels_told(desk, "node_unreachable", "n1") == {"berlin"}


def test_nobody_is_told_of_what_is_silenced_until_the_silence_ends() -> None:
    desk = Desk(UNREACHABLE)
    desk.silence("node_unreachable", "n1", for_s=120)
    desk.wait(30)
    assert desk.look(away=[away("n1"), away("n2")]) == [("firing", "n2")]
    (view, _) = sorted(desk.engine.shown(desk.now), key=lambda view: view.subject)
    assert view.silenced_until == START_S + 120
    desk.wait(91)
    assert desk.look(away=[away("n1"), away("n2")]) == [("firing", "n1")]


def test_of_silences_about_the_same_the_last_one_ends_it() -> None:
    desk = Desk(UNREACHABLE)
    for rule, subject, for_s in (("", "n1", 300), ("node_unreachable", "", 100), ("", "n2", 500), ("other", "", 900)):
        desk.silence(rule, subject, for_s=for_s)
    desk.wait(30)
    assert desk.look(away=[away("n1")]) == []
    (view,) = desk.engine.shown(desk.now)
    assert view.silenced_until == START_S + 300


def test_what_begins_and_ends_in_a_silence_is_never_told() -> None:
    desk = Desk(UNREACHABLE)
    desk.silence(for_s=120)
    desk.wait(30)
    desk.look(away=[away("n1")])
    desk.wait(10)
    desk.look(present=[here("n1")])
    desk.wait(200)
    desk.look(present=[here("n1")])
    assert desk.messages == []
    assert desk.states() == [("resolved", "n1")]


def test_who_was_told_that_it_fires_is_told_that_it_is_over_also_in_a_silence() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away("n1")])
    desk.silence()
    assert desk.look(present=[here("n1")]) == [("resolved", "n1")]


def test_a_silence_that_is_ended_is_over_at_once() -> None:
    desk = Desk(UNREACHABLE)
    silence = desk.silence()
    desk.wait(30)
    assert desk.look(away=[away("n1")]) == []
    assert [row.id for row in desk.engine.silences(desk.now)] == [silence.id]
    desk.engine.put_silence(replace(silence, until_at=desk.now_s), desk.now)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]
    assert desk.engine.silences(desk.now) == []


def test_of_too_many_silences_the_oldest_is_forgotten() -> None:
    desk = Desk(UNREACHABLE)
    for _ in range(SILENCES_KEPT_MAX + 1):
        desk.silence()
        desk.now_s += 0.01
    assert len(desk.engine.silences(desk.now)) == SILENCES_KEPT_MAX
    assert desk.engine.get_silence("s0") is None


@pytest.mark.parametrize("place", ["rule", "channel"])
def test_in_a_quiet_time_nobody_is_told_and_what_still_fires_is_told_at_its_end(place: str) -> None:
    text = UNREACHABLE + '[quiet.night]\nfrom = "22:00"\nto = "06:00"\n'
    if place == "rule":
        desk = Desk(text.replace("for_s = 30", 'for_s = 30\nquiet = ["night"]'))
    else:
        desk = Desk(text.replace("for_s = 30", 'for_s = 30\nchannels = ["calm"]') + CALM)
    desk.now_s = datetime(2026, 3, 3, 23, 0, tzinfo=UTC).timestamp()
    nodes = [away("n1", desk.now_s), away("n2", desk.now_s)]
    desk.wait(30)
    assert desk.look(away=nodes) == []
    assert desk.engine.counts() == (2, 0)
    desk.wait(3600)
    assert desk.look(away=nodes[:1]) == []
    desk.now_s = datetime(2026, 3, 4, 6, 0, tzinfo=UTC).timestamp()
    assert desk.look(away=nodes[:1]) == [("firing", "n1")]


CALM = """
[channel.calm]
kind = "command"
argv = ["true"]
quiet = ["night"]
"""


def test_many_alerts_of_one_look_go_into_few_messages() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    decision = desk.decide(away=[away(f"n{number:03d}") for number in range(120)])
    assert [len(told_in) for told_in in _by_message(decision)] == [50, 50, 20]
    assert len({message.id for message in decision.messages}) == 3


def _by_message(decision: Decision) -> list[list[ToldAlert]]:
    return [told(Decision(alerts=[], messages=[message], news=[])) for message in decision.messages]


def test_more_than_so_many_alerts_at_once_are_not_taken() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away(f"n{number}") for number in range(OPEN_MAX + 5)])
    assert desk.engine.counts() == (OPEN_MAX, 0)


# --- whatever happens ------------------------------------------------------------------------------------------------

NODES = ("n1", "n2", "n3")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.sets(st.sampled_from(NODES))),
        st.tuples(st.just("blind"), st.just(frozenset[str]())),
        st.tuples(st.just("die"), st.sets(st.sampled_from(NODES))),
        st.tuples(st.just("restart"), st.just(frozenset[str]())),
        st.tuples(st.just("silence"), st.sets(st.sampled_from(NODES), max_size=1)),
        st.tuples(st.just("wait"), st.just(frozenset[str]())),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_no_two_firings_without_an_end_between_whatever_restarts(steps: list[tuple[str, set[str]]]) -> None:
    desk = Desk("[rule.node_unreachable]\nfor_s = 20\n" + CALM.replace('quiet = ["night"]', ""))
    since: dict[str, float] = {}
    for what, nodes in steps:
        if what in {"look", "die"}:
            since = {node: since.get(node, desk.now_s) for node in nodes}
            facts = [away(node, since_s) for node, since_s in since.items()]
            present = [here(node) for node in NODES if node not in nodes]
            if what == "look":
                desk.look(away=facts, present=present)
            else:
                # A process that dies between its decision and the commit.
                desk.decide(away=facts, present=present)
                desk.restart()
        elif what == "blind":
            desk.look(away=None)
        elif what == "restart":
            desk.restart()
        elif what == "silence":
            desk.silence(subject=next(iter(nodes), ""), for_s=30)
        desk.wait(10)
    # In the end all are back, and every silence is over.
    desk.wait(100)
    desk.look(away=[], present=[here(node) for node in NODES])
    stories = defaultdict(list)
    for alert in desk.messages:
        stories[alert.subject, alert.id].append(alert.state)
    for story in stories.values():
        # Two channels, each told once of both.
        assert sorted(story) == ["firing"] * (len(story) // 2) + ["resolved"] * (len(story) // 2)
        assert len(story) <= 4
    for subject in NODES:
        states = [alert.state for alert in desk.messages if alert.subject == subject]
        assert states[:1] in ([], ["firing"])
        assert states[-1:] in ([], ["resolved"])
    assert desk.engine.counts() == (0, 0)


# --- other rules, while it runs ---------------------------------------------------------------------------------------


def test_other_rules_hold_from_the_next_look_on_and_what_fires_is_not_told_again() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]
    desk.revise("[rule.node_unreachable]\nfor_s = 5\n")
    assert desk.look(away=[away("n1"), away("n2", desk.now_s)]) == []
    desk.wait(5)
    assert desk.look(away=[away("n1"), away("n2", desk.now_s - 5)]) == [("firing", "n2")]


def test_what_is_pending_goes_on_under_a_rule_that_is_about_the_same() -> None:
    desk = Desk(UNREACHABLE)
    desk.look(away=[away("n1")])
    desk.wait(20)
    desk.revise(UNREACHABLE.replace("30", "25"))
    assert desk.states() == [("pending", "n1")]
    desk.wait(5)
    assert desk.look(away=[away("n1")]) == [("firing", "n1")]


def test_without_its_rule_what_is_pending_is_forgotten_and_what_fires_is_over() -> None:
    desk = Desk(UNREACHABLE)
    desk.wait(30)
    desk.look(away=[away("n1")])
    desk.look(away=[away("n1"), away("n2", desk.now_s)])
    assert desk.states() == [("firing", "n1"), ("pending", "n2")]
    desk.revise("")
    assert desk.states() == [("firing", "n1")]
    assert desk.look(away=[away("n1"), away("n2")]) == [("resolved", "n1")]
    assert desk.messages[-1].message == "the rule node_unreachable is no more"


def test_a_rule_that_became_another_kind_begins_anew() -> None:
    desk = Desk('[rule.mine]\nkind = "node_unreachable"\nfor_s = 30\n')
    desk.look(away=[away("n1")])
    assert desk.states() == [("pending", "n1")]
    desk.revise('[rule.mine]\nkind = "node_flapping"\n')
    assert desk.states() == []
