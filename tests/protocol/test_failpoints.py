"""Failpoints: what the variable may say, and what happens where one is reached."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from hub import failpoints as hub_failpoints
from node import failpoints as node_failpoints
from protocol import failpoints
from protocol.failpoints import BadFailpointError, Failpoints

NAMES = {"hub.a": True, "hub.b": False}


def armed(text: str) -> Failpoints:
    return Failpoints(NAMES, text, prefix="hub.")


def test_nothing_happens_unless_it_is_set() -> None:
    inert = armed("")
    assert not inert.is_armed
    inert.hit("hub.a")
    inert.hit_each("hub", ["a", "b"])


def test_an_error_is_raised_at_the_nth_time_and_then_no_more() -> None:
    third = armed("hub.a:error:3")
    for _ in range(2):
        third.hit("hub.a")
    with pytest.raises(ConnectionResetError, match=r"hub\.a"):
        third.hit("hub.a", ConnectionResetError)
    third.hit("hub.a")


def test_several_can_be_set_and_those_of_the_other_process_are_passed_over() -> None:
    both = armed(" hub.a:error , node.x:kill, hub.b:sleep:9")
    both.hit("hub.b")
    with pytest.raises(OSError, match=r"hub\.a"):
        both.hit("hub.a")
    assert not armed("node.x:kill").is_armed


def test_kinds_that_are_repeated_count_once() -> None:
    second = armed("hub.a:error:2")
    second.hit_each("hub", ["a", "a", "b"])
    with pytest.raises(OSError, match=r"hub\.a"):
        second.hit_each("hub", ["a"])


def test_sleep_makes_the_thread_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failpoints, "SLEEP_S", 0.05)
    began_s = time.monotonic()
    armed("hub.b:sleep").hit("hub.b")
    assert time.monotonic() - began_s >= 0.05


def test_kill_ends_the_process_at_once() -> None:
    code = (
        "from protocol.failpoints import Failpoints;"
        "Failpoints({'x.a': True}, 'x.a:kill', prefix='x.').hit('x.a'); print(1)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert ended.returncode == -9
    assert ended.stdout == b""


@pytest.mark.parametrize("text", ["hub.a", "hub.a:", "hub.a:explode", "hub.a:kill:0", "hub.a:kill:x", "hub.a:kill:1:2"])
def test_what_cannot_be_read_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(BadFailpointError, match=r"should be name:kill\|error\|sleep"):
        armed(text)


def test_a_place_that_does_not_exist_is_refused_and_so_is_an_error_where_nothing_can_fail() -> None:
    with pytest.raises(BadFailpointError, match=r"there is no hub\.c; there are hub\.a, hub\.b"):
        armed("hub.c:kill")
    with pytest.raises(BadFailpointError, match=r"at hub\.b nothing can fail"):
        armed("hub.b:error")


def test_each_process_knows_its_places_by_their_prefix() -> None:
    assert all(name.startswith("hub.") for name in hub_failpoints.NAMES)
    assert all(name.startswith("node.") for name in node_failpoints.NAMES)
