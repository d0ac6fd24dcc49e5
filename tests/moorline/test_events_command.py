from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from moorline.failures import ExitCode
from tests.moorline.cli_hub import CliHub, run

ROOT = Path(__file__).parents[2]


FAILED = {"id": 6, "at": 3.5, "kind": "task.failed", "task_id": "t1", "name": "add", "state": "failed"}
RUNNING = {"id": 5, "at": 1.5, "kind": "task.running", "task_id": "t1", "name": "add", "state": "running"}
EVENTS = [
    {**RUNNING, "attempt": 1, "node_id": "n1"},
    {"at": 2.5, "kind": "task.progress", "task_id": "t1", "done": 1, "total": 4},
    {**FAILED, "error": {"kind": "timeout"}},
    {"id": 7, "at": 4.5, "kind": "node.gone", "node_id": "n1", "state": "gone"},
]


def follow(hub: CliHub, *arguments: str) -> tuple[list[str], int]:
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


def test_each_event_is_a_line_at_once(hub: CliHub) -> None:
    hub.events = EVENTS
    lines, status = follow(hub, "--since-id", "4", "--kind", "task,node", "--kind", "node")
    assert status == ExitCode.INTERRUPTED
    assert [" ".join(line.split()) for line in lines] == [
        "00:00:01.500 task.running t1 add attempt 1 on n1",
        "00:00:02.500 task.progress t1 1 of 4",
        "00:00:03.500 task.failed t1 add timeout",
        "00:00:04.500 node.gone n1",
    ]
    assert hub.last_event_ids == ["4"]
    assert any("kind=task,node,node" in request.replace("%2C", ",") for request in hub.requests)


def test_with_json_each_line_is_a_document(hub: CliHub) -> None:
    hub.events = EVENTS
    lines, _ = follow(hub, "--json")
    assert [json.loads(line)["kind"] for line in lines] == [event["kind"] for event in EVENTS]


def test_a_hub_that_is_not_there_is_said_at_once(hub: CliHub) -> None:
    hub.token = "sesame"
    assert run(hub, "events").exit_code == ExitCode.REFUSED
