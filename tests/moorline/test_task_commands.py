from __future__ import annotations

import json

import pytest

from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, on_a_terminal, run, task


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

    def test_ids_alone_are_for_the_next_command(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1"), "t2": task("t2")}
        assert run(hub, "task", "list", "--ids").stdout == "t1\nt2\n"
        hub.tasks = {}
        result = run(hub, "task", "list", "--ids")
        assert (result.stdout, result.stderr) == ("", "No tasks.\n")

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

    def test_logs_are_followed_to_the_outcome(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1", "succeeded")}
        hub.logs = {"lines": [{"at": 1.5, "attempt": 1, "level": "INFO", "message": "hi"}], "dropped": 1}
        result = run(hub, "task", "logs", "t1", "--follow")
        assert result.stdout == "00:00:01.500  attempt 1  INFO     hi\n"
        assert result.stderr == "The task is succeeded.\n1 more lines were dropped: logs are bounded.\n"
        (line,) = run(hub, "task", "logs", "t1", "-f", "--json").stdout.splitlines()
        assert json.loads(line)["message"] == "hi"

    @pytest.mark.parametrize(
        ("state", "status", "stdout"),
        [("succeeded", 0, "3\n"), ("failed", ExitCode.FAILED, ""), ("cancelled", ExitCode.NOT_DONE, "")],
    )
    def test_waiting_ends_as_submit_does(self, hub: CliHub, state: str, status: int, stdout: str) -> None:
        hub.tasks = {"t1": task("t1", state, **({"value": 3} if state == "succeeded" else {}))}
        result = run(hub, "task", "wait", "t1")
        assert (result.exit_code, result.stdout) == (status, stdout)
        assert json.loads(run(hub, "task", "wait", "t1", "--json").stdout)["state"] == state

    def test_waiting_ends_in_time_and_the_task_goes_on(self, hub: CliHub) -> None:
        hub.tasks = {"t1": task("t1")}
        hub.explanation = {"task_id": "t1", "state": "queued", "summary": "no node has a handler named add"}
        result = run(hub, "task", "wait", "t1", "--timeout", "100ms")
        assert result.exit_code == ExitCode.TIMED_OUT
        assert "t1 is queued. no node has a handler named add" in result.stderr
        assert hub.tasks["t1"]["state"] == "queued"

    def test_waiting_for_what_is_not_there_ends_at_once(self, hub: CliHub) -> None:
        assert run(hub, "task", "wait", "nope").exit_code == ExitCode.NOT_FOUND

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
        said, status = on_a_terminal(hub, "Go on? [y/N]:", answer, "task", "cancel", "--filter", "name=add")
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
