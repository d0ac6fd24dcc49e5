from __future__ import annotations

import asyncio

import pytest

from hub.http.shared_answer import SharedAnswer


class Kitchen:
    """Makes answers, each another one, when it is allowed to."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.made = 0
        self.state_id = 0
        self.begun = asyncio.Event()
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.answer = SharedAnswer(0.5, lambda: self.now_s)

    async def make(self) -> bytes:
        self.begun.set()
        await self.allowed.wait()
        self.made += 1
        return b"%d" % self.made

    async def get(self) -> bytes:
        return await self.answer.get(self.state_id, self.make)


async def test_it_is_made_again_when_it_is_too_old() -> None:
    kitchen = Kitchen()
    assert await kitchen.get() == b"1"
    kitchen.now_s += 0.49
    assert await kitchen.get() == b"1"
    kitchen.now_s += 0.01
    assert await kitchen.get() == b"2"


async def test_it_is_made_again_for_who_may_know_more_than_it_tells() -> None:
    kitchen = Kitchen()
    assert await kitchen.get() == b"1"
    kitchen.state_id += 1
    assert await kitchen.get() == b"2"
    kitchen.state_id -= 1
    assert await kitchen.get() == b"2"


async def test_all_who_come_meanwhile_get_the_same() -> None:
    kitchen = Kitchen()
    kitchen.allowed.clear()
    asked = [asyncio.create_task(kitchen.get()) for _ in range(10)]
    await kitchen.begun.wait()
    kitchen.allowed.set()
    assert set(await asyncio.gather(*asked)) == {b"1"}


async def test_who_leaves_or_fails_lets_the_next_one_make_it() -> None:
    kitchen = Kitchen()
    kitchen.allowed.clear()
    first, second = asyncio.create_task(kitchen.get()), asyncio.create_task(kitchen.get())
    await kitchen.begun.wait()
    first.cancel()
    kitchen.allowed.set()
    assert await second == b"1"

    async def fail() -> bytes:
        raise OSError

    kitchen.now_s += 1
    with pytest.raises(OSError):
        await kitchen.answer.get(0, fail)
    assert await kitchen.get() == b"2"
