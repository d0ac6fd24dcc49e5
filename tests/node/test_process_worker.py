"""What runs in a child process, without a node around it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import process_worker
from node.process_reports import ReportReceiver, ReportSender
from node.process_worker import Job
from protocol.limits import LOG_LINE_CHARACTERS_MAX
from tests.node import handlers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[ReportReceiver]:
    receiver = ReportReceiver(tmp_path)
    yield receiver
    receiver.close()


def job(receiver: ReportReceiver, name: str, **options: Any) -> Job:
    made = Job(
        apps=(handlers.__name__,),
        name=name,
        task_id="t",
        attempt=1,
        payload=b"{}",
        timeout_s=None,
        node_id="node",
        instance_id="instance",
        node_pid=os.getpid(),
        reports=receiver.address,
        result_bytes_max=1000,
    )
    return made._replace(**options)


def run(receiver: ReportReceiver, name: str, **options: Any) -> process_worker.Work:
    """Run a job in this process, without tying it to anything."""
    sender = ReportSender(receiver.address)
    try:
        return process_worker._run(job(receiver, name, **options), sender)
    finally:
        sender.close()


def test_a_handler_is_run_and_its_beginning_told(receiver: ReportReceiver) -> None:
    done = run(receiver, "echo", payload=b'{"value": 1}')
    assert done.conclusion.value == b"1"
    assert done.started_s is not None
    assert receiver.read() == [("begun", "t", 1)]


def test_what_a_handler_says_is_sent_cut_to_size(receiver: ReportReceiver) -> None:
    sender = ReportSender(receiver.address)
    context = process_worker._context(job(receiver, "talk"), sender, None)
    context.logger.info("\ud800" + "x" * 100_000)
    context.progress(1, None, "y" * 100_000)
    assert not context.cancelled
    late = process_worker._context(job(receiver, "talk"), sender, 0.0)
    assert late.cancelled
    sender.close()
    log, progress = receiver.read()
    assert log[0] == "log"
    assert len(log[4]) == LOG_LINE_CHARACTERS_MAX
    assert progress[0] == "progress"


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("fail", {}, "error"),
        ("leave", {}, "error"),
        ("echo", {"payload": b'{"nonsense": 1}'}, "bad_arguments"),
        ("echo", {"payload": b"[]"}, "bad_arguments"),
        ("echo", {"payload": b"{"}, "bad_arguments"),
        ("echo", {"apps": ("not.there",)}, "crashed"),
        ("bad_result", {}, "bad_result"),
    ],
)
def test_what_goes_wrong_is_concluded(receiver: ReportReceiver, name: str, options: dict[str, Any], kind: str) -> None:
    error = run(receiver, name, **options).conclusion.error
    assert error is not None
    assert error.kind == kind


WORKER = """
import json, os, sys
from node.process_worker import Job, work
fields = json.loads(sys.argv[1])
fields["apps"] = tuple(fields["apps"])
fields["payload"] = b"{}"
done = work(Job(**fields))
print(json.dumps([done.conclusion.outcome, os.getsid(0) == os.getpid()]))
"""


def in_a_child(receiver: ReportReceiver, **options: Any) -> subprocess.CompletedProcess[str]:
    fields = job(receiver, "echo_process", **options)._asdict()
    del fields["payload"]
    command = [sys.executable, "-c", WORKER, json.dumps(fields)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def test_a_child_says_hello_leads_its_own_group_and_keeps_its_streams_for_its_answer(receiver: ReportReceiver) -> None:
    ran = in_a_child(receiver)
    assert json.loads(ran.stdout) == ["succeeded", True], ran.stderr
    hello, begun = receiver.read()
    assert hello[0] == "hello"
    assert begun[0] == "begun"


def test_a_child_whose_node_is_dead_already_ends_at_once(receiver: ReportReceiver) -> None:
    assert in_a_child(receiver, node_pid=1).returncode == 1
    assert receiver.read() == []


def test_the_watchdog_of_an_orphan_kills_its_whole_group(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    parents = iter([7, 7, 1])
    monkeypatch.setattr(process_worker, "WATCH_EVERY_S", 0.0)
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(os, "killpg", lambda group, number: killed.append((group, number)))
    process_worker._watch(7)
    assert killed == [(0, signal.SIGKILL)]
