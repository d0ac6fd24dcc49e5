from __future__ import annotations

import asyncio

import pytest

from moorline import InvalidTaskError, submitting
from moorline.submitting import Room, for_items


async def test_there_is_room_until_it_is_taken() -> None:
    room = Room(10)
    assert await room.take(6) == 6
    second = asyncio.create_task(room.take(6))
    await asyncio.sleep(0)
    assert not second.done()
    room.give_back(6)
    assert await second == 6


async def test_what_is_larger_than_the_room_takes_all_of_it() -> None:
    room = Room(10)
    assert await room.take(50) == 10


async def test_takers_are_let_in_in_order() -> None:
    room = Room(10)
    await room.take(10)
    order: list[int] = []

    async def take(size: int) -> None:
        await room.take(size)
        order.append(size)

    takers = [asyncio.create_task(take(size)) for size in (8, 1, 2)]
    await asyncio.sleep(0)
    room.give_back(3)
    await asyncio.sleep(0)
    assert order == []
    room.give_back(7)
    await asyncio.gather(*takers[:2])
    assert order == [8, 1]
    room.give_back(9)
    await takers[2]
    assert order == [8, 1, 2]


async def test_a_taker_that_is_cancelled_lets_the_next_one_in() -> None:
    room = Room(10)
    await room.take(5)
    large, small = asyncio.create_task(room.take(8)), asyncio.create_task(room.take(3))
    await asyncio.sleep(0)
    large.cancel()
    assert await small == 3
    with pytest.raises(asyncio.CancelledError):
        await large


async def test_a_taker_that_is_cancelled_as_it_is_let_in_gives_its_room_back() -> None:
    room = Room(10)
    await room.take(10)
    taker = asyncio.create_task(room.take(10))
    await asyncio.sleep(0)
    room.give_back(10)
    taker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taker
    assert await room.take(10) == 10


async def test_room_that_comes_free_after_a_cancel_goes_to_the_next_taker() -> None:
    room = Room(10)
    await room.take(10)
    first, second = asyncio.create_task(room.take(10)), asyncio.create_task(room.take(10))
    await asyncio.sleep(0)
    first.cancel()
    room.give_back(10)
    assert await second == 10
    with pytest.raises(asyncio.CancelledError):
        await first


def test_lines_are_cut_where_a_request_would_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "BYTES_PER_REQUEST", 10)
    lines = [b"four", b"four", b"four", b"more than ten", b"two", b"two"]
    assert [lines[part] for part in submitting.parts(lines)] == [lines[:2], lines[2:3], lines[3:4], lines[4:]]
    assert list(submitting.parts([])) == []


def test_an_error_about_a_line_of_a_request_names_the_item_that_was_meant() -> None:
    said = InvalidTaskError("no", code="invalid_task")
    said.where = "line 3"
    assert for_items(said, 1000).where == "item 1003"
    said.where = "payload.a"
    assert for_items(said, 1000).where == "payload.a"
