from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from moorline import (
    BadArgumentsError,
    ConflictError,
    DeclarationError,
    HubError,
    InvalidTaskError,
    NotFoundError,
    ResultTimeoutError,
    Retry,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    task,
)
from moorline.testing import LocalClient, run_locally
from tests.moorline import sample_tasks as tasks


async def test_parameters_and_results_go_through_json() -> None:
    async with LocalClient() as client:
        handle = await client.submit(tasks.echo, value={"a": (1, 2)})
        assert await handle.result() == {"a": [1, 2]}
        with pytest.raises(InvalidTaskError, match="not JSON"):
            await client.submit(tasks.echo, value=object())


async def test_a_context_is_filled_in() -> None:
    async with LocalClient() as client:
        handle = await client.submit(tasks.who_am_i)
        assert await handle.result() == [handle.id, 1, "who_am_i", f"{handle.id}:1", "local"]


async def test_a_failure_comes_back_with_the_traceback_of_the_users_code_only() -> None:
    async with LocalClient() as client:
        with pytest.raises(TaskFailed, match="ValueError: no luck") as caught:
            await (await client.submit(tasks.fail)).result()
    error = caught.value
    assert (error.kind, error.type, error.message, error.attempt) == ("error", "ValueError", "no luck", 1)
    assert "raise ValueError" in error.remote_traceback
    assert "attempts.py" not in error.remote_traceback


async def test_retries_follow_the_policy_and_do_not_wait() -> None:
    begun_s = time.monotonic()
    async with LocalClient() as client:
        slow_policy = tasks.fail_twice.options(retry=Retry(max_attempts=3, initial_s=1000))
        handle = await client.submit(slow_policy)
        assert await handle.result() == 3
        assert (await handle.get()).failures == 2
        impatient = tasks.fail_twice.options(retry=Retry(max_attempts=2))
        with pytest.raises(TaskFailed, match="no luck in attempt 2"):
            await (await client.submit(impatient)).result()
    assert time.monotonic() - begun_s < 100


async def test_what_no_retry_can_help_is_not_retried() -> None:
    async with LocalClient([tasks.add]) as client:
        with pytest.raises(TaskFailed, match="the result is not JSON") as result:
            await (await client.submit(tasks.not_json.options(retry=Retry()))).result()
        assert (result.value.kind, result.value.attempt) == ("bad_result", 1)
        with pytest.raises(TaskFailed, match="missing b; the handler is add") as arguments:
            await (await client.submit("add", a=1)).result()
        assert arguments.value.kind == "bad_arguments"
        with pytest.raises(BadArgumentsError):
            await client.submit(tasks.add, 1)


async def test_a_timeout_ends_an_attempt() -> None:
    async with LocalClient() as client:
        for slow in (tasks.too_slow, tasks.until_cancelled.options(timeout_s=0.02)):
            with pytest.raises(TaskFailed, match=r"ran longer than 0\.02 s") as caught:
                await (await client.submit(slow)).result()
            assert caught.value.kind == "timeout"


async def test_a_timeout_of_the_handler_itself_is_its_failure() -> None:
    @task(timeout_s=60)
    async def impatient() -> None:
        raise TimeoutError("my own")

    async with LocalClient() as client:
        with pytest.raises(TaskFailed, match="my own") as caught:
            await (await client.submit(impatient)).result()
        assert caught.value.kind == "error"


async def test_a_cancel_reaches_the_handler() -> None:
    async with LocalClient() as client:
        for endless in (tasks.sleep_for_ever, tasks.until_cancelled):
            handle = await client.submit(endless)
            assert (await handle.cancel()).state == "cancelled"
            with pytest.raises(TaskCancelled):
                await handle.result()
            assert (await handle.cancel()).state == "cancelled"


async def test_a_deadline_that_has_passed_expires_the_task() -> None:
    async with LocalClient() as client:
        handle = await client.submit(tasks.add.options(deadline=time.time() - 1), 1, 2)
        with pytest.raises(TaskExpired):
            await handle.result()


