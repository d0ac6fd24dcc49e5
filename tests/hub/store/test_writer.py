"""The writer's thread: what piled up shares a commit, nothing is dropped, everyone is told in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from hub.decisions.effects import Ticket
from hub.store import writer as writing
from hub.store.attempts import Record
from hub.store.contract import Committed, Operation
from hub.store.errors import StoreUnavailableError
from hub.store.now import Now
from hub.store.sqlite import SqliteStore
from hub.store.submissions import Submit
from hub.store.tasks import NewTask
from hub.store.writer import StoreWriter
from tests.hub.store.board import START_S, result

NOW = Now(START_S, START_S)


class Gate:
    """A real store behind a gate: a test holds commits up, counts them, and makes them fail."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.commits: list[int] = []
        self.failures: list[Exception] = []
        self.tried = 0

    def execute(self, operations: Sequence[Operation], now: Now) -> Committed:
        self.entered.set()
        self.open.wait()
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        committed = self._store.execute(operations, now)
        self.commits.append(len(operations))
        return committed

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class Listener:
    """What the event loop was told."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.told: list[str] = []
        self.done: list[tuple[int | None, object]] = []
        self._news = asyncio.Event()
        self.writer = StoreWriter(
            gate,  # type: ignore[arg-type] # it passes everything else on to the real store
            lambda: NOW,
            loop=asyncio.get_running_loop(),
            on_committed=self._committed,
            on_degraded=lambda reason: self._tell(f"degraded: {reason}"),
            on_recovered=lambda: self._tell("recovered"),
        )

    def _committed(self, done: writing.Done, committed: Committed) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.done += [(ticket.request, answer) for ticket, answer in done]
        self._tell(f"committed {len(done)}, {len(committed.events)} events")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    monkeypatch.setattr(writing, "RETRY_MIN_S", 0.001)
    monkeypatch.setattr(writing, "RETRY_MAX_S", 0.002)
    store = SqliteStore.open(tmp_path / "hub.db", durability="normal")
    listener = Listener(Gate(store))
    yield listener
    listener.gate.failures.clear()
    listener.gate.open.set()
    await asyncio.to_thread(listener.writer.stop)
    store.close()


def _submit(task_id: str, count: int = 1) -> Submit:
    return Submit(tasks=[NewTask(task_id=f"{task_id}.{number}", name="work") for number in range(count)])


async def test_answers_come_back_with_their_tickets_in_order(listener: Listener) -> None:
    listener.writer.start()
    listener.writer.start()
    for number in range(100):
        listener.writer.put(_submit(f"t{number}"), Ticket(request=number))
    await listener.until(lambda: len(listener.done) == 100)
    assert [request for request, _ in listener.done] == list(range(100))
    accepted = [answer.accepted[0].task_id for _, answer in listener.done]  # type: ignore[attr-defined]
    assert accepted == [f"t{number}.0" for number in range(100)]


async def test_what_piles_up_during_a_commit_shares_the_next(listener: Listener) -> None:
    listener.gate.open.clear()
    listener.writer.start()
    listener.writer.put(_submit("first"), Ticket())
    await asyncio.to_thread(listener.gate.entered.wait)
    for number in range(30):
        listener.writer.put(_submit(f"t{number}"), Ticket())
    assert listener.writer.pending == 31
    listener.gate.open.set()
    await listener.until(lambda: len(listener.done) == 31)
    assert listener.gate.commits == [1, 30]
    assert listener.told == ["committed 1, 1 events", "committed 30, 30 events"]


async def test_a_transaction_is_bounded(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "OPERATIONS_MAX", 4)
    monkeypatch.setattr(writing, "ROWS_MAX", 10)
    operations: list[Operation] = [_submit("huge", 25), _submit("a", 6), Record(results=[result(("x", 1))] * 5)]
    operations += [_submit(f"t{number}") for number in range(5)]
    for operation in operations:
        listener.writer.put(operation, Ticket())
    listener.writer.start()
    await listener.until(lambda: len(listener.done) == 8)
    assert listener.gate.commits == [1, 1, 4, 2]


async def test_a_store_that_takes_no_commits_is_told_once_and_nothing_is_dropped(listener: Listener) -> None:
    listener.gate.failures = [StoreUnavailableError("no space")] * 5
    listener.writer.put(_submit("a"), Ticket(request=1))
    listener.writer.start()
    listener.writer.put(_submit("b"), Ticket(request=2))
    await listener.until(lambda: len(listener.done) == 2)
    assert listener.told[:2] == ["degraded: no space", "recovered"]
    assert [request for request, _ in listener.done] == [1, 2]
    assert listener.told.count("recovered") == 1


async def test_a_fault_of_the_store_itself_degrades_and_does_not_end_the_thread(listener: Listener) -> None:
    listener.gate.failures = [RuntimeError("bug")]
    listener.writer.start()
    listener.writer.put(_submit("a"), Ticket())
    await listener.until(lambda: len(listener.done) == 1)
    assert listener.told[:2] == ["degraded: RuntimeError('bug')", "recovered"]


async def test_stopping_commits_what_is_pending(listener: Listener) -> None:
    for number in range(200):
        listener.writer.put(_submit(f"t{number}"), Ticket())
    listener.writer.start()
    assert await asyncio.to_thread(listener.writer.stop)
    assert await asyncio.to_thread(listener.writer.stop)
    assert listener.writer.pending == 0
    await listener.until(lambda: len(listener.done) == 200)


async def test_stopping_a_store_that_takes_no_commits_gives_up_in_time(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "STOP_WITHIN_S", 0.05)
    listener.gate.failures = [StoreUnavailableError("no space")] * 100_000
    listener.writer.start()
    listener.writer.put(_submit("a"), Ticket())
    await listener.until(lambda: bool(listener.told))
    assert not await asyncio.to_thread(listener.writer.stop)
    assert listener.writer.pending == 1
    assert listener.done == []


async def test_a_writer_that_never_started_can_be_stopped(listener: Listener) -> None:
    assert listener.writer.stop()


async def test_a_closed_loop_is_no_reason_to_stop_committing(listener: Listener) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    writer = StoreWriter(
        listener.gate,  # type: ignore[arg-type] # as above
        lambda: NOW,
        loop=loop,
        on_committed=lambda done, committed: None,
        on_degraded=lambda reason: None,
        on_recovered=lambda: None,
    )
    writer.put(_submit("a"), Ticket())
    writer.start()
    assert await asyncio.to_thread(writer.stop)
    assert listener.gate.commits == [1]
