from __future__ import annotations

import shutil
from pathlib import Path

from hub.disk import FREE_BYTES_MIN, DiskSpace, DiskWatch, look


def test_the_log_of_a_database_counts_as_the_database(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"x" * 100)
    (tmp_path / "hub.db-wal").write_bytes(b"x" * 20)
    space = look(tmp_path / "hub.db")
    assert space.database_bytes == 120
    assert space.total_bytes == shutil.disk_usage(tmp_path).total
    assert 0 < space.free_bytes <= space.total_bytes


def test_a_disk_is_short_below_the_least_that_a_batch_needs() -> None:
    def space(free: int) -> DiskSpace:
        return DiskSpace(free_bytes=free, total_bytes=10 * FREE_BYTES_MIN, database_bytes=0)

    assert space(FREE_BYTES_MIN - 1).is_short
    assert not space(FREE_BYTES_MIN).is_short


async def test_a_watch_has_looked_when_it_is_started(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path / "hub.db")
    await watch.start()
    await watch.start()
    assert watch.space is not None
    assert watch.space.database_bytes == 0
    watch.stop()
    watch.stop()


async def test_a_disk_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path / "away" / "hub.db")
    await watch.start()
    assert watch.space is None
    watch.stop()
