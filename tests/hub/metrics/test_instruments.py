from __future__ import annotations

from hub.decisions.meter import Meter
from hub.metrics.instruments import Instruments
from hub.store.contract import Committed
from hub.store.events import Event


def commit(meter: Meter, instruments: Instruments, *events: tuple[str, float]) -> None:
    told = [Event(id=1, at=at, kind=kind, node_id="n") for kind, at in events]
    committed = Committed(answers=[], events=told, values={}, waiting={})
    meter.take(committed, 0.0)
    instruments.committed(committed)


def test_nodes_are_looked_for_in_commits_that_have_some() -> None:
    meter = Meter()
    instruments = Instruments(meter)
    commit(meter, instruments, ("node.unreachable", 1.0))
    commit(meter, instruments, ("task.queued", 2.0))
    commit(meter, instruments, ("task.queued", 3.0), ("node.online", 4.0))
    assert (instruments.reconnects.times.count, instruments.reconnects.times.sum_s) == (1, 3.0)


def test_a_tick_that_came_early_was_not_late() -> None:
    instruments = Instruments(Meter())
    instruments.ticked(-0.001)
    instruments.ticked(0.2)
    assert (instruments.loop_lags.count, instruments.loop_lags.sum_s) == (2, 0.2)
