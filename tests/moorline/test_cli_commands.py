from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorline.cli import cli
from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub
from tests.moorline.raw_server import RawServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub() -> Iterator[CliHub]:
    with CliHub() as hub:
        yield hub


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MOORLINE_TOKEN", raising=False)


def run(hub: CliHub, *arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), env={"MOORLINE_URL": hub.url}, input=stdin)


def task(task_id: str, state: str = "queued", **more: object) -> dict[str, object]:
    return {"id": task_id, "name": "add", "state": state, "attempt": 0, "submitted_at": 1700000000.0, **more}


def node(node_id: str, **more: object) -> dict[str, object]:
    return {
        "id": node_id, "state": "online", "cordoned": False, "labels": {"site": "berlin"}, "slots": 8,
        "slots_in_use": 2, "handlers": ["add", "boom"], "version": "1", "first_seen_at": 1.0, "last_seen_at": 2.0,
        "connects": 1, "disconnects": 1, "last_disconnect": {"at": 3.0, "reason": "ping timeout"},
        "totals": {"succeeded": 5, "failed": 1, "run_s": 2.5}, "round_trip_ms": 1.25, "load": 0.5, "outbox": 3, **more,
    }  # fmt: skip


class TestSubmit:
    def test_it_prints_the_id_alone(self, hub: CliHub) -> None:
        result = run(hub, "submit", "other", "a=1")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout == f"{hub.submitted[0]['id']}\n"

    def test_with_json_it_is_a_document(self, hub: CliHub) -> None:
        result = run(hub, "submit", "other", "--json")
        assert json.loads(result.stdout) == {"id": hub.submitted[0]["id"], "name": "other"}

    def test_each_option_reaches_the_hub(self, hub: CliHub) -> None:
        flags = ["--priority", "5", "--requires", "gpu=h100", "--requires", "site=b=c", "--node", "n1", "--delay", "2m"]
        flags += ["--deadline", "2031-05-17T18:00:00Z", "--timeout", "90", "--max-attempts", "4", "--on-lost", "fail"]
        flags += ["--idempotency-key", "k", "--label", "who=me"]
        assert run(hub, "submit", "other", "n=3", "who=Ada", *flags).exit_code == 0
        options = hub.submitted[0]["options"]
        assert options.pop("origin")
        retry = options.pop("retry")
        assert retry["max_attempts"] == 4
        assert options == {
            "priority": 5, "requires": {"gpu": "h100", "site": "b=c"}, "node": "n1", "delay_s": 120.0,
            "deadline": 1936807200.0, "timeout_s": 90.0, "on_lost": "fail", "idempotency_key": "k",
            "labels": {"who": "me"},
        }  # fmt: skip
        assert hub.submitted[0]["payload"] == {"n": 3, "who": "Ada"}

    def test_a_payload_may_come_from_stdin(self, hub: CliHub) -> None:
        run(hub, "submit", "other", "--json-payload", "-", "b=2", stdin='{"a": [1]}')
        assert hub.submitted[0]["payload"] == {"a": [1], "b": 2}

    @pytest.mark.parametrize(
        ("arguments", "stdin", "problem"),
        [
            (["a"], None, "'a' is not key=value"),
            (["--json-payload", "[]"], None, "the payload is an array"),
            (["--json-payload", "-"], b"\xff", "stdin is not UTF-8"),
            (["--json-payload", "-"], b" " * (16 * 1024 * 1024 + 1), "stdin has more than"),
            (["--delay", "soon"], None, "write a number and a unit"),
            (["--deadline", "2031-05-17T18:00:00"], None, "names no zone"),
            (["--requires", "gpu"], None, "is not key=value"),
            (["--timeout", "99d"], None, "timeout_s is"),
        ],
    )
    def test_wrong_usage_never_reaches_the_hub(
        self, hub: CliHub, arguments: list[str], stdin: bytes | None, problem: str
    ) -> None:
        result = run(hub, "submit", "other", *arguments, stdin=stdin)
        assert result.exit_code == ExitCode.USAGE
        assert problem in result.stderr
        assert not hub.submitted

    def test_wait_prints_the_value(self, hub: CliHub) -> None:
        result = run(hub, "submit", "add", "a=1", "b=2", "--wait")
        assert (result.exit_code, result.stdout) == (0, "3\n")

    def test_wait_with_json_prints_the_task(self, hub: CliHub) -> None:
        document = json.loads(run(hub, "submit", "add", "a=1", "--wait", "--json").stdout)
        assert (document["state"], document["value"]) == ("succeeded", 1)

    def test_a_failed_task_ends_with_1_and_the_node_s_traceback_made_harmless(self, hub: CliHub) -> None:
        result = run(hub, "submit", "boom", "--wait")
        assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
        assert "RuntimeError: no good\\x1b[31m" in result.stderr
        assert "Traceback (most recent call last):\n  boom" in result.stderr

    def test_a_failed_task_with_json_is_a_document_too(self, hub: CliHub) -> None:
        result = run(hub, "submit", "boom", "--wait", "--json")
        assert result.exit_code == ExitCode.FAILED
        assert json.loads(result.stdout)["error"]["type"] == "RuntimeError"

    @pytest.mark.parametrize("outcome", ["cancelled", "expired", "lost"])
    def test_a_task_that_was_not_done_ends_with_8(self, hub: CliHub, outcome: str) -> None:
        result = run(hub, "submit", outcome, "--wait")
        assert result.exit_code == ExitCode.NOT_DONE
        assert f"moorline task retry {hub.submitted[0]['id']}" in result.stderr

    def test_waiting_long_enough_ends_with_7(self, hub: CliHub) -> None:
        result = run(hub, "submit", "other", "--wait-timeout", "10ms")
        assert result.exit_code == ExitCode.TIMED_OUT
        assert f"moorline task get {hub.submitted[0]['id']}" in result.stderr

    def test_what_the_hub_refuses_ends_with_2_in_its_words(self, hub: CliHub) -> None:
        result = run(hub, "submit", "refused")
        assert result.exit_code == ExitCode.USAGE
        assert result.stderr == "Error: payload.x is 7\n  A text.\n"

    def test_a_name_that_is_none_ends_with_2(self, hub: CliHub) -> None:
        assert run(hub, "submit", "bad name").exit_code == ExitCode.USAGE

    def test_on_a_terminal_it_says_what_goes_on(self, hub: CliHub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("moorline.commands.is_terminal", lambda: True)
        assert "moorline events --task" in run(hub, "submit", "other").stderr
        assert "Ctrl-C stops waiting, not the task" in run(hub, "submit", "add", "--wait").stderr


class TestTasks:
    def test_a_list_is_a_table(self, hub: CliHub) -> None:
        hub.tasks = {
            "t1": task("t1", "running", node="n1", attempt=1),
            "t2": task("t2", "failed", error={"kind": "timeout"}),
        }
        lines = run(hub, "task", "list").stdout.splitlines()
        assert lines[0].split() == ["ID", "NAME", "STATE", "NODE", "ATTEMPT", "AGE", "RAN", "ERROR"]
        assert lines[1].split()[:5] == ["t1", "add", "running", "n1", "1"]
        assert lines[2].split()[-1] == "timeout"

    def test_filters_reach_the_hub(self, hub: CliHub) -> None:
        flags = ["--state", "failed,lost", "--state", "queued", "--name", "add", "--node", "n1", "--label", "who=me"]
        assert run(hub, "task", "list", *flags, "--since", "2031-05-17T12:00:00Z", "--group", "g").exit_code == 0
        query = hub.requests[0]
        for part in (
            "state=failed,lost,queued",
            "name=add",
            "node=n1",
            "label=who%3Dme",
            "since=1936785600.0",
            "group=g",
        ):
            assert part.replace("%3D", "=") in query.replace("%3D", "=").replace("%2C", ",")

    def test_no_more_than_the_limit_are_shown(self, hub: CliHub) -> None:
        hub.tasks = {f"t{number}": task(f"t{number}") for number in range(5)}
        result = run(hub, "task", "list", "--limit", "2")
        assert len(result.stdout.splitlines()) == 3
        assert "the newest 2" in result.stderr

    def test_no_tasks_are_said_on_stderr(self, hub: CliHub) -> None:
        assert run(hub, "task", "list").stderr == "No tasks.\n"
        assert json.loads(run(hub, "task", "list", "--json").stdout) == {"tasks": []}

    def test_a_list_does_not_pretend_to_know_values(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "succeeded", value=3)}
        (document,) = json.loads(run(hub, "task", "list", "--json").stdout)["tasks"]
        assert document["id"] == "t1"
        assert not {"value", "payload"} & set(document)

    def test_one_task_is_shown_whole(self, hub: CliHub) -> None:
        hub.tasks = {
            "t1": task(
                "t1", "failed", attempt=2, failures=2, losses=1, node="n1", run_s=0.5, wait_s=0.1, started_at=1.0,
                finished_at=2.0, deadline_at=4e9, priority=3, requires={"gpu": "x"}, labels={"who": "me"},
                payload={"a": 1},
                error={"kind": "error", "type": "ValueError", "message": "bad", "traceback": "T1\nT2"},
            )
        }  # fmt: skip
        out = run(hub, "task", "get", "t1").stdout
        for words in (
            "attempt    2 (2 failed, 1 lost)",
            "requires   gpu=x",
            "error      ValueError: bad",
            "(in ",
            '"a": 1',
        ):
            assert words in out
        assert "traceback  T1\n           T2" in out
        assert "value" not in out

    def test_progress_is_shown_while_it_runs(self, hub: CliHub) -> None:
        hub.tasks = {
            "t1": task("t1", "running", progress={"done": 1, "total": 4, "message": "half"}),
            "t2": task("t2", "running", progress={"done": 1}),
            "t3": task("t3", "scheduled", due_at=4e9),
        }
        assert "1 of 4  half" in run(hub, "task", "get", "t1").stdout
        assert "progress   1\n" in run(hub, "task", "get", "t2").stdout
        assert "due" in run(hub, "task", "get", "t3").stdout

    def test_the_json_of_a_task_is_the_hub_s(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "succeeded", value={"x": [1]})}
        assert json.loads(run(hub, "task", "get", "t1", "--json").stdout)["value"] == {"x": [1]}

    def test_a_task_shows_its_attempts_if_it_had_several(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "succeeded", attempt=2)}
        error = {"kind": "error", "type": "ValueError", "message": "bad"}
        first = {"attempt": 1, "node": "n1", "started_at": 1.0, "ended_at": 4.0, "outcome": "lost", "error": error}
        second = {"attempt": 2, "node": "n2", "started_at": 5.0, "ended_at": 6.0, "outcome": "succeeded", "run_s": 0.5}
        hub.attempts = [first, second]
        out = run(hub, "task", "get", "t1").stdout.splitlines()
        assert out[-3].split() == ["ATTEMPT", "NODE", "OUTCOME", "STARTED", "TOOK", "ERROR"]
        assert out[-2].split() == ["1", "n1", "lost", "1970-01-01", "00:00:01Z", "3.0", "s", "ValueError:", "bad"]
        assert out[-1].split() == ["2", "n2", "succeeded", "1970-01-01", "00:00:05Z", "500", "ms", "-"]
        document = json.loads(run(hub, "task", "get", "t1", "--json").stdout)
        assert [attempt["outcome"] for attempt in document["attempts"]] == ["lost", "succeeded"]

    def test_a_hub_that_keeps_no_attempts_shows_the_task_all_the_same(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "succeeded", attempt=2)}
        hub.attempts = None
        result = run(hub, "task", "get", "t1")
        assert (result.exit_code, "succeeded" in result.stdout) == (0, True)

    def test_a_task_that_is_not_there_ends_with_5(self, hub: CliHub) -> None:
        result = run(hub, "task", "get", "nope")
        assert (result.exit_code, result.stderr) == (ExitCode.NOT_FOUND, "Error: there is no task nope\n")

    def test_tasks_are_cancelled_one_by_one(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1"), "t22": task("t22", "succeeded")}
        assert run(hub, "task", "cancel", "t1", "t22", "t1").stdout == "t1   cancelled\nt22  succeeded\n"
        assert sum("POST" in request for request in hub.requests) == 2
        document = json.loads(run(hub, "task", "cancel", "t1", "--json").stdout)
        assert document["tasks"][0]["state"] == "cancelled"

    def test_a_failed_task_is_queued_again(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "failed")}
        assert run(hub, "task", "retry", "t1").stdout == "t1  queued\n"

    def test_what_is_not_in_that_state_ends_with_6(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "running")}
        result = run(hub, "task", "retry", "t1")
        assert result.exit_code == ExitCode.CONFLICT
        assert "task t1 is running" in result.stderr

    def test_explain_says_why_node_by_node(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1")}
        hub.explanation = {
            "task_id": "t1", "state": "queued", "summary": "It waits for a slot.", "position": 2,
            "nodes": [
                {"node_id": "n2", "reason": "labels", "detail": "gpu is h100"},
                {"node_id": "n1", "reason": "busy", "detail": "8 of 8"},
            ],
        }  # fmt: skip
        lines = run(hub, "task", "explain", "t1").stdout.splitlines()
        assert "  It waits for a slot." in lines
        assert "queue  number 2" in lines
        assert [line.split()[0] for line in lines[-2:]] == ["n1", "n2"]
        assert json.loads(run(hub, "task", "explain", "t1", "--json").stdout)["position"] == 2

    def test_logs_are_lines(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1")}
        hub.logs = {"lines": [{"at": 1.5, "attempt": 1, "level": "INFO", "message": "hi\x07"}], "dropped": 2}
        result = run(hub, "task", "logs", "t1")
        assert result.stdout == "00:00:01.500  INFO     hi\\x07\n"
        assert "2 more lines were dropped" in result.stderr
        hub.logs["lines"].append({"at": 2.5, "attempt": 2, "level": "INFO", "message": "again"})
        assert "attempt 2  INFO     again" in run(hub, "task", "logs", "t1").stdout
        assert json.loads(run(hub, "task", "logs", "t1", "--json").stdout)["dropped"] == 2

    def test_no_logs_are_said_on_stderr(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1")}
        assert run(hub, "task", "logs", "t1").stderr == "Nothing was logged.\n"


class TestTasksOfAFilter:
    def test_a_filter_reaches_the_hub(self, hub: CliHub) -> None:
        assert run(hub, "task", "list", "--filter", "state=failed name~a", "--limit", "5").exit_code == 0
        assert hub.requests == ["GET /v1/tasks?filter=state%3Dfailed+name~a&limit=5"]

    def test_with_yes_all_are_changed_request_by_request(self, hub: CliHub) -> None:
        hub.tasks = {f"t{number}": task(f"t{number}") for number in range(5)}
        hub.tasks["t4"]["state"] = "cancelled"
        result = run(hub, "task", "cancel", "--filter", "name=add", "--yes")
        assert result.stdout == "4 tasks cancelled; 1 had their outcome by then\n"
        assert [asked["cursor"] for asked in hub.changes] == [None, "2", "4"]
        assert {view["state"] for view in hub.tasks.values()} == {"cancelled"}

    def test_with_json_it_is_a_document(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "failed")}
        result = run(hub, "task", "retry", "--filter", "state=failed", "--yes", "--json")
        assert json.loads(result.stdout) == {"matched": 1, "changed": 1}

    def test_nothing_that_matches_is_no_error(self, hub: CliHub) -> None:
        result = run(hub, "task", "retry", "--filter", "state=lost")
        assert (result.exit_code, result.stdout) == (0, "No task meets this filter and can be changed.\n")

    def test_where_nobody_can_be_asked_nothing_is_done(self, hub: CliHub) -> None:
        hub.tasks = {f"t{number}": task(f"t{number}") for number in range(3)}
        result = run(hub, "task", "cancel", "--filter", "name=add")
        assert result.exit_code == ExitCode.USAGE
        assert "2 or more tasks would be cancelled; nothing was done" in result.stderr
        assert "Add --yes" in result.stderr
        assert [asked["count_only"] for asked in hub.changes] == [True]

    @pytest.mark.parametrize(("answer", "state"), [("y\n", "cancelled"), ("n\n", "queued"), ("\n", "queued")])
    def test_a_person_is_asked_with_the_count(self, hub: CliHub, answer: str, state: str) -> None:
        hub.tasks = {"t1": task("t1")}
        said, status = on_a_terminal(hub, "Go on? [y/N]: ", answer, "task", "cancel", "--filter", "name=add")
        assert "1 task would be cancelled. Go on? [y/N]" in said
        assert ("1 task cancelled" if state == "cancelled" else "nothing was done") in said
        assert status == (0 if state == "cancelled" else 1)
        assert hub.tasks["t1"]["state"] == state

    def test_an_error_in_the_filter_names_the_place(self, hub: CliHub) -> None:
        result = run(hub, "task", "cancel", "--filter", "stat=failed", "--yes")
        assert result.exit_code == ExitCode.USAGE
        assert "filter, character 1: there is no field stat" in result.stderr
        assert "Did you mean state?" in result.stderr

    def test_what_was_done_before_it_failed_is_told(self, hub: CliHub) -> None:
        hub.tasks = {f"t{number}": task(f"t{number}") for number in range(3)}
        result = run(hub, "task", "cancel", "--filter", "breaks", "--yes")
        assert result.exit_code == ExitCode.UNREACHABLE
        assert result.stderr.startswith("2 tasks cancelled before this:\n")

    @pytest.mark.parametrize("arguments", [[], ["t1", "--filter", "a"]])
    def test_tasks_are_named_or_a_filter_is_given(self, hub: CliHub, arguments: list[str]) -> None:
        result = run(hub, "task", "retry", *arguments)
        assert result.exit_code == ExitCode.USAGE
        assert "name tasks, or give a --filter" in result.stderr


def on_a_terminal(hub: CliHub, question: str, answer: str, *arguments: str) -> tuple[str, int]:
    """Run the command on a pseudo-terminal and answer its question; give what it printed, and its status."""
    mine, its = os.openpty()
    command = [sys.executable, "-m", "moorline.cli", *arguments]
    environment = {**os.environ, "MOORLINE_URL": hub.url, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as process:
        os.close(its)
        said = b""
        is_answered = False
        # The end of a terminal is an error on Linux.
        with contextlib.suppress(OSError):
            while piece := os.read(mine, 1024):
                said += piece
                if not is_answered and question.encode() in said:
                    os.write(mine, answer.encode())
                    is_answered = True
        os.close(mine)
    return said.decode(), process.returncode


class TestNodes:
    def test_a_list_is_a_table(self, hub: CliHub) -> None:
        hub.nodes = {
            "n1": node("n1"),
            "n2": node("n2", cordoned=True, slots_in_use=None, round_trip_ms=None, outbox=None),
        }
        lines = run(hub, "node", "list").stdout.splitlines()
        assert lines[0].split()[:3] == ["ID", "STATE", "SLOTS"]
        assert lines[1].split()[:3] == ["n1", "online", "2/8"]
        assert "online, cordoned" in lines[2]
        assert json.loads(run(hub, "node", "list", "--json").stdout)["nodes"][1]["cordoned"] is True

    def test_a_list_may_be_chosen_and_ordered(self, hub: CliHub) -> None:
        result = run(hub, "node", "list", "--filter", "state=unreachable", "--sort=-seen")
        assert (result.exit_code, result.stderr) == (0, "No node meets this filter.\n")
        assert hub.requests == ["GET /v1/nodes?filter=state%3Dunreachable&sort=-seen"]

    def test_no_nodes_are_said_on_stderr(self, hub: CliHub) -> None:
        assert "No node has registered" in run(hub, "node", "list").stderr

    def test_one_node_is_shown_whole(self, hub: CliHub) -> None:
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
    def test_an_operator_s_wish_reaches_the_hub(self, hub: CliHub, verb: str, state: str) -> None:
        hub.nodes = {"n1": node("n1"), "n2": node("n2")}
        assert run(hub, "node", verb, "n1", "n2").stdout == f"n1  {state}\nn2  {state}\n"
        assert hub.requests == [f"POST /v1/nodes/n1/{verb}", f"POST /v1/nodes/n2/{verb}"]

    def test_a_node_that_is_not_there_ends_with_5(self, hub: CliHub) -> None:
        assert run(hub, "node", "get", "nope").exit_code == ExitCode.NOT_FOUND


FAILED = {"id": 6, "at": 3.5, "kind": "task.failed", "task_id": "t1", "name": "add", "state": "failed"}
RUNNING = {"id": 5, "at": 1.5, "kind": "task.running", "task_id": "t1", "name": "add", "state": "running"}
EVENTS = [
    {**RUNNING, "attempt": 1, "node_id": "n1"},
    {"at": 2.5, "kind": "task.progress", "task_id": "t1", "done": 1, "total": 4},
    {**FAILED, "error": {"kind": "timeout"}},
    {"id": 7, "at": 4.5, "kind": "node.gone", "node_id": "n1", "state": "gone"},
]


class TestEvents:
    def follow(self, hub: CliHub, *arguments: str) -> tuple[list[str], int]:
        """Follow until as many lines have come as there are events, then press Ctrl-C."""
        process = subprocess.Popen(
            [sys.executable, "-m", "moorline.cli", "events", *arguments],
            cwd=ROOT, env={**os.environ, "MOORLINE_URL": hub.url},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in hub.events]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert "Traceback" not in errors
        return lines, process.returncode

    def test_each_event_is_a_line_at_once(self, hub: CliHub) -> None:
        hub.events = EVENTS
        lines, status = self.follow(hub, "--since-id", "4", "--kind", "task,node", "--kind", "node")
        assert status == ExitCode.INTERRUPTED
        assert [" ".join(line.split()) for line in lines] == [
            "00:00:01.500 task.running t1 add attempt 1 on n1",
            "00:00:02.500 task.progress t1 1 of 4",
            "00:00:03.500 task.failed t1 add timeout",
            "00:00:04.500 node.gone n1",
        ]
        assert hub.last_event_ids == ["4"]
        assert any("kind=task,node,node" in request.replace("%2C", ",") for request in hub.requests)

    def test_with_json_each_line_is_a_document(self, hub: CliHub) -> None:
        hub.events = EVENTS
        lines, _ = self.follow(hub, "--json")
        assert [json.loads(line)["kind"] for line in lines] == [event["kind"] for event in EVENTS]

    def test_a_hub_that_is_not_there_is_said_at_once(self, hub: CliHub) -> None:
        hub.token = "sesame"
        assert run(hub, "events").exit_code == ExitCode.REFUSED


class TestWhatCanBeWrong:
    def test_no_hub_ends_with_3(self, hub: CliHub) -> None:
        with RawServer(lambda _: b"") as server:
            address = f"http://127.0.0.1:{server.port}"
        result = CliRunner().invoke(cli, ["task", "list", "--url", address])
        assert result.exit_code == ExitCode.UNREACHABLE
        assert f"Error: {address} cannot be reached" in result.stderr
        assert "moorline doctor" in result.stderr

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
        ],
    )
    def test_something_else_than_a_hub_ends_with_3_and_a_clear_sentence(self, answer: bytes) -> None:
        with RawServer(lambda _: answer) as server:
            result = CliRunner().invoke(cli, ["task", "list", "--url", f"http://127.0.0.1:{server.port}"])
        assert result.exit_code == ExitCode.UNREACHABLE
        assert f"127.0.0.1:{server.port}" in result.stderr
        assert "moorline doctor" in result.stderr
        assert "Traceback" not in result.stderr

    def test_no_token_ends_with_4(self, hub: CliHub) -> None:
        hub.token = "sesame"
        result = run(hub, "task", "list")
        assert result.exit_code == ExitCode.REFUSED
        assert "Give a token with --token or MOORLINE_TOKEN" in result.stderr
        assert run(hub, "task", "list", "--token", "sesame").exit_code == 0

    def test_a_token_that_may_not_ends_with_4(self, hub: CliHub) -> None:
        hub.token = "sesame"
        result = run(hub, "task", "cancel", "t1", "--token", "read-only")
        assert result.exit_code == ExitCode.REFUSED
        assert "role" in result.stderr

    def test_a_file_without_certificates_ends_with_2(self, hub: CliHub, tmp_path: Path) -> None:
        ca = tmp_path / "ca.pem"
        ca.write_text("none")
        result = run(hub, "task", "list", "--ca", str(ca))
        assert result.exit_code == ExitCode.USAGE
        assert "holds no certificates" in result.stderr

    def test_settings_of_the_file_reach_the_client(self, hub: CliHub, tmp_path: Path) -> None:
        hub.token = "sesame"
        (tmp_path / "moorline.toml").write_text(f"[client]\nurl = '{hub.url}'\ntoken = 'sesame'\n")
        for command in (["task", "list"], ["node", "list"]):
            assert CliRunner().invoke(cli, command).exit_code == 0


class TestThePast:
    def test_errors_are_shown_by_group(self, hub: CliHub) -> None:
        assert "Nothing has gone wrong." in run(hub, "errors").stderr
        hub.groups = [
            {
                "id": "00ff",
                "name": "add",
                "kind": "error",
                "type": "ValueError",
                "message": "no #",
                "place": "app/tasks.py:7 in add",
                "count": 12,
                "first_at": 1.0,
                "last_at": 2.0,
            }
        ]
        head, row = run(hub, "errors", "--limit", "5").stdout.splitlines()
        assert head.split() == ["COUNT", "LAST", "FIRST", "TASK", "ERROR", "PLACE", "GROUP"]
        for words in ("12", "add", "ValueError: no #", "app/tasks.py:7 in add", "00ff"):
            assert words in row
        assert json.loads(run(hub, "errors", "--json").stdout)["groups"][0]["count"] == 12

    def test_the_audit_log_is_shown(self, hub: CliHub) -> None:
        assert "Nobody has done anything yet." in run(hub, "audit").stderr
        hub.lines = [
            {
                "id": 1,
                "at": 3.0,
                "who": "ann (tok_1)",
                "role": "admin",
                "address": "10.0.0.7",
                "action": "node.drain",
                "target": "n1",
                "detail": "",
            }
        ]
        head, row = run(hub, "audit").stdout.splitlines()
        assert head.split() == ["WHEN", "WHO", "ROLE", "FROM", "ACTION", "TARGET", "DETAIL"]
        assert row.split() == [
            "1970-01-01",
            "00:00:03Z",
            "ann",
            "(tok_1)",
            "admin",
            "10.0.0.7",
            "node.drain",
            "n1",
            "-",
        ]
        assert json.loads(run(hub, "audit", "--json").stdout)["entries"][0]["target"] == "n1"