async def test_a_key_bounds_what_runs_at_once() -> None:
    running = highest = 0

    @task(concurrency_key="disk", concurrency_limit=2)
    async def work() -> None:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0)
        running -= 1

    async with LocalClient(slots=50) as client:
        handles = await client.submit_many(work, [{}] * 20)
        for handle in handles:
            await handle.result()
    assert highest == 2


async def test_an_idempotency_key_leads_to_the_first_task() -> None:
    async with LocalClient() as client:
        keyed = tasks.add.options(idempotency_key="once")
        first, second = await client.submit(keyed, 1, 2), await client.submit(keyed, 5, 6)
        assert second.id == first.id
        assert await second.result() == 3


async def test_a_name_that_nothing_handles_is_refused() -> None:
    async with LocalClient([tasks.add]) as client:
        with pytest.raises(InvalidTaskError, match="nothing here handles 'ad'; there are: add") as caught:
            await client.submit("ad", a=1)
        assert caught.value.code == "unknown_name"


async def test_a_failed_task_can_be_retried() -> None:
    async with LocalClient() as client:
        handle = await client.submit(tasks.fail_twice.options(retry=Retry(max_attempts=2)))
        with pytest.raises(TaskFailed):
            await handle.result()
        await client.retry(handle.id)
        assert await client.handle(handle.id).result() == 3
        with pytest.raises(ConflictError, match="is succeeded"):
            await client.retry(handle.id)


async def test_logs_and_progress_are_told() -> None:
    async with LocalClient() as client, aclosing(client.events(kind="task", last_id=0)) as events:
        handle = await client.submit(tasks.count_up, 2)
        assert await handle.result() == 2
        logs = await client.logs(handle.id)
        assert [(line.level, line.message) for line in logs.lines] == [("INFO", "step 1 of 2"), ("INFO", "step 2 of 2")]
        assert logs.dropped == 0
        told = []
        async for event in events:
            told.append(event)
            if event.kind == "task.succeeded":
                break
    assert [event.kind for event in told if event.id is not None] == ["task.queued", "task.running", "task.succeeded"]
    assert told[-1].value == 2


async def test_live_events_carry_progress_and_lines() -> None:
    async with LocalClient() as client, aclosing(client.events(kind=["task.progress", "task.log"])) as events:
        first = asyncio.ensure_future(anext(events))
        # One turn to open the stream: what is only live is not kept.
        await asyncio.sleep(0)
        await client.submit(tasks.count_up, 1)
        told = [await first, await anext(events)]
    assert [(event.kind, event.done, event.total, event.level) for event in told] == [
        ("task.progress", 1.0, 1.0, ""),
        ("task.log", None, None, "INFO"),
    ]


async def test_a_running_task_can_be_looked_at() -> None:
    async with LocalClient(slots=1) as client:
        running = await client.submit(tasks.sleep_for_ever)
        queued = await client.submit(tasks.add.options(labels={"team": "a"}), 1, 2)
        assert (await client.explain(running.id)).nodes[0].reason == "running_here"
        assert (await client.explain(queued.id)).nodes[0].reason == "busy"
        assert (await client.node("local")).slots_in_use == 1
        assert [view.id async for view in client.list(state="queued")] == [queued.id]
        assert [view.id async for view in client.list(labels={"team": "a"})] == [queued.id]
        assert [view.id async for view in client.list(limit=1)] == [queued.id]
        assert (await client.stats()).tasks == {"running": 1, "queued": 1}
        waiting = asyncio.create_task(client.handle(queued.id).result())
        await running.cancel()
        assert await waiting == 3
        assert (await client.explain(queued.id)).nodes == []


async def test_what_is_not_there_is_said() -> None:
    async with LocalClient() as client:
        for question in (
            client.get("x"),
            client.logs("x"),
            client.attempts("x"),
            client.cancel("x"),
            client.node("x"),
            client.cordon("x"),
        ):
            with pytest.raises(NotFoundError):
                await question


