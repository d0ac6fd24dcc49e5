from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from moorline import (
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    Options,
    ResultTimeoutError,
    SyncClient,
    TaskCancelled,
    TaskFailed,
)
from moorline.testing import LocalSyncClient
from tests.moorline.fake_hub import FakeHub
from tests.moorline.sample_tasks import add, count_up, echo, fail, sleep_for_ever


@pytest.fixture
def client() -> Iterator[LocalSyncClient]:
    with LocalSyncClient([echo]) as made:
        yield made


def test_each_verb_waits_for_its_answer(client: SyncClient) -> None:
    handle = client.submit(add, 1, b=2)
    assert handle.result() == 3
    assert (handle.name, handle.is_done, handle.get().state) == ("add", True, "succeeded")
    assert handle.id in repr(handle)
    assert client.submit("echo", value=4).result(30) == 4
    assert client.submit_payload("echo", {"value": 5}, Options(priority=1)).result() == 5
    assert client.handle(handle.id).result() == 3
    assert client.get(handle.id).value == 3
    assert client.explain(handle.id).state == "succeeded"
    assert [view.name for view in client.list(name="echo")] == ["echo", "echo"]
    assert client.stats().tasks == {"succeeded": 3}
    assert [node.id for node in client.nodes()] == ["local"]
    assert client.node("local").state == "online"
    assert client.node_page(limit=5).total == 1
    assert [cell.id for cell in client.slot_map()] == ["local"]
    assert len(client.task_page(limit=2).tasks) == 2
    assert client.get(handle.id).origin == client.origin


def test_what_a_local_hub_cannot_read_is_refused(client: SyncClient) -> None:
    with pytest.raises(InvalidTaskError, match="a local hub reads no filters"):
        next(client.list(filter="name=echo"))
    with pytest.raises(InvalidTaskError, match="a local hub reads no filters"):
        client.nodes("free>0")
    with pytest.raises(HubError, match="does not answer POST /v1/tasks/bulk"):
        client.bulk("cancel", "name=echo")


def test_many_are_waited_for_in_either_order(client: SyncClient) -> None:
    handles = client.submit_many(echo, range(5))
    assert {handle.result() for handle in client.as_completed(handles)} == {0, 1, 2, 3, 4}
    assert list(client.map(add, [(n, n) for n in range(5)])) == [0, 2, 4, 6, 8]


def test_a_broadcast_gives_results_by_node(client: SyncClient) -> None:
    group = client.broadcast(add, 1, 2)
    assert group.results() == {"local": 3}
    assert (len(group), list(group), group["local"].result()) == (1, ["local"], 3)
    assert [view.group for view in client.list(group=group.id)] == [group.id]


def test_outcomes_and_refusals_are_raised(client: SyncClient) -> None:
    failed = client.submit(fail)
    with pytest.raises(TaskFailed, match="no luck"):
        failed.result()
    assert client.retry(failed.id).state in {"queued", "running"}
    waiting = client.submit(sleep_for_ever)
    with pytest.raises(ResultTimeoutError):
        waiting.result(0.01)
    assert waiting.cancel().state == "cancelled"
    with pytest.raises(TaskCancelled):
        waiting.result()
    with pytest.raises(InvalidTaskError):
        client.submit("nobody.has.this")


def test_logs_and_events_can_be_read(client: SyncClient) -> None:
    handle = client.submit(count_up, 2)
    assert handle.result() == 2
    assert [line.message for line in client.logs(handle.id).lines] == ["step 1 of 2", "step 2 of 2"]
    events = client.events(task=handle.id, last_id=0, kind=["task.queued", "task.succeeded"])
    assert [next(events).kind for _ in range(2)] == ["task.queued", "task.succeeded"]


def test_several_threads_use_one_client(client: SyncClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: client.submit(add, n, n).result(), range(50)))
    assert results == [2 * n for n in range(50)]


