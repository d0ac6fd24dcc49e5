from __future__ import annotations

from hub.store.commit_meter import CommitMeter


def test_commits_are_counted_by_their_time_and_their_rows() -> None:
    meter = CommitMeter()
    meter.committed(operations=1, rows=1, seconds=0.002)
    meter.committed(operations=3, rows=2, seconds=0.004)
    meter.committed(operations=64, rows=100_000, seconds=1.0)
    assert (meter.seconds.count, meter.operations, meter.rows) == (3, 68, 100_003)
    assert (meter.rows_buckets[0], meter.rows_buckets[1], meter.rows_buckets[-1]) == (1, 1, 1)


def test_a_try_in_vain_is_no_commit() -> None:
    meter = CommitMeter()
    meter.failed()
    assert (meter.failures, meter.seconds.count) == (1, 0)