async def test_attempts_and_errors_are_kept() -> None:
    async with LocalClient() as client:
        failed = await client.submit(tasks.fail_twice.options(retry=Retry(max_attempts=2)))
        with pytest.raises(TaskFailed):
            await failed.result()
        assert [(item.attempt, item.outcome, item.node) for item in await client.attempts(failed.id)] == [
            (1, "failed", "local"),
            (2, "failed", "local"),
        ]
        endless = await client.submit(tasks.sleep_for_ever)
        await until_running(client, endless.id)
        assert [item.outcome for item in await client.attempts(endless.id)] == [None]
        await endless.cancel()
        assert [item.outcome for item in await client.attempts(endless.id)] == ["cancelled"]
        assert await (await client.submit(tasks.add, 1, 2)).result() == 3
        with pytest.raises(TaskFailed):
            await (await client.submit(tasks.fail)).result()
        newest, oldest = await client.errors()
        assert (newest.name, newest.type, newest.count) == ("fail", "ValueError", 1)
        assert (oldest.message, oldest.count, oldest.last_task_id) == ("no luck in attempt #", 2, failed.id)
        assert oldest.place.startswith("sample_tasks.py:")
        assert oldest.place.endswith(" in fail_twice")
        assert [group.id for group in await client.errors(limit=1)] == [newest.id]


async def until_running(client: LocalClient, task_id: str) -> None:
    while (await client.get(task_id)).state != "running":  # each look is a turn of the loop
        await asyncio.sleep(0)


async def test_a_cordoned_node_takes_nothing_until_it_is_uncordoned() -> None:
    async with LocalClient() as client:
        assert (await client.cordon("local")).cordoned
        waiting = await client.submit(tasks.add, 1, 2)
        with pytest.raises(ResultTimeoutError):
            await waiting.result(0.01)
        assert [node.reason for node in (await client.explain(waiting.id)).nodes] == ["cordoned"]
        assert not (await client.uncordon("local")).cordoned
        assert await waiting.result() == 3


async def test_a_drained_node_finishes_what_it_runs_and_leaves() -> None:
    async with LocalClient() as client, aclosing(client.events(kind="node", last_id=0)) as events:
        running = await client.submit(tasks.sleep_for_ever)
        await until_running(client, running.id)
        assert (await client.disconnect("local")).connects == 2
        assert (await client.drain("local")).state == "draining"
        late = await client.submit(tasks.add, 1, 2)
        await running.cancel()
        assert (await client.node("local")).state == "gone"
        assert (await client.stats()).nodes == {"gone": 1}
        assert [node.reason for node in (await client.explain(late.id)).nodes] == ["draining"]
        with pytest.raises(ConflictError, match="is gone"):
            await client.disconnect("local")
        assert [(await anext(events)).kind for _ in range(2)] == ["node.draining", "node.gone"]


async def test_the_local_hub_checks_options_as_the_real_one_does() -> None:
    async with LocalClient([tasks.add]) as client:
        transport = client._transport
        for line in (b'{"name":"add","options":{"prio":1}}', b'{"name":"add","options":{"retry":{"x":1}}}', b"{}"):
            answer = await transport.request("POST", "/v1/tasks", body=line, timeout_s=1)
            assert answer.status == 400


async def test_leaving_stops_what_still_runs() -> None:
    async with LocalClient() as client:
        await client.submit(tasks.sleep_for_ever)
        await client.submit(tasks.until_cancelled)
    with pytest.raises(HubError, match="the client is closed"):
        await client.stats()


def test_one_task_can_be_run_without_any_loop() -> None:
    assert run_locally(tasks.add, 1, b=2) == 3
    assert run_locally(tasks.echo, "x") == "x"
    assert run_locally(tasks.apart, "x") == "X"
    with pytest.raises(TaskFailed, match="no luck"):
        run_locally(tasks.fail)


async def test_what_cannot_be_run_locally_is_said() -> None:
    with pytest.raises(RuntimeError, match="one runs here already; use LocalClient"):
        run_locally(tasks.add, 1, 2)
    wrong: list[Any] = [tasks.add.function, "add"]
    for untyped in wrong:
        with pytest.raises(DeclarationError, match=r"is not declared as a task|'add' is a name; give the task itself"):
            LocalClient([untyped])
    with pytest.raises(ValueError, match="slots is 0; it must be at least 1"):
        LocalClient(slots=0)
