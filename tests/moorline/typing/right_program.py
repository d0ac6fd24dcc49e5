"""What must be accepted, and what it must give."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, assert_type

from moorline import Client, Context, Group, Retry, SyncClient, Task, TaskError, TaskHandle, task
from moorline.sync_handles import SyncGroup, SyncTaskHandle
from moorline.testing import LocalClient, LocalSyncClient, run_locally


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task(priority=3, retry=Retry(max_attempts=2))
async def fetch(url: str, *, limit: int = 10) -> list[str]:
    return [url] * limit


@task
async def first(context: Context, total: int, step: int = 1) -> str:
    return ""


@task
def first_plain(ctx: Context, total: int) -> bytes:
    return b""


@task
async def last(total: int, context: Context) -> str:
    return ""


@task
def sixth(a: int, b: int, c: int, d: int, e: int, context: Context, f: int = 1) -> str:
    return ""


@task
def between(total: int, me: Context, step: int) -> float:
    return 1.0


@task
async def loose(document: Any) -> int:
    return 1


@task
async def looser(**documents: Any) -> dict[str, Any]:
    return documents


@task
def echo(value: object = None) -> object:
    return value


widened: Task[..., str] = sixth


async def submit(client: Client) -> None:
    assert_type(await client.submit(add, 1), TaskHandle[int])
    assert_type(await client.submit(add, 1, b=2), TaskHandle[int])
    assert_type(await client.submit(add.options(priority=5, node="n1", delay_s=3), a=1, b=2), TaskHandle[int])
    assert_type(await client.submit(fetch, "http://x", limit=3), TaskHandle[list[str]])
    assert_type(await (await client.submit(fetch, "http://x")).result(), list[str])
    assert_type(await client.submit(first, 3), TaskHandle[str])
    assert_type(await client.submit(first, total=3, step=2), TaskHandle[str])
    assert_type(await client.submit(first_plain.options(timeout_s=3), 3), TaskHandle[bytes])
    assert_type(await client.submit(last, 3), TaskHandle[str])
    assert_type(await client.submit(last, total=3), TaskHandle[str])
    assert_type(await client.submit(sixth, 1, 2, 3, 4, 5, f=2), TaskHandle[str])
    assert_type(await client.submit(between, 3, step=2), TaskHandle[float])
    assert_type(await client.submit(loose, {"a": 1}), TaskHandle[int])
    assert_type(await client.submit(looser, a=1), TaskHandle[dict[str, Any]])
    assert_type(await client.submit(echo), TaskHandle[object])
    assert_type(await client.submit(echo, 3), TaskHandle[object])
    assert_type(await client.submit(widened, 3), TaskHandle[str])
    assert_type(await client.submit("add", a=1), TaskHandle[Any])


async def many(client: Client) -> None:
    handles = await client.submit_many(fetch, ["a", "b"])
    assert_type(handles, list[TaskHandle[list[str]]])
    async for done in client.as_completed(handles):
        assert_type(done, TaskHandle[list[str]])
    assert_type(await client.submit_many(add, [(1, 2), {"a": 1}]), list[TaskHandle[int]])
    assert_type(client.map(fetch, ["a"]), AsyncGenerator[list[str], None])
    assert_type(client.map(add, range(3), window=10, progress=True), AsyncGenerator[int, None])
    assert_type(client.map(last, range(3)), AsyncGenerator[str, None])
    assert_type(client.map("add", range(3)), AsyncGenerator[Any, None])
    assert_type([value async for value in client.map(add, range(3))], list[int])


async def broadcast(client: Client) -> None:
    assert_type(await client.broadcast(add, 1, b=2), Group[int])
    assert_type(await client.broadcast(fetch.options(requires={"site": "berlin"}), "u"), Group[list[str]])
    assert_type(await client.broadcast(first, 1), Group[str])
    group = await client.broadcast(last, 1)
    assert_type(await group.results(), dict[str, str | TaskError])
    assert_type(group["n1"], TaskHandle[str])
    assert_type(await client.broadcast("add", a=1), Group[Any])


def synchronous(client: SyncClient) -> None:
    assert_type(client.submit(add, 1).result(), int)
    assert_type(client.submit(fetch, "u", limit=1), SyncTaskHandle[list[str]])
    assert_type(client.submit(first, 1, step=2), SyncTaskHandle[str])
    assert_type(client.submit(last, total=1), SyncTaskHandle[str])
    assert_type(client.submit_many(fetch, ["u"]), list[SyncTaskHandle[list[str]]])
    assert_type(list(client.as_completed(client.submit_many(add, [1]))), list[SyncTaskHandle[int]])
    assert_type(client.map(first, [1]), Iterator[str])
    assert_type(client.map("first", [1]), Iterator[Any])
    assert_type(client.broadcast(fetch, "u"), SyncGroup[list[str]])
    assert_type(client.broadcast(first_plain, 1).results(), dict[str, bytes | TaskError])
    assert_type(client.submit("add", a=1), SyncTaskHandle[Any])


def in_tests() -> None:
    assert_type(run_locally(add, 1, b=2), int)
    assert_type(run_locally(fetch, "u"), list[str])
    assert_type(run_locally(first, 1), str)
    assert_type(run_locally(last, total=1), str)
    with LocalSyncClient([add]) as client:
        assert_type(client.submit(add, 1).result(), int)


async def in_async_tests() -> None:
    async with LocalClient() as client:
        assert_type(await client.submit(fetch, "u"), TaskHandle[list[str]])


def directly(context: Context) -> None:
    assert_type(add(1, b=2), int)
    assert_type(first_plain(context, 1), bytes)
    assert_type(add.options(priority=1)(1), int)