def test_closing_ends_the_calls_of_other_threads() -> None:
    client = LocalSyncClient()
    handle = client.submit(sleep_for_ever)
    ended: list[BaseException] = []

    def wait(call: object) -> None:
        try:
            handle.result() if call == "result" else next(client.events())
        except HubUnavailableError as error:
            ended.append(error)

    threads = [threading.Thread(target=wait, args=(call,)) for call in ("result", "events")]
    for thread in threads:
        thread.start()
    client.close()
    client.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 2
    for verb in (client.stats, client.__enter__, client.handle("x").result):
        with pytest.raises(HubUnavailableError, match="the client is closed; make another one"):
            verb()


def test_what_is_no_handle_is_said(client: Any) -> None:
    with pytest.raises(TypeError, match=r"'x' is no handle .*; client.handle\(id\) gives one"):
        next(client.as_completed(["x"]))


async def test_it_works_where_an_event_loop_runs(client: SyncClient) -> None:
    assert client.submit(add, 1, 2).result() == 3


def test_a_result_that_has_come_can_be_read_after_the_client_was_closed() -> None:
    with LocalSyncClient() as client:
        handles = [client.submit(add, 1, 2), client.submit(fail)]
        assert len(list(client.as_completed(handles))) == 2
    assert handles[0].result() == 3
    with pytest.raises(TaskFailed, match="no luck"):
        handles[1].result()


def test_a_client_that_was_never_used_has_nothing_to_close() -> None:
    SyncClient().close()


def test_an_iteration_that_is_left_is_closed(client: SyncClient) -> None:
    for value in client.map(echo, range(100), window=4):
        if value == 2:
            break
    assert client.submit(add, 1, 2).result() == 3


def program(text: str) -> subprocess.Popen[str]:
    """Run a program that ends without closing its client."""
    begin = (
        "from moorline.testing import LocalSyncClient\nfrom tests.moorline.sample_tasks import add, sleep_for_ever\n"
    )
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", begin + text], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "raise SystemExit",
        # Something is still on its way, and an iteration has begun.
        "handle = client.submit(sleep_for_ever)\nevents = client.events(last_id=0)\nnext(events)",
    ],
)
def test_a_program_that_does_not_close_its_client_ends(end: str) -> None:
    with program(f"client = LocalSyncClient()\nprint(client.submit(add, 1, 2).result())\n{end}\n") as process:
        assert process.communicate(timeout=30) == ("3\n", "")
        assert process.returncode == 0


def test_ctrl_c_ends_an_iteration_and_not_the_client() -> None:
    text = (
        "import os, signal, threading\n"
        "client = LocalSyncClient()\n"
        "def press():\n"
        "    next(client.events(kind='task.running', last_id=0))\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Thread(target=press).start()\n"
        "try:\n"
        "    list(client.map(sleep_for_ever, [{}]))\n"
        "except KeyboardInterrupt:\n"
        "    print(client.submit(add, 1, 2).result())\n"
    )
    with program(text) as process:
        assert process.communicate(timeout=30) == ("3\n", "")


def test_a_client_that_nobody_holds_ends_its_thread() -> None:
    client = LocalSyncClient()
    assert client.submit(add, 1, 2).result() == 3
    thread = client._thread
    assert thread is not None
    del client
    gc.collect()
    thread.join(30)
    assert thread._thread not in threading.enumerate()


async def test_it_talks_to_a_hub_over_http(fake_hub: FakeHub) -> None:
    def talk() -> None:
        with SyncClient(fake_hub.url) as client:
            assert client.submit(echo, 1).result() == {"value": 1}
            assert client.cordon("n1").cordoned
            assert client.history(step_s=300).at == [300.0]
            assert client.node_history("n1").node_id == "n1"
            assert [group.id for group in client.errors()] == ["a1"]
            assert [attempt.outcome for attempt in client.attempts("t")] == ["lost"]
            assert [entry.id for entry in client.audit(limit=2)] == [4, 3]
            assert not client.uncordon("n1").cordoned
            assert client.drain("n1").id == client.disconnect("n1").id == "n1"

    with ThreadPoolExecutor(1) as pool:
        await asyncio.get_running_loop().run_in_executor(pool, talk)
