"""The hub's database is damaged: it refuses to serve and says what to do, or serves all that it ever answered for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.sqlite.connection import PAGE_BYTES
from moorline import Client
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, fleet_in, until


def overwrite(path: Path, offset: int, size_bytes: int, luck: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(luck.randbytes(size_bytes))


def damage_header(state: Path) -> None:
    overwrite(state / "hub.db", 0, 100, random.Random(1))


def damage_a_page(state: Path) -> None:
    overwrite(state / "hub.db", PAGE_BYTES * 2, PAGE_BYTES, random.Random(2))


def damage_many_pages(state: Path) -> None:
    size = (state / "hub.db").stat().st_size
    for offset in range(PAGE_BYTES, size, 3 * PAGE_BYTES):
        overwrite(state / "hub.db", offset, 64, random.Random(offset))


def cut_off_the_end(state: Path) -> None:
    path = state / "hub.db"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // PAGE_BYTES // 2 * PAGE_BYTES)


def delete_wal(state: Path) -> None:
    (state / "hub.db-wal").unlink()


def delete_shm(state: Path) -> None:
    (state / "hub.db-shm").unlink()


def delete_wal_and_shm(state: Path) -> None:
    delete_wal(state)
    delete_shm(state)


def damage_wal(state: Path) -> None:
    path = state / "hub.db-wal"
    overwrite(path, path.stat().st_size // 2, 512, random.Random(3))


def cut_off_wal(state: Path) -> None:
    path = state / "hub.db-wal"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_in(tmp_path) as fleet:
        yield fleet


@pytest.mark.parametrize(
    "damage",
    [
        damage_header,
        damage_a_page,
        damage_many_pages,
        cut_off_the_end,
        delete_wal,
        delete_shm,
        delete_wal_and_shm,
        damage_wal,
        cut_off_wal,
    ],
)
@pytest.mark.parametrize("was_stopped", [False, True])
async def test_it_never_serves_less_than_it_answered_for(
    fleet: Fleet, damage: Callable[[Path], None], was_stopped: bool
) -> None:
    hub = fleet.hub
    hub.start()
    node = fleet.add_node("n0")
    async with Client(hub.url) as client:
        done = await client.submit_many(app.echo, range(300))
        assert [await task.result(PATIENCE_S) for task in done] == list(range(300))
        node.kill()
        waiting = await client.submit_many(app.echo, range(300))
    hub.terminate() if was_stopped else hub.kill()
    try:
        damage(hub.state)
    except FileNotFoundError:
        assert was_stopped, "a hub that was killed leaves its write-ahead log"
        return
    hub.begin()
    await asyncio.to_thread(until, lambda: hub.log.count("hub ready") == 2 or not hub.alive, "ready, or the end")
    if hub.alive:
        node.start()
        async with Client(hub.url) as client:
            for number, task in enumerate(done):
                view = await client.get(task.id)
                assert (view.state, view.value) == ("succeeded", number)
            for number, task in enumerate(waiting):
                assert await client.handle(task.id).result(PATIENCE_S) == number
        assert fleet.truth.twice() == []
    else:
        assert await asyncio.to_thread(hub.wait) != 0
        words = "\n".join(hub.log.splitlines()[-3:])
        assert "hub.db" in words
        assert "backup" in words
