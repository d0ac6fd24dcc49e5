from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from typing import Any

import orjson
import pytest
from aiohttp import web

from moorline import (
    BadArgumentsError,
    Client,
    ConflictError,
    DeclarationError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    NotFoundError,
    Options,
    ResultTimeoutError,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskHandle,
    UnauthorizedError,
)
from moorline.submitting import REQUESTS_MAX
from moorline.transport import Answer
from tests.moorline import sample_tasks
from tests.moorline.conftest import Tries
from tests.moorline.fake_hub import FakeHub, hold, refusal, succeed
from tests.moorline.fake_transport import FakeTransport

# The fake hub gives a task's payload back as its value, whatever the handler's annotation says.
add: Task[..., Any] = sample_tasks.add
echo: Task[..., Any] = sample_tasks.echo
count_up: Task[..., Any] = sample_tasks.count_up


def refused(status: int, code: str = "c", **headers: str) -> web.Response:
    return web.json_response(refusal(code, "the words of the hub"), status=status, headers=headers)


# --- submit and wait --------------------------------------------------------------------------------------------------


async def test_a_task_is_submitted_and_its_value_comes_back(client: Client, fake_hub: FakeHub) -> None:
    handle = await client.submit(add, 1, b=2)
    assert await handle.result() == {"a": 1, "b": 2}
    assert handle.is_done
    assert await handle.result() == {"a": 1, "b": 2}
    task = fake_hub.tasks[handle.id]
    assert (task["name"], task["options"]) == ("add", {"origin": client.origin})


async def test_options_of_the_declaration_and_of_the_submit_are_sent(client: Client, fake_hub: FakeHub) -> None:
    handle = await client.submit(add.options(priority=5, timeout_s=3), 1, 2)
    assert fake_hub.tasks[handle.id]["options"] == {"priority": 5, "timeout_s": 3, "origin": client.origin}


async def test_a_task_can_be_submitted_by_name(client: Client, fake_hub: FakeHub) -> None:
    handle = await client.submit("other.add", a=1)
    assert await handle.result() == {"a": 1}
    again = await client.submit_payload("other.add", {"b": 2}, Options(node="n1"))
    assert await again.result() == {"b": 2}
    assert fake_hub.tasks[again.id]["options"]["node"] == "n1"
    assert await (await client.submit_payload("other.add", {})).result() == {}


async def test_a_context_is_no_argument(client: Client) -> None:
    assert await (await client.submit(count_up, 3)).result() == {"total": 3}


async def test_arguments_that_do_not_fit_are_refused_before_they_are_sent(client: Client, fake_hub: FakeHub) -> None:
    by_name: Any = client.submit
    with pytest.raises(BadArgumentsError, match="missing b"):
        await client.submit(add, 1)
    with pytest.raises(BadArgumentsError, match="name its arguments too"):
        await by_name("add", 1)
    with pytest.raises(DeclarationError, match="the name of a task is 'a b'"):
        await client.submit("a b")
    with pytest.raises(DeclarationError, match="the name of a task is 'a b'"):
        await client.submit_payload("a b", {})
    with pytest.raises(InvalidTaskError, match="the arguments of echo are not JSON: Type is not"):
        await client.submit(echo, object())
    assert fake_hub.tasks == {}


async def test_what_is_no_task_is_refused_with_what_would_be_one(client: Client, fake_hub: FakeHub) -> None:
    def crunch(path: str) -> str:
        return path

    async def fetch(url: str) -> str:
        return url

    untyped: Any = client
    undeclared = r"crunch is not declared as a task; put @task above it"
    for verb in (untyped.submit, untyped.broadcast):
        with pytest.raises(DeclarationError, match=undeclared):
            await verb(crunch, "x")
        with pytest.raises(DeclarationError, match=r"fetch\(…\) is a call; .* apart: submit\(.*fetch, …\)"):
            await verb(fetch("x"))
        with pytest.raises(DeclarationError, match="5 is no task; give a function declared with @task"):
            await verb(5)
    with pytest.raises(DeclarationError, match=undeclared):
        await untyped.submit_many(crunch, ["x"])
    with pytest.raises(DeclarationError, match=undeclared):
        await anext(untyped.map(crunch, ["x"]))
    assert fake_hub.tasks == {}


