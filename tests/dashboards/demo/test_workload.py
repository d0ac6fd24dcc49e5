from __future__ import annotations

import dataclasses
import inspect
from collections import Counter
from typing import Any

import pytest

from dashboards.demo.workload import Surroundings, plan
from examples import diagnosis

AROUND = Surroundings(
    http_port=1, tcp_port=2, closed_port=3, tls_port=4, ca_path="/ca.pem", code_folders=["/a", "/b"], log_folders=["/l"]
)


def test_the_same_seed_gives_the_same_work() -> None:
    assert plan(100, AROUND, seed=1) == plan(100, AROUND, seed=1)
    assert plan(100, AROUND, seed=1) != plan(100, AROUND, seed=2)


def test_every_task_of_the_pack_takes_part() -> None:
    counts = Counter(planned.name for planned in plan(400, AROUND, seed=1))
    assert set(counts) == {f"diagnosis.{name}" for name in diagnosis.__all__}
    assert counts.total() == 400


def test_without_a_certificate_none_is_checked() -> None:
    planned = plan(400, dataclasses.replace(AROUND, tls_port=None), seed=1)
    assert "diagnosis.certificate_check" not in {task.name for task in planned}


@pytest.mark.parametrize("name", diagnosis.__all__)
def test_payloads_fit_the_parameters_of_the_tasks(name: str) -> None:
    declared: Any = getattr(diagnosis, name)
    parameters = inspect.signature(declared.function).parameters
    for planned in plan(400, AROUND, seed=3):
        if planned.name == f"diagnosis.{name}":
            assert set(planned.payload) <= set(parameters)
