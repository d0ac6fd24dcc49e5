"""What must be reported: each line that says so, and no other."""

from __future__ import annotations

from moorline import Client, Context, SyncClient, task
from moorline.testing import run_locally


@task
def add(a: int, b: int = 2) -> int:
    return a + b


@task
async def fetch(url: str, *, limit: int = 10) -> list[str]:
    return [url] * limit


@task
async def first(context: Context, total: int, step: int = 1) -> str:
    return ""


@task
async def last(total: int, context: Context) -> str:
    return ""


def no_task(a: int) -> int:
    return a


async def submit(client: Client) -> None:
    await client.submit(add, "1")  # wrong
    await client.submit(add)  # wrong
    await client.submit(add, 1, 2, 3)  # wrong
    await client.submit(add, 1, c=2)  # wrong
    await client.submit(add, a="1")  # wrong
    await client.submit(add.options(priority=5), "1")  # wrong
    await client.submit(fetch, 1)  # wrong
    await client.submit(fetch, "u", 3)  # wrong
    await client.submit(fetch, "u", limit="3")  # wrong
    await client.submit(first, "3")  # wrong
    await client.submit(first, 3, stop=1)  # wrong
    await client.submit(first)  # wrong
    await client.submit("add", 1)  # wrong
    await client.submit(no_task, 1)  # wrong
    number: int = await (await client.submit(fetch, "u")).result()  # wrong
    text: str = await (await client.submit(add, 1)).result()  # wrong
    del number, text


async def options(client: Client) -> None:
    await client.submit(add.options(prio=5), 1)  # wrong
    await client.submit(add.options(priority="5"), 1)  # wrong
    await client.submit(add.options(on_lost="again"), 1)  # wrong
    await client.submit(add, 1, priority=5)  # wrong


async def many(client: Client) -> None:
    async for value in client.map(add, range(3)):
        value.upper()  # wrong
    async for value in client.map(fetch, ["u"]):  # wrong
        del value
    for handle in await client.submit_many(last, [1]):
        (await handle.result()).bit_count()  # wrong
    await client.submit_many(no_task, [1])  # wrong
    client.map(no_task, [1])  # wrong


async def broadcast(client: Client) -> None:
    await client.broadcast(add, "1")  # wrong
    await client.broadcast(first, total="1")  # wrong
    group = await client.broadcast(add, 1)
    for value in (await group.results()).values():
        value + 1  # wrong


def synchronous(client: SyncClient) -> None:
    client.submit(add, "1")  # wrong
    client.submit(first, "1")  # wrong
    client.submit(add, 1).result().upper()  # wrong
    client.broadcast(fetch, 1)  # wrong
    next(client.map(add, [1])).upper()  # wrong


def in_tests() -> None:
    run_locally(add, "1")  # wrong
    run_locally(first, 1, 2, 3)  # wrong
    run_locally(fetch, "u").upper()  # wrong
