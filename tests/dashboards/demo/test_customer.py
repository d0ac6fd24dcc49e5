from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dashboards.demo import customer
from dashboards.demo.customer import Customer, waves
from dashboards.demo.workload import PlannedTask
from dashboards.installation.clients import Told
from moorline import Options, TaskCancelled, TaskExpired, TaskFailed, TaskLost


class FakeHandle:
    def __init__(self, task_id: str, error: Exception | None) -> None:
        self.id = task_id
        self._error = error

    async def result(self) -> object:
        if self._error is not None:
            raise self._error
        return {}


class FakeClient:
    """Accepts everything, and comes to the outcome that the task's name says."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, Mapping[str, Any]]] = []

    async def submit_payload(self, name: str, payload: Mapping[str, Any], options: Options) -> FakeHandle:
        self.submitted.append((name, payload))
        task_id = f"{name}-{len(self.submitted)}"
        kinds = {"failed": TaskFailed, "cancelled": TaskCancelled, "expired": TaskExpired, "lost": TaskLost}
        return FakeHandle(task_id, kinds[name](task_id=task_id) if name in kinds else None)


def planned(*names: str) -> list[PlannedTask]:
    return [PlannedTask(name=name, payload={"n": number}) for number, name in enumerate(names)]


async def test_each_task_is_submitted_once_and_each_outcome_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customer, "DRIP_EVERY_S", 0.001)
    client: Any = FakeClient()
    heard: list[Told] = []
    buyer = Customer(client, planned("fine", "failed", "cancelled", "expired", "lost"), heard.append)
    await buyer.run()
    assert [name for name, _ in client.submitted] == ["fine", "failed", "cancelled", "expired", "lost"]
    assert {entry.task_id for entry in buyer.submitted} == {told.task_id for told in buyer.told}
    assert sorted(told.outcome for told in buyer.told) == ["cancelled", "expired", "failed", "lost", "succeeded"]
    assert heard == buyer.told


def test_half_of_the_work_comes_at_once_and_the_rest_in_drips() -> None:
    work = planned(*(["t"] * 400))
    found = [list(wave) for wave in waves(work)]
    assert [task for wave in found for task in wave] == work
    assert [len(wave) for wave in found] == [200] + [5] * 40
    assert [len(wave) for wave in waves(planned(*(["t"] * 4000)))] == [2000] + [50] * 40


@pytest.mark.parametrize("count", [0, 1, 2, 3, 61])
def test_no_task_is_forgotten_whatever_the_number(count: int) -> None:
    work = planned(*(["t"] * count))
    assert [task for wave in waves(work) for task in wave] == work