async def test_an_option_among_the_arguments_is_told_where_it_belongs(client: Client) -> None:
    with pytest.raises(BadArgumentsError, match=r"unexpected priority; .*: submit\(task.options\(priority=…\), …\)"):
        await client.submit(add, 1, 2, priority=5)


async def test_outcomes_that_are_no_values_are_raised(client: Client, fake_hub: FakeHub) -> None:
    error = {"kind": "error", "message": "no luck", "type": "ValueError", "traceback": "Traceback …"}
    fake_hub.decide = lambda task: {"state": "failed", "attempt": 3, "error": error}
    handle = await client.submit(add, 1, 2)
    for _ in range(2):
        with pytest.raises(TaskFailed, match="no luck") as caught:
            await handle.result()
        assert (caught.value.task_id, caught.value.attempt, caught.value.remote_traceback) == (
            handle.id,
            3,
            "Traceback …",
        )


async def test_a_wait_that_takes_too_long_ends_and_may_be_taken_up_again(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(add, 1, 2)
    with pytest.raises(ResultTimeoutError, match=r"no outcome after 0.01 s"):
        await handle.result(0.01)
    assert not handle.is_done
    assert "open" in repr(handle)
    waiting = asyncio.create_task(handle.result(30))
    await fake_hub.finish(handle.id, state="succeeded", value=3)
    assert await waiting == 3
    assert "succeeded" in repr(handle)


async def test_many_may_wait_for_one_task_and_one_of_them_may_leave(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(add, 1, 2)
    first, second = asyncio.create_task(handle.result()), asyncio.create_task(handle.result())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await fake_hub.finish(handle.id, state="succeeded", value=3)
    assert await second == 3


async def test_a_handle_cancels_and_shows_its_task(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(add, 1, 2)
    assert (await handle.get()).state == "queued"
    assert (await handle.cancel()).state == "cancelled"
    with pytest.raises(TaskCancelled, match="somebody asked for it"):
        await handle.result()


async def test_a_dropped_handle_is_forgotten_and_its_outcome_skipped(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    dropped = (await client.submit(add, 1, 2)).id
    kept = await client.submit(add, 3, 4)
    gc.collect()
    await fake_hub.finish(dropped, state="succeeded", value=3)
    await fake_hub.finish(kept.id, state="succeeded", value=7)
    assert await kept.result() == 7
    assert len(client._following._handles) == 0


async def test_an_idempotency_key_leads_to_the_first_task(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    keyed = add.options(idempotency_key="once")
    first = await client.submit(keyed, 1, 2)
    async with Client(fake_hub.url) as other:
        second = await other.submit(keyed, 1, 2)
        assert second.id == first.id
        waiting = asyncio.create_task(second.result())
        await fake_hub.finish(first.id, state="succeeded", value=3)
        assert await waiting == 3


# --- batches ----------------------------------------------------------------------------------------------------------


async def test_submits_of_the_same_moment_travel_together(client: Client, fake_hub: FakeHub) -> None:
    await client.submit(add, 0, 0)
    handles = await asyncio.gather(*(client.submit(add, n, n) for n in range(500)))
    assert [await handle.result() for handle in handles] == [{"a": n, "b": n} for n in range(500)]
    assert len(fake_hub.batches) <= 1 + REQUESTS_MAX


async def test_many_are_submitted_in_thousands_and_keep_their_order(client: Client, fake_hub: FakeHub) -> None:
    handles = await client.submit_many(add, [(n, n) for n in range(2500)])
    assert fake_hub.batches == [1000, 1000, 500]
    results = [await handle.result() for handle in handles]
    assert [result["a"] for result in results] == list(range(2500))


async def test_many_large_ones_are_submitted_in_requests_that_a_hub_takes(client: Client, fake_hub: FakeHub) -> None:
    # 25 MB in all; a hub takes 16 MiB in one request.
    handles = await client.submit_many(echo, ["x" * 100_000 for _ in range(250)])
    assert sum(fake_hub.batches) == 250
    assert max(fake_hub.batches) <= 42
    assert len({(await handle.result())["value"] for handle in handles}) == 1


async def test_items_are_mappings_tuples_or_single_arguments(client: Client) -> None:
    items: list[Any] = [{"value": 1}, (2,), 3, [4]]
    handles = await client.submit_many(echo, items)
    assert [(await handle.result())["value"] for handle in handles] == [1, 2, 3, [4]]
    assert await client.submit_many(echo, []) == []


async def test_a_bad_task_does_not_harm_those_that_travel_with_it(client: Client, fake_hub: FakeHub) -> None:
    await client.submit(add, 0, 0)
    fake_hub.refuse_line = lambda task: task["payload"]["a"] == 13
    answers = await asyncio.gather(*(client.submit(add, n, n) for n in range(20)), return_exceptions=True)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, InvalidTaskError)] == [13]
    assert len(fake_hub.tasks) == 20


async def test_a_bad_item_of_many_is_named_by_its_number(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.refuse_line = lambda task: task["payload"]["a"] == 1499
    with pytest.raises(InvalidTaskError, match="item 1500: it is wrong; make it right") as caught:
        await client.submit_many(add, [(n, n) for n in range(2500)])
    assert caught.value.__notes__ == ["1500 of 2500 tasks were accepted"]


async def test_an_item_that_cannot_be_sent_is_named_by_its_number(client: Client, fake_hub: FakeHub) -> None:
    with pytest.raises(BadArgumentsError) as caught:
        await client.submit_many(add, [*((n, n) for n in range(1000)), (1,)])
    assert caught.value.__notes__ == ["in item 1001"]
    assert len(fake_hub.tasks) == 1000


async def test_more_than_fits_waits_its_turn(client: Client, fake_hub: FakeHub) -> None:
    client._submitter._room._free_bytes = client._submitter._room._size_bytes = 64 * 1024
    handles = await client.submit_many(echo, ["x" * 50 for _ in range(5000)])
    assert len(fake_hub.tasks) == 5000
    assert (await handles[-1].result())["value"] == "x" * 50


async def test_as_completed_gives_handles_in_the_order_of_their_outcomes(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handles = await client.submit_many(echo, range(3))
    given = []
    order = [2, 0, 1]
    await fake_hub.finish(handles[order[0]].id, state="succeeded", value=order[0])
    async for handle in client.as_completed(handles):
        given.append(await handle.result())
        if len(given) < 3:
            await fake_hub.finish(handles[order[len(given)]].id, state="succeeded", value=order[len(given)])
    assert given == order
    nothing: list[TaskHandle[Any]] = []
    assert [handle async for handle in client.as_completed(nothing)] == []


async def test_map_gives_values_in_order_and_reads_its_items_as_it_goes(client: Client, fake_hub: FakeHub) -> None:
    read = 0

    def items() -> Any:
        nonlocal read
        while True:
            read += 1
            yield read

    async with aclosing(client.map(echo, items(), window=10)) as values:
        assert [(await anext(values))["value"] for _ in range(25)] == list(range(1, 26))
    assert read <= 40
    assert [value async for value in client.map(echo, [1, 2])] == [{"value": 1}, {"value": 2}]


async def test_map_needs_a_window(client: Client) -> None:
    with pytest.raises(ValueError, match="window is 0; it must be at least 1"):
        await anext(client.map(echo, [1], window=0))
    assert [value async for value in client.map(echo, [1, 2], window=1)] == [{"value": 1}, {"value": 2}]


async def test_map_raises_where_a_task_has_no_value(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = lambda task: {"state": "failed"} if task["payload"]["value"] == 2 else succeed(task)
    values = client.map(echo, [1, 2, 3])
    assert await anext(values) == {"value": 1}
    with pytest.raises(TaskFailed):
        await anext(values)


async def test_a_broadcast_gives_results_by_node(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = lambda task: succeed(task) if task["node"] == "n1" else {"state": "failed"}
    group = await client.broadcast(echo, 7)
    results = await group.results(30)
    assert results["n1"] == {"value": 7}
    assert isinstance(results["n2"], TaskFailed)
    assert (len(group), list(group), group["n1"].name) == (2, ["n1", "n2"], "echo")
    assert group.id in repr(group)


async def test_a_broadcast_that_takes_too_long_says_so(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = lambda task: succeed(task) if task["node"] == "n1" else None
    group = await client.broadcast(echo, 7)
    with pytest.raises(ResultTimeoutError):
        await group.results(0.05)
    assert group["n1"].is_done


async def test_a_broadcast_is_tried_again_with_the_same_id(client: Client, fake_hub: FakeHub) -> None:
    await client.submit(echo)
    fake_hub.instead = [refused(503), refused(503)]
    await client.broadcast(echo, 7)
    bodies = [body for _, path, body in fake_hub.requests if path == "/v1/broadcasts"]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


async def test_a_broadcast_gives_up_when_its_time_is_over(fake_hub: FakeHub) -> None:
    async with Client(fake_hub.url, submit_timeout_s=0.05) as client:
        await client.submit(echo)
        fake_hub.instead = [refused(503) for _ in range(100)]
        with pytest.raises(HubUnavailableError, match="the words of the hub"):
            await client.broadcast(echo, 7)


# --- when the hub is away ---------------------------------------------------------------------------------------------


async def test_waits_go_on_through_a_restart_of_the_hub(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handles = await client.submit_many(echo, range(3))
    waiting = [asyncio.create_task(handle.result()) for handle in handles]
    await fake_hub.stop()
    await fake_hub.finish(handles[0].id, state="succeeded", value="while nobody listened")
    await fake_hub.start()
    await fake_hub.finish(handles[1].id, state="succeeded", value="as the client came back")
    await fake_hub.until(lambda: fake_hub.streams == 1)
    await fake_hub.finish(handles[2].id, state="succeeded", value="later")
    assert await asyncio.gather(*waiting) == ["while nobody listened", "as the client came back", "later"]


async def test_a_submit_goes_on_through_a_restart_of_the_hub(client: Client, fake_hub: FakeHub, tries: Tries) -> None:
    await client.submit(echo)
    await fake_hub.stop()
    submitting = asyncio.create_task(client.submit(echo, 1))
    await tries.until_one_failed()
    assert not submitting.done()
    await fake_hub.start()
    assert await (await submitting).result() == {"value": 1}


async def test_the_first_submit_waits_for_a_hub_that_is_not_there_yet(tries: Tries) -> None:
    hub = FakeHub()
    await hub.start()
    await hub.stop()
    async with Client(hub.url) as client:
        submitting = [asyncio.create_task(client.submit(echo, n)) for n in range(2)]
        await tries.until_one_failed()
        await hub.start()
        handles = await asyncio.gather(*submitting)
        assert [await handle.result() for handle in handles] == [{"value": 0}, {"value": 1}]
    await hub.stop()


async def test_a_submit_whose_answer_was_lost_is_taken_once(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.swallow_answers = 1
    handles = await client.submit_many(echo, range(3))
    assert len(fake_hub.tasks) == 3
    assert [(await handle.result())["value"] for handle in handles] == [0, 1, 2]
    fake_hub.swallow_answers = 1
    assert await (await client.submit(echo, 1)).result() == {"value": 1}
    assert len(fake_hub.tasks) == 4


async def test_a_hub_that_asks_to_stay_away_is_obeyed(tries: Tries) -> None:
    asked_at_s: list[float] = []
    loop = asyncio.get_running_loop()

    def answer(method: str, path: str, body: bytes) -> Answer:
        asked_at_s.append(loop.time())
        if len(asked_at_s) == 1:
            return Answer(status=503, body=b"", retry_after_s=0.1)
        return Answer(status=201, body=b'{"id":"%b"}' % orjson.loads(body)["id"].encode())

    hello = b'event: hello\ndata: {"id":0}\n\n'
    transport = FakeTransport([[hello], [hello]], answer)
    async with Client(transport=transport) as client:
        await client.submit(echo)
    assert asked_at_s[1] - asked_at_s[0] >= 0.1
    assert transport.closed


async def test_a_submit_gives_up_when_its_time_is_over(fake_hub: FakeHub) -> None:
    async with Client(fake_hub.url, submit_timeout_s=0.05) as client:
        await client.submit(echo)
        await fake_hub.stop()
        with pytest.raises(HubUnavailableError, match="cannot be reached"):
            await client.submit(echo)
        with pytest.raises(HubUnavailableError):
            await client.submit_many(echo, range(3))


async def test_a_first_submit_gives_up_when_there_is_no_hub(tries: Tries) -> None:
    hub = FakeHub()
    await hub.start()
    await hub.stop()
    async with Client(hub.url, submit_timeout_s=0.05) as client:
        with pytest.raises(HubUnavailableError, match=r"no hub within 0.05 s: .*cannot be reached"):
            await client.submit(echo)


async def test_events_that_the_hub_no_longer_has_are_asked_for(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handles = await client.submit_many(echo, range(150))
    await fake_hub.stop()
    for handle in handles[:120]:
        await fake_hub.finish(handle.id, state="succeeded", value=handle.id)
    fake_hub.forget_events()
    await fake_hub.start()
    assert [await handle.result() for handle in handles[:120]] == [handle.id for handle in handles[:120]]
    assert not any(handle.is_done for handle in handles[120:])
    await fake_hub.finish(handles[-1].id, state="succeeded", value=1)
    assert await handles[-1].result() == 1


async def test_a_value_that_did_not_come_with_its_event_is_asked_for(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.without_values = True
    handles = await client.submit_many(echo, range(5))
    assert [(await handle.result())["value"] for handle in handles] == list(range(5))


async def test_a_task_that_an_emptied_hub_no_longer_has_is_not_waited_for(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(echo)
    waiting = asyncio.create_task(handle.result())
    await fake_hub.stop()
    fake_hub.tasks.clear()
    fake_hub.events.clear()
    fake_hub.hub_id = "h2"
    await fake_hub.start()
    with pytest.raises(NotFoundError, match=f"the hub no longer has task {handle.id}"):
        await waiting
    assert "forgotten" in repr(handle)


async def test_questions_are_asked_again_when_the_hub_is_away(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.without_values = True
    fake_hub.decide = hold
    handle = await client.submit(echo, 1)
    fake_hub.instead = [refused(503), refused(503)]
    await fake_hub.finish(handle.id, state="succeeded", value=1)
    assert await handle.result() == 1


async def test_a_question_that_is_refused_ends_the_wait(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.without_values = True
    fake_hub.decide = hold
    handle = await client.submit(echo, 1)
    fake_hub.instead = [refused(403)]
    await fake_hub.finish(handle.id, state="succeeded", value=1)
    with pytest.raises(HubError, match="the words of the hub"):
        await handle.result()


# --- who may ----------------------------------------------------------------------------------------------------------


async def test_a_token_is_sent_with_each_request(fake_hub: FakeHub) -> None:
    fake_hub.token = "secret"
    async with Client(fake_hub.url, "secret") as client:
        assert await (await client.submit(echo, 1)).result() == {"value": 1}


async def test_a_wrong_token_is_said_at_once(fake_hub: FakeHub) -> None:
    fake_hub.token = "secret"
    async with Client(fake_hub.url) as client:
        with pytest.raises(UnauthorizedError, match="the token is unknown"):
            await client.submit(echo, 1)
        with pytest.raises(UnauthorizedError, match="the token is unknown"):
            await client.stats()
        with pytest.raises(UnauthorizedError):
            async for _ in client.events():
                pass


async def test_a_token_that_is_revoked_ends_waits_and_submits(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(echo, 1)
    waiting = asyncio.create_task(handle.result())
    fake_hub.token = "another"
    with pytest.raises(UnauthorizedError):
        await client.submit(echo, 2)
    await fake_hub.stop()
    await fake_hub.start()
    with pytest.raises(UnauthorizedError):
        await waiting


async def test_a_hub_of_fewer_answers_than_tasks_is_not_believed(client: Client, fake_hub: FakeHub) -> None:
    await client.submit(echo)
    fake_hub.instead = [web.json_response({"tasks": []})]
    with pytest.raises(HubError, match="answered 0 tasks of 3"):
        await client.submit_many(echo, range(3))


async def test_an_event_that_is_none_ends_waits_rather_than_hanging_them(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(echo, 1)
    await fake_hub.finish(handle.id, state="succeeded", value=1, name=5)
    with pytest.raises(HubError, match="an event that is none"):
        await handle.result()


async def test_a_fault_of_a_question_ends_waits_rather_than_hanging_them() -> None:
    def answer(method: str, path: str, body: bytes) -> Answer:
        raise OverflowError("a fault of our own")

    async with Client(transport=FakeTransport(answer=answer)) as client:
        with pytest.raises(HubError, match="cannot be asked for the task: OverflowError"):
            await client.handle("t").result()


async def test_a_fault_of_a_question_about_many_ends_their_waits() -> None:
    def answer(method: str, path: str, body: bytes) -> Answer:
        if method == "GET":
            raise OverflowError("a fault of our own")
        return Answer(status=201, body=b'{"group":"g","tasks":[{"id":"g.n1","node":"n1"}]}')

    hello = b'event: hello\ndata: {"id":0}\n\n'
    async with Client(transport=FakeTransport([[hello]], answer)) as client:
        group = await client.broadcast(echo)
        with pytest.raises(HubError, match="cannot be asked for the task: OverflowError"):
            await group.results()


# --- the wrong way to use it ------------------------------------------------------------------------------------------


async def test_a_closed_client_says_so_at_each_verb(fake_hub: FakeHub) -> None:
    client = Client(fake_hub.url)
    handle = await client.submit(echo, 1)
    assert await handle.result() == {"value": 1}
    await client.close()
    verbs = (
        client.submit(echo, 1), client.submit_many(echo, [1]), client.broadcast(echo, 1), anext(client.map(echo, [1])),
        client.handle("x").result(), handle.cancel(), client.stats(), anext(client.list()), anext(client.events()),
        client.__aenter__(),
    )  # fmt: skip
    for verb in verbs:
        with pytest.raises(HubError, match="the client is closed; make another one"):
            await verb
    assert await handle.result() == {"value": 1}


async def test_another_event_loop_is_refused_before_anything_is_sent(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    handle = await client.submit(echo, 1)

    async def again() -> None:
        for verb in (client.submit(echo, 1), client.broadcast(echo, 1), handle.result(), client.close()):
            with pytest.raises(RuntimeError, match=r"a client for each asyncio\.run, or use SyncClient"):
                await verb

    await asyncio.to_thread(asyncio.run, again())
    assert list(fake_hub.tasks) == [handle.id]


async def test_what_is_no_handle_no_id_and_no_options_is_said(client: Client, fake_hub: FakeHub) -> None:
    untyped: Any = client
    with pytest.raises(TypeError, match=r"'x' is no handle .*; client.handle\(id\) gives one"):
        await anext(untyped.as_completed(["x"]))
    for verb in (untyped.get(""), untyped.get(None), untyped.cancel("")):
        with pytest.raises(NotFoundError, match=r"there is no task (''|None)"):
            await verb
    with pytest.raises(NotFoundError, match="there is no node ''"):
        await untyped.drain("")
    with pytest.raises(DeclarationError, match="it must be Options, such as"):
        await untyped.submit_payload("echo", {}, {"priority": 1})
    assert fake_hub.tasks == {}


# --- other people's tasks ---------------------------------------------------------------------------------------------


async def test_a_handle_for_somebody_elses_task_waits_too(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = hold
    async with Client(fake_hub.url) as other:
        submitted = await other.submit(echo, 1)
        handle = client.handle(submitted.id)
        with pytest.raises(ResultTimeoutError):
            await handle.result(0.01)
        waiting = asyncio.create_task(handle.result())
        await fake_hub.until(lambda: fake_hub.waits > 0)
        await fake_hub.stop()
        await fake_hub.start()
        await fake_hub.finish(submitted.id, state="succeeded", value=1)
        assert await waiting == 1


async def test_a_handle_for_a_task_that_is_not_there_says_so(client: Client) -> None:
    with pytest.raises(NotFoundError):
        await client.handle("nothing").result()


async def test_a_retried_task_has_a_new_outcome_for_a_new_handle(client: Client, fake_hub: FakeHub) -> None:
    fake_hub.decide = lambda task: {"state": "failed"}
    handle = await client.submit(echo, 1)
    with pytest.raises(TaskFailed):
        await handle.result()
    assert (await client.retry(handle.id)).state == "queued"
    again = client.handle(handle.id)
    waiting = asyncio.create_task(again.result())
    await fake_hub.finish(handle.id, state="succeeded", value=1)
    assert await waiting == 1
    with pytest.raises(ConflictError):
        await client.retry(handle.id)


# --- the end ----------------------------------------------------------------------------------------------------------


async def test_closing_ends_what_still_waits(fake_hub: FakeHub, tries: Tries) -> None:
    fake_hub.decide = hold
    client = Client(fake_hub.url)
    streamed = await client.submit(echo, 1)
    waits = [asyncio.create_task(streamed.result()), asyncio.create_task(client.handle(streamed.id).result())]
    await fake_hub.stop()
    waits.append(asyncio.create_task(client.submit(echo, 2)))
    await tries.until_one_failed()
    await client.close()
    await client.close()
    for wait in waits:
        with pytest.raises(HubUnavailableError, match="was closed before"):
            await wait
    for verb in (client.submit(echo, 3), client.submit_many(echo, [1]), client.handle("t").result()):
        with pytest.raises(HubUnavailableError, match="the client is closed"):
            await verb
    with pytest.raises(HubError, match="the client is closed"):
        await client.stats()


@pytest.mark.parametrize("turns", range(8))
async def test_closing_ends_a_submit_at_whatever_turn_of_the_loop(client: Client, turns: int) -> None:
    await client.submit(echo, 1)
    submitting = asyncio.create_task(client.submit(echo, 2))
    for _ in range(turns):
        await asyncio.sleep(0)
    await client.close()
    with pytest.raises(HubUnavailableError, match="clos"):
        async with asyncio.timeout(10):
            await submitting


async def test_closing_ends_a_submit_that_waits_for_the_stream(fake_hub: FakeHub) -> None:
    await fake_hub.stop()
    client = Client(fake_hub.url, submit_timeout_s=1000)
    submitting = asyncio.create_task(client.submit(echo, 1))
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(HubUnavailableError, match="was closed before the hub answered"):
        async with asyncio.timeout(10):
            await submitting


async def test_a_submit_that_is_cancelled_leaves_its_task_to_the_hub(client: Client, fake_hub: FakeHub) -> None:
    await client.submit(echo)
    submitting = asyncio.create_task(client.submit(echo, 1))
    await asyncio.sleep(0)
    submitting.cancel()
    await asyncio.wait([submitting])
    assert await (await client.submit(echo, 2)).result() == {"value": 2}
    assert len(fake_hub.tasks) == 3


async def test_one_line_holds_one_task(client: Client, fake_hub: FakeHub) -> None:
    await client.submit_many(echo, ["line\nend", "päyload"])
    (body,) = [body for method, _, body in fake_hub.requests if method == "POST"]
    lines = [orjson.loads(line) for line in body.splitlines()]
    assert [line["payload"]["value"] for line in lines] == ["line\nend", "päyload"]
