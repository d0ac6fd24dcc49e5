"""Running handlers, with real threads and real processes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from node.app_loader import load_apps
from node.copies import EXIT_COPY
from node.decisions.effects import Ended
from node.executor import Executor, Run
from node.reports import Reports
from node.truth import VARIABLE, Truth
from protocol.frames import AttemptKey, Log, NodeFrame, Progress, Task
from tests.node import handlers
from tests.node.fake_hub import PATIENCE_S, task
from tests.waiting import until

APPS = [handlers.__name__]


class Bench:
    """An executor, and what it tells."""

    def __init__(self, truth_path: Path, slots: int = 4) -> None:
        self.ended: dict[AttemptKey, Ended] = {}
        self.frames: list[NodeFrame] = []
        self.truth_path = truth_path
        self._news = asyncio.Condition()
        loop = asyncio.get_running_loop()
        self.truth = Truth("node", "instance", {VARIABLE: str(truth_path)})
        self.executor = Executor(
            load_apps(APPS),
            apps=APPS,
            node_id="node",
            instance_id="instance",
            folder=truth_path.parent,
            slots=slots,
            loop=loop,
            reports=Reports(loop, self._take_frames),
            truth=self.truth,
            on_ended=self._take,
        )

    def _take_frames(self, frames: list[NodeFrame]) -> bool:
        self.frames += frames
        return True

    def _take(self, ended: list[Ended]) -> None:
        for item in ended:
            assert item.key not in self.ended, "an end is told once"
            self.ended[item.key] = item
        self._tell = asyncio.get_running_loop().create_task(self._announce())

    async def _announce(self) -> None:
        async with self._news:
            self._news.notify_all()

    def run(self, *tasks: Task) -> None:
        self.executor.run(tasks)

    async def end_of(self, task_id: str) -> Ended:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: (task_id, 1) in self.ended)
        return self.ended[task_id, 1]

    async def result_of(self, name: str, **options: object) -> Ended:
        self.run(task(name, name, **options))  # type: ignore[arg-type]
        return await self.end_of(name)

    def told_by(self, task_id: str) -> list[str]:
        """Give what the ground truth says of a task."""
        lines = [json.loads(line) for line in self.truth_path.read_text().splitlines()]
        return [line["event"] for line in lines if line["task_id"] == task_id]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    before = set(threading.enumerate())
    bench = Bench(tmp_path / "truth")
    bench.executor.start()
    yield bench
    bench.executor.close()
    bench.executor.close()
    bench.truth.close()
    await until(lambda: set(threading.enumerate()) <= before)
    assert [child for child in psutil.Process().children() if "anyio" in " ".join(child.cmdline())] == []


def is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("name", ["echo", "echo_async", "echo_process"])
async def test_a_handler_of_each_kind_gives_its_value(bench: Bench, name: str) -> None:
    ended = await bench.result_of(name, payload={"value": [1, "ü"]})
    assert (ended.outcome, ended.value) == ("succeeded", '[1,"ü"]'.encode())
    assert ended.started_s is not None
    assert ended.ended_s >= ended.started_s
    assert bench.told_by(name) == ["start", "end"]


@pytest.mark.parametrize("name", ["fail", "fail_async", "fail_process"])
async def test_a_handler_that_raises_fails_with_its_own_traceback(bench: Bench, name: str) -> None:
    ended = await bench.result_of(name, payload={"message": "bad"})
    assert ended.outcome == "failed"
    assert ended.error is not None
    assert (ended.error.kind, ended.error.type, ended.error.retryable) == ("error", "ValueError", True)
    assert "handlers.py" in ended.error.traceback
    assert "executor.py" not in ended.error.traceback
    assert "process_worker.py" not in ended.error.traceback


@pytest.mark.parametrize("name", ["leave", "leave_async", "leave_process"])
async def test_a_handler_that_exits_fails_and_takes_nothing_with_it(bench: Bench, name: str) -> None:
    ended = await bench.result_of(name)
    assert ended.error is not None
    assert ended.error.type == "SystemExit"
    after = await bench.result_of(name.replace("leave", "echo"))
    assert after.outcome == "succeeded"


async def test_a_stray_task_that_exits_does_not_stop_the_loop(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    ended = await bench.result_of("leave_in_a_task")
    assert ended.value == b'"still here"'
    assert "SystemExit" in caplog.text


@pytest.mark.parametrize("name", ["raise_unspeakable", "raise_unspeakable_async", "raise_unspeakable_process"])
async def test_an_exception_whose_text_exits_is_told_and_takes_nothing_with_it(bench: Bench, name: str) -> None:
    ended = await bench.result_of(name)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.type) == ("error", "UnspeakableError")
    after = await bench.result_of(name.replace("raise_unspeakable", "echo"))
    assert after.outcome == "succeeded"


async def test_a_handler_that_stops_the_loop_stops_nobody_else(bench: Bench) -> None:
    assert (await bench.result_of("stop_the_loop")).value == b'"stopped"'
    assert (await bench.result_of("echo_async")).outcome == "succeeded"
    assert (await bench.result_of("echo_process")).outcome == "succeeded"


async def test_a_handler_that_cancels_all_tasks_fails_its_like_and_no_more(bench: Bench, tmp_path: Path) -> None:
    in_loop, in_process = tmp_path / "loop", tmp_path / "process"
    bench.run(
        task("loop", "sleep_async", payload={"began": str(in_loop)}),
        task("process", "sleep_process", payload={"began": str(in_process)}),
    )
    await until(lambda: in_loop.exists() and in_process.exists())
    # The last one has not taken its first step when it is cancelled.
    bench.run(task("all", "cancel_everything"), task("late", "echo_async"))
    for task_id in ("loop", "all", "late"):
        # Nobody asked for it, so it is no cancellation.
        assert (await bench.end_of(task_id)).outcome == "failed"
    assert (await bench.result_of("echo_async")).outcome == "succeeded"
    assert ("process", 1) not in bench.ended
    bench.executor.stop(("process", 1))
    assert (await bench.end_of("process")).outcome == "cancelled"


@pytest.mark.parametrize("name", ["come_back_twice", "come_back_twice_async"])
async def test_a_copy_that_comes_back_out_of_a_handler_ends(bench: Bench, name: str) -> None:
    ended = await bench.result_of(name)
    copy = int(ended.value)
    assert copy > 0
    await until(lambda: is_dead(copy))
    _, status = os.waitpid(copy, os.WNOHANG)
    assert os.waitstatus_to_exitcode(status) == EXIT_COPY


async def test_a_copy_of_a_child_answers_for_nobody(bench: Bench) -> None:
    ended = await bench.result_of("come_back_twice_process")
    assert int(ended.value) > 0
    # What the copy answered would be taken for this one's value.
    after = await bench.result_of("echo_process", payload={"value": "mine"})
    assert after.value == b'"mine"'


async def test_an_unknown_handler_and_bad_arguments_fail_for_good(bench: Bench) -> None:
    unknown = await bench.result_of("missing")
    assert unknown.error is not None
    assert (unknown.error.kind, unknown.error.retryable) == ("unknown_handler", False)
    assert "echo" in unknown.error.message
    for name in ("block", "refuse_to_stop", "sleep_process"):
        ended = await bench.result_of(name, payload={"nonsense": 1})
        assert ended.error is not None
        assert (ended.error.kind, ended.error.retryable) == ("bad_arguments", False)
        assert f"{name}(" in ended.error.message
        assert ended.started_s is None


@pytest.mark.parametrize(("payload", "words"), [([1], "not an object"), (None, "not an object")])
async def test_a_payload_that_is_no_object_is_bad_arguments(bench: Bench, payload: object, words: str) -> None:
    ended = await bench.result_of("echo", payload=payload)
    assert ended.error is not None
    assert words in ended.error.message


async def test_a_result_that_is_not_json_or_too_large_is_bad(bench: Bench) -> None:
    ended = await bench.result_of("bad_result")
    assert ended.error is not None
    assert ended.error.kind == "bad_result"
    bench.executor.result_bytes_max = 10
    for name in ("echo", "echo_async", "echo_process"):
        ended = await bench.result_of(name, payload={"value": "x" * 100})
        assert ended.error is not None
        assert "102 bytes" in ended.error.message


async def test_functions_run_side_by_side_and_their_threads_are_kept(bench: Bench, tmp_path: Path) -> None:
    for number in range(4):
        bench.run(task(f"w{number}", "wait", payload={"began": str(tmp_path / str(number))}))
    await until(lambda: all((tmp_path / str(number)).exists() for number in range(4)))
    for number in range(4):
        bench.executor.stop((f"w{number}", 1))
    for number in range(4):
        assert b"cancelled with None left" in (await bench.end_of(f"w{number}")).value
    for number in range(8):
        bench.run(task(f"e{number}"))
        await bench.end_of(f"e{number}")
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("function-")]) == 4


# --- timeouts -------------------------------------------------------------------------------------------------------


async def test_an_async_handler_past_its_timeout_is_cancelled(bench: Bench) -> None:
    ended = await bench.result_of("sleep_async", timeout_s=0.05)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.retryable) == ("timeout", True)


async def test_a_function_past_its_timeout_is_told_and_fails_once_it_returns(bench: Bench) -> None:
    ended = await bench.result_of("wait", timeout_s=0.05)
    assert ended.error is not None
    assert ended.error.kind == "timeout"
    assert ended.started_s is not None
    # The loop counts in whole milliseconds.
    assert ended.ended_s - ended.started_s >= 0.045


async def test_a_process_past_its_timeout_is_killed_with_its_children(bench: Bench, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = await bench.result_of("sleep_process", payload={"pids": str(pids)}, timeout_s=0.5)
    assert ended.error is not None
    assert ended.error.kind == "timeout"
    if pids.exists():
        await until(lambda: all(is_dead(int(pid)) for pid in pids.read_text().split()))
    # The next attempt gets another child; the timer of the first does not touch it.
    assert (await bench.result_of("echo_process")).outcome == "succeeded"


@pytest.mark.parametrize("name", ["echo_async", "echo_process"])
async def test_nothing_is_kept_of_an_attempt_that_ended_before_its_timeout(bench: Bench, name: str) -> None:
    await bench.result_of(name, timeout_s=3600.0)
    await until(lambda: not gc.collect() and not any(isinstance(kept, Run) for kept in gc.get_objects()))


async def test_a_timeout_that_is_not_reached_changes_nothing(bench: Bench) -> None:
    for name in ("echo", "echo_async", "echo_process"):
        assert (await bench.result_of(name, timeout_s=60.0)).outcome == "succeeded"


# --- stopping -------------------------------------------------------------------------------------------------------


async def began(path: Path) -> None:
    await until(path.exists)


async def test_an_async_handler_is_cancelled(bench: Bench, tmp_path: Path) -> None:
    bench.run(task("a", "sleep_async", payload={"began": str(tmp_path / "began")}))
    await began(tmp_path / "began")
    bench.executor.stop(("a", 1))
    assert (await bench.end_of("a")).outcome == "cancelled"


async def test_a_handler_that_finishes_although_it_is_cancelled_keeps_its_value(bench: Bench, tmp_path: Path) -> None:
    bench.run(task("a", "refuse_to_stop", payload={"began": str(tmp_path / "began")}))
    await began(tmp_path / "began")
    bench.executor.stop(("a", 1))
    ended = await bench.end_of("a")
    assert (ended.outcome, ended.value) == ("succeeded", b'"finished all the same"')


async def test_a_function_that_raises_because_it_is_cancelled_is_cancelled(bench: Bench, tmp_path: Path) -> None:
    bench.run(task("a", "wait_and_raise", payload={"began": str(tmp_path / "began")}))
    await began(tmp_path / "began")
    bench.executor.stop(("a", 1))
    assert (await bench.end_of("a")).outcome == "cancelled"


async def test_a_handler_that_cancels_itself_has_failed(bench: Bench) -> None:
    ended = await bench.result_of("cancel_itself")
    assert ended.error is not None
    assert ended.error.type == "CancelledError"


async def test_a_process_is_killed_with_its_children(bench: Bench, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    bench.run(task("a", "sleep_process", payload={"pids": str(pids)}))
    await began(pids)
    bench.executor.stop(("a", 1))
    assert (await bench.end_of("a")).outcome == "cancelled"
    await until(lambda: all(is_dead(int(pid)) for pid in pids.read_text().split()))
    assert bench.told_by("a") == ["start", "end"]


@pytest.mark.parametrize("name", ["sleep_async", "sleep_process", "wait"])
async def test_a_stop_right_after_the_start_is_not_lost(bench: Bench, name: str) -> None:
    for number in range(3):
        bench.run(task(f"t{number}", name))
        bench.executor.stop((f"t{number}", 1))
    for number in range(3):
        ended = await bench.end_of(f"t{number}")
        assert ended.outcome == "cancelled" or b"cancelled" in ended.value


async def test_a_stop_of_what_is_not_there_is_ignored(bench: Bench) -> None:
    bench.executor.stop(("ghost", 1))


async def test_a_process_is_killed_even_while_an_async_handler_blocks_the_loop(bench: Bench, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    bench.run(task("a", "sleep_process", payload={"pids": str(pids)}))
    await began(pids)
    bench.run(task("b", "block_the_loop", payload={"seconds": 0.7}))
    bench.executor.stop(("a", 1))
    await until(lambda: all(is_dead(int(pid)) for pid in pids.read_text().split()))
    assert ("b", 1) not in bench.ended
    await bench.end_of("a")
    await bench.end_of("b")


# --- child processes ------------------------------------------------------------------------------------------------


async def test_children_work_while_an_async_handler_blocks_the_loop(bench: Bench, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    bench.run(task("blocks", "block_the_loop_until", payload={"there": str(gate)}))
    try:
        assert (await bench.result_of("echo_process")).outcome == "succeeded"
        assert ("blocks", 1) not in bench.ended
    finally:
        gate.touch()


async def test_a_child_that_dies_fails_its_attempt_only(bench: Bench) -> None:
    ended = await bench.result_of("die")
    assert ended.error is not None
    assert (ended.error.kind, ended.error.retryable) == ("crashed", True)
    assert (await bench.result_of("echo_process")).outcome == "succeeded"


async def test_an_idle_child_that_was_killed_is_replaced_unnoticed(bench: Bench) -> None:
    await bench.result_of("echo_process")
    (child,) = [child for child in psutil.Process().children() if "anyio" in " ".join(child.cmdline())]
    child.send_signal(signal.SIGKILL)
    bench.run(task("next", "echo_process"))
    assert (await bench.end_of("next")).outcome == "succeeded"


async def test_progress_and_log_lines_come_before_the_end(bench: Bench) -> None:
    ended = await bench.result_of("talk")
    assert ended.value == b'"talk talk:1 node instance"'
    ended = await bench.result_of("talk_process", timeout_s=600.0)
    assert json.loads(ended.value) == ["talk_process", "talk_process:1", False, True]
    lines = [line.message for frame in bench.frames if isinstance(frame, Log) for line in frame.lines]
    assert lines == ["from a thread", "from a process"]
    assert all(isinstance(frame, Log | Progress) for frame in bench.frames)


ORPHAN = """
import asyncio, sys
from pathlib import Path
from tests.node.test_executor import Bench
from tests.node.fake_hub import task

