"""Which hub is dialled next, and when: addresses in turn, one failure a round, parked only where all of them refuse."""

from __future__ import annotations

from node.decisions.backing_off import PARKED_S_MAX, PARKED_S_MIN, RETRY_AFTER_JITTER
from node.decisions.dialing import Dialing


def dialing(*hubs: str, luck: float = 1.0) -> Dialing:
    return Dialing(hubs or ("ws://a",), lambda: luck)


def test_the_first_hub_is_dialled_at_once() -> None:
    first = dialing("ws://a", "ws://b").begin()
    assert (first.url, first.after_s, first.is_parked) == ("ws://a", 0.0, False)


def test_after_a_session_the_same_hub_is_dialled_within_the_spread_that_it_named() -> None:
    ways = dialing("ws://a", "ws://b")
    ways.welcomed(spread_s=8.0)
    dial = ways.after_session("closed", lived_s=100.0)
    assert (dial.url, dial.after_s, dial.reason) == ("ws://a", 8.0, "closed")


def test_a_hub_that_goes_names_a_spread_for_this_once() -> None:
    ways = dialing()
    ways.welcomed(spread_s=8.0)
    ways.sent_away(20.0)
    assert ways.after_session("the hub stops", lived_s=100.0).after_s == 20.0
    ways.welcomed(spread_s=8.0)
    assert ways.after_session("closed", lived_s=100.0).after_s == 8.0


def test_each_failure_turns_to_the_next_address_and_a_round_of_them_backs_off_once() -> None:
    ways = dialing("ws://a", "ws://b", "ws://c")
    dials = [ways.after_failure("refused") for _ in range(7)]
    assert [dial.url for dial in dials] == [f"ws://{name}" for name in "bcabcab"]
    between, first_round, second_round = dials[0].after_s, dials[2].after_s, dials[5].after_s
    assert between < first_round < second_round


def test_what_the_hub_asks_for_is_waited_for() -> None:
    asked = dialing().after_failure("503", retry_after_s=50.0)
    assert 50.0 <= asked.after_s <= 50.0 * (1 + RETRY_AFTER_JITTER)


def test_a_node_is_parked_only_if_every_address_says_what_only_a_person_can_mend() -> None:
    ways = dialing("ws://a", "ws://b")
    assert not ways.after_failure("bad token", is_fatal=True).is_parked
    assert not ways.after_failure("nobody listens").is_parked
    assert not ways.after_failure("bad token", is_fatal=True).is_parked
    parked = ways.after_failure("bad token", is_fatal=True)
    assert parked.is_parked
    assert PARKED_S_MIN <= parked.after_s <= PARKED_S_MAX


def test_a_session_proves_that_the_token_is_good() -> None:
    ways = dialing("ws://a", "ws://b")
    ways.after_failure("bad token", is_fatal=True)
    ways.welcomed(spread_s=1.0)
    assert not ways.after_failure("bad token", is_fatal=True).is_parked


def test_an_unknown_session_is_registered_anew_at_the_same_hub() -> None:
    ways = dialing("ws://a", "ws://b")
    assert ways.after_unknown_session("unknown").url == "ws://a"
