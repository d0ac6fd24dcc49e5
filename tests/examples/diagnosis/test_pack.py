from __future__ import annotations

from examples import diagnosis
from moorline import Task


def test_all_names_exactly_the_tasks_of_the_pack() -> None:
    tasks = {name for name, value in vars(diagnosis).items() if isinstance(value, Task)}
    assert list(diagnosis.__all__) == sorted(tasks)


def test_every_task_says_what_it_does_and_carries_the_name_of_the_pack() -> None:
    for name in diagnosis.__all__:
        declared: Task[..., object] = getattr(diagnosis, name)
        assert declared.name == f"diagnosis.{name}"
        assert declared.function.__doc__
