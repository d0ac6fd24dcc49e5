from __future__ import annotations

import json
import sys

import pytest

from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, node, on_a_terminal, run
from tests.pseudo_terminal import on_terminal


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


def test_ids_alone_are_for_the_next_command(hub: CliHub) -> None:
    hub.nodes = {"n1": node("n1"), "n2": node("n2")}
    assert run(hub, "node", "list", "--ids").stdout == "n1\nn2\n"


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


def test_one_that_is_not_there_is_no_reason_to_leave_out_the_others(hub: CliHub) -> None:
    hub.nodes = {"n1": node("n1"), "n2": node("n2")}
    result = run(hub, "node", "drain", "n1", "nope", "n2")
    assert result.stdout == "n1  draining\nn2  draining\n"
    assert result.stderr == "Error: there is no node 'nope'\n  `moorline node list` lists those that registered.\n"
    assert result.exit_code == ExitCode.NOT_FOUND
    document = json.loads(run(hub, "node", "drain", "nope", "n2", "--json").stdout)
    assert [view["id"] for view in document["nodes"]] == ["n2"]
    assert document["failed"] == [{"id": "nope", "message": "there is no node 'nope'"}]


def test_what_every_node_would_meet_ends_it_and_says_what_was_not_tried(hub: CliHub) -> None:
    hub.nodes = {"n1": node("n1"), "n2": node("n2")}
    result = run(hub, "node", "cordon", "n1", "away", "n2")
    assert result.stdout == "n1  online, cordoned\n"
    assert "no space for the database" in result.stderr
    assert result.stderr.endswith("Not tried: n2\n")
    assert result.exit_code == ExitCode.UNREACHABLE


class TestFilter:
    def test_with_yes_all_that_meet_it_are_changed(self, hub: CliHub) -> None:
        hub.nodes = {"n1": node("n1"), "n2": node("n2")}
        result = run(hub, "node", "drain", "--filter", "label.site=berlin", "--yes")
        assert result.stdout == "n1  draining\nn2  draining\n"
        assert hub.requests[0] == "GET /v1/nodes?filter=label.site%3Dberlin"

    def test_where_nobody_can_be_asked_nothing_is_done(self, hub: CliHub) -> None:
        hub.nodes = {f"n{number}": node(f"n{number}") for number in range(7)}
        result = run(hub, "node", "cordon", "--filter", "state=online")
        assert result.exit_code == ExitCode.USAGE
        assert "7 nodes (n0, n1, n2, n3, n4, …) would be cordoned; nothing was done" in result.stderr
        assert len(hub.requests) == 1

    @pytest.mark.parametrize(("answer", "state"), [("y\n", "draining"), ("n\n", "online")])
    def test_a_person_is_asked_with_the_count(self, hub: CliHub, answer: str, state: str) -> None:
        hub.nodes = {"n1": node("n1")}
        said, status = on_a_terminal(hub, "Go on? [y/N]:", answer, "node", "drain", "--filter", "n1")
        assert "1 node (n1) would be drained. Go on? [y/N]" in said
        assert status == (0 if state == "draining" else 1)
        assert hub.nodes["n1"]["state"] == state

    def test_ctrl_c_at_the_question_is_an_interruption(self, hub: CliHub) -> None:
        hub.nodes = {"n1": node("n1")}
        command = (sys.executable, "-m", "moorline.cli", "node", "drain", "--filter", "n1")
        with on_terminal(*command, environment={"MOORLINE_URL": hub.url}) as terminal:
            terminal.wait_for("Go on? [y/N]:")
            # One that comes in the instant before Python begins to read waits for the next key.
            turns = 0
            while terminal.process.poll() is None:
                if turns % 40 == 0:
                    terminal.press("\x03")
                turns += 1
                terminal.read()
            assert terminal.wait() == ExitCode.INTERRUPTED
            assert "Aborted" not in terminal.text
        assert hub.nodes["n1"]["state"] == "online"

    def test_only_what_is_connected_can_be_disconnected(self, hub: CliHub) -> None:
        hub.nodes = {"n1": node("n1", state="unreachable"), "n2": node("n2")}
        assert run(hub, "node", "disconnect", "--filter", "n", "--yes").stdout == "n2  unreachable\n"

    def test_nothing_that_matches_is_no_error(self, hub: CliHub) -> None:
        result = run(hub, "node", "drain", "--filter", "state=gone")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "No node meets this filter and can be changed.\n"

    def test_an_empty_one_does_not_mean_the_whole_fleet(self, hub: CliHub) -> None:
        result = run(hub, "node", "drain", "--filter", "", "--yes")
        assert (result.exit_code, hub.requests) == (ExitCode.USAGE, [])
        assert "connects>=0 means every node" in result.stderr

    @pytest.mark.parametrize("arguments", [[], ["n1", "--filter", "a"]])
    def test_nodes_are_named_or_a_filter_is_given(self, hub: CliHub, arguments: list[str]) -> None:
        assert "name nodes, or give a --filter" in run(hub, "node", "drain", *arguments).stderr
