"""The reader's thread: answers, bounds, deadlines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store import reader as reading
from hub.store.contract import Store
from hub.store.reader import StoreBusyError, StoreReader
from hub.store.sqlite import SqliteStore
from tests.hub.store.board import Board


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[StoreReader]:
    store = SqliteStore.open(tmp_path / "hub.db", durability="normal")
    Board(store).put("a")
    reader = StoreReader(store)
    reader.start()
    yield reader
    await asyncio.to_thread(reader.stop)
    store.close()


class Brake:
    """A question that takes until the test lets go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, store: Store) -> str:
        self.begun.set()
        self.let_go.wait()
        return threading.current_thread().name


async def test_questions_are_answered_on_a_thread_of_their_own(reader: StoreReader) -> None:
    reader.start()
    view = await reader.read(lambda store: store.task("a"))
    assert view is not None
    assert view.id == "a"
    assert await reader.read(lambda _: threading.current_thread().name) == "store-reader"


async def test_what_a_query_raises_belongs_to_its_caller(reader: StoreReader) -> None:
    def fail(_: Store) -> None:
        raise ValueError("no such cursor")

    with pytest.raises(ValueError, match="no such cursor"):
        await reader.read(fail)
    assert await reader.read(lambda _: 1) == 1


async def test_questions_that_wait_are_bounded(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WAITING_MAX", 2)
    brake = Brake()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(reader.read(brake))
        await asyncio.to_thread(brake.begun.wait)
        waiting = [group.create_task(reader.read(lambda _: 1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(StoreBusyError, match="2 questions wait"):
            await reader.read(lambda _: 1)
        brake.let_go.set()
    assert first.result() == "store-reader"
    assert [task.result() for task in waiting] == [1, 1]


async def test_an_answer_that_takes_too_long_is_given_up(reader: StoreReader) -> None:
    brake = Brake()
    with pytest.raises(StoreBusyError, match=r"within 0\.01 s"):
        await reader.read(brake, within_s=0.01)
    with pytest.raises(StoreBusyError):
        await reader.read(lambda _: pytest.fail("its caller has gone"), within_s=0.01)
    brake.let_go.set()
    assert await reader.read(lambda _: 1) == 1


async def test_a_late_error_is_nobodys(reader: StoreReader) -> None:
    brake = Brake()

    def fail(store: Store) -> None:
        brake(store)
        raise ValueError

    with pytest.raises(StoreBusyError):
        await reader.read(fail, within_s=0.01)
    brake.let_go.set()
    assert await reader.read(lambda _: 1) == 1


async def test_stopping_answers_what_waits_and_nothing_more(reader: StoreReader) -> None:
    brake = Brake()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(reader.read(brake)), group.create_task(reader.read(brake))]
        await asyncio.to_thread(brake.begun.wait)
        stopping = group.create_task(asyncio.to_thread(reader.stop))
        brake.let_go.set()
        await stopping
    assert [task.result() for task in asked] == ["store-reader"] * 2
    with pytest.raises(StoreBusyError, match="is closing"):
        await reader.read(lambda _: 1)


def test_an_answer_for_a_loop_that_is_closed_is_dropped(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "hub.db", durability="normal")
    reader = StoreReader(store)
    brake = Brake()

    async def ask() -> None:
        with pytest.raises(StoreBusyError):
            await reader.read(brake, within_s=0.01)

    reader.start()
    asyncio.run(ask())
    brake.let_go.set()
    reader.stop()
    store.close()
