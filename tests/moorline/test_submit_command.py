from __future__ import annotations

import json

import pytest

from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, run


def test_it_prints_the_id_alone(hub: CliHub) -> None:
    result = run(hub, "submit", "other", "a=1")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{hub.submitted[0]['id']}\n"


def test_with_json_it_is_a_document(hub: CliHub) -> None:
    result = run(hub, "submit", "other", "--json")
    assert json.loads(result.stdout) == {"id": hub.submitted[0]["id"], "name": "other"}


def test_each_option_reaches_the_hub(hub: CliHub) -> None:
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


def test_a_payload_may_come_from_stdin(hub: CliHub) -> None:
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
        (["--timeout", "99d"], None, "at most 30d"),
    ],
)
def test_wrong_usage_never_reaches_the_hub(
    hub: CliHub, arguments: list[str], stdin: bytes | None, problem: str
) -> None:
    result = run(hub, "submit", "other", *arguments, stdin=stdin)
    assert result.exit_code == ExitCode.USAGE
    assert problem in result.stderr
    assert not hub.submitted


def test_wait_prints_the_value(hub: CliHub) -> None:
    result = run(hub, "submit", "add", "a=1", "b=2", "--wait")
    assert (result.exit_code, result.stdout) == (0, "3\n")


def test_wait_with_json_prints_the_task(hub: CliHub) -> None:
    document = json.loads(run(hub, "submit", "add", "a=1", "--wait", "--json").stdout)
    assert (document["state"], document["value"]) == ("succeeded", 1)


def test_a_failed_task_ends_with_1_and_the_node_s_traceback_made_harmless(hub: CliHub) -> None:
    result = run(hub, "submit", "boom", "--wait")
    assert (result.exit_code, result.stdout) == (ExitCode.FAILED, "")
    assert "RuntimeError: no good\\x1b[31m" in result.stderr
    assert "Traceback (most recent call last):\n  boom" in result.stderr


def test_a_failed_task_with_json_is_a_document_too(hub: CliHub) -> None:
    result = run(hub, "submit", "boom", "--wait", "--json")
    assert result.exit_code == ExitCode.FAILED
    assert json.loads(result.stdout)["error"]["type"] == "RuntimeError"


@pytest.mark.parametrize("outcome", ["cancelled", "expired", "lost"])
def test_a_task_that_was_not_done_ends_with_8(hub: CliHub, outcome: str) -> None:
    result = run(hub, "submit", outcome, "--wait")
    assert result.exit_code == ExitCode.NOT_DONE
    assert f"moorline task retry {hub.submitted[0]['id']}" in result.stderr


def test_waiting_long_enough_ends_with_7(hub: CliHub) -> None:
    result = run(hub, "submit", "other", "--wait-timeout", "10ms")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert f"moorline task get {hub.submitted[0]['id']}" in result.stderr


def test_whoever_waits_for_long_is_told_what_it_waits_for(hub: CliHub) -> None:
    hub.explanation = {"task_id": "t", "state": "queued", "summary": "No node has a handler named other."}
    result = run(hub, "submit", "other", "--wait-timeout", "10ms")
    task_id = hub.submitted[0]["id"]
    assert result.exit_code == ExitCode.TIMED_OUT
    assert f"{task_id} is queued. No node has a handler named other.\n" in result.stderr
    assert f"task {task_id} has no outcome after 0.01 s; it goes on" in result.stderr


def test_a_task_that_runs_needs_no_word(hub: CliHub) -> None:
    hub.explanation = {"task_id": "t", "state": "running", "summary": "It is running."}
    assert "It is running" not in run(hub, "submit", "other", "--wait-timeout", "10ms").stderr


def test_what_the_hub_refuses_ends_with_2_in_its_words(hub: CliHub) -> None:
    result = run(hub, "submit", "refused")
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == "Error: payload.x is 7\n  A text.\n"


def test_a_name_that_is_none_ends_with_2(hub: CliHub) -> None:
    assert run(hub, "submit", "bad name").exit_code == ExitCode.USAGE


def test_on_a_terminal_it_says_what_goes_on(hub: CliHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorline.submit_command.is_terminal", lambda: True)
    hub.explanation = {"task_id": "t", "state": "queued", "summary": "No node has a handler named other."}
    said = run(hub, "submit", "other").stderr
    assert "moorline task wait " in said
    assert "is queued. No node has a handler named other." in said
    assert "Ctrl-C stops waiting, not the task" in run(hub, "submit", "add", "--wait").stderr
