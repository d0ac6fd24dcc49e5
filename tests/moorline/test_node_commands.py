from __future__ import annotations

import json

import pytest

from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, node, run


def test_a_list_is_a_table(hub: CliHub) -> None:
    hub.nodes = {
        "n1": node("n1"),
        "n2": node("n2", cordoned=True, slots_in_use=None, round_trip_ms=None, outbox=None),
    }
    lines = run(hub, "node", "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["ID", "STATE", "SLOTS"]
    assert lines[1].split()[:3] == ["n1", "online", "2/8"]
    assert "online, cordoned" in lines[2]
    assert json.loads(run(hub, "node", "list", "--json").stdout)["nodes"][1]["cordoned"] is True


def test_a_list_may_be_chosen_and_ordered(hub: CliHub) -> None:
    result = run(hub, "node", "list", "--filter", "state=unreachable", "--sort=-seen")
    assert (result.exit_code, result.stderr) == (0, "No node meets this filter.\n")
    assert hub.requests == ["GET /v1/nodes?filter=state%3Dunreachable&sort=-seen"]


def test_no_nodes_are_said_on_stderr(hub: CliHub) -> None:
    assert "No node has registered" in run(hub, "node", "list").stderr


def test_one_node_is_shown_whole(hub: CliHub) -> None:
    hub.nodes = {"n1": node("n1", name="one")}
    out = run(hub, "node", "get", "n1").stdout
    for words in (
        "name        one",
        "site=berlin",
        "ping timeout",
        "5 succeeded, 1 failed",
        "2.5 s",
        "3 results not yet",
    ):
        assert words in out
    assert json.loads(run(hub, "node", "get", "n1", "--json").stdout)["id"] == "n1"


@pytest.mark.parametrize(
    ("verb", "state"),
    [("cordon", "online, cordoned"), ("uncordon", "online"), ("drain", "draining"), ("disconnect", "unreachable")],
)
def test_an_operator_s_wish_reaches_the_hub(hub: CliHub, verb: str, state: str) -> None:
    hub.nodes = {"n1": node("n1"), "n2": node("n2")}
    assert run(hub, "node", verb, "n1", "n2").stdout == f"n1  {state}\nn2  {state}\n"
    assert hub.requests == [f"POST /v1/nodes/n1/{verb}", f"POST /v1/nodes/n2/{verb}"]


def test_a_node_that_is_not_there_ends_with_5(hub: CliHub) -> None:
    assert run(hub, "node", "get", "nope").exit_code == ExitCode.NOT_FOUND