async def main():
    bench = Bench(Path(sys.argv[1]) / "truth")
    bench.executor.start()
    bench.run(task("a", "sleep_process", payload={"pids": sys.argv[1] + "/pids"}))
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_a_node_that_is_killed_leaves_no_child_that_runs(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment) as process:
        pids = tmp_path / "pids"
        await began(pids)
        process.kill()
        child, grandchild = map(int, pids.read_text().split())
        try:
            await until(lambda: is_dead(child))
        finally:
            # Out of reach for a kernel that watches one process; a supervisor's control group ends it.
            os.kill(grandchild, signal.SIGKILL)


# --- closing --------------------------------------------------------------------------------------------------------


async def test_closing_ends_what_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "truth")
    bench.executor.start()
    pids = tmp_path / "pids"
    bench.run(
        task("a", "sleep_async", payload={"began": str(tmp_path / "a")}),
        task("w", "wait", payload={"began": str(tmp_path / "w")}),
        task("p", "sleep_process", payload={"pids": str(pids)}),
    )
    for path in (tmp_path / "a", tmp_path / "w", pids):
        await began(path)
    bench.executor.close()
    await until(lambda: all(is_dead(int(pid)) for pid in pids.read_text().split()))
    bench.truth.close()


async def test_a_function_that_does_not_return_is_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("node.executor.CLOSE_WITHIN_S", 0.1)
    bench = Bench(tmp_path / "truth")
    bench.executor.start()
    bench.run(task("a", "stay", payload={"until": str(tmp_path / "free")}))
    await until(lambda: bench.told_by("a") == ["start"])
    bench.executor.close()
    assert "abandoned" in caplog.text
    (tmp_path / "free").touch()
    await bench.end_of("a")
    bench.truth.close()


async def test_an_executor_that_was_never_started_closes(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "truth")
    bench.executor.close()
    bench.truth.close()
