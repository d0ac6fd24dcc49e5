"""Finding the tasks that a node offers."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.app_loader import load_apps
from node.errors import (
    AppBrokenError,
    AppNameTakenError,
    AppNotFoundError,
    DuplicateTaskError,
    NoTasksError,
    TooManyTasksError,
)

Write = Callable[[str, str], Path]
numbers = itertools.count()

ADD = """
from moorline import task

@task
def add(a: int, b: int) -> int:
    return a + b
"""


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """Leave no module and no path behind."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def fresh() -> str:
    """Give a module name that was never imported."""
    return f"app_{next(numbers)}_of_a_test"


def test_tasks_of_a_module_in_the_current_folder_are_found(write: Write) -> None:
    name = fresh()
    write(f"{name}/__init__.py", "")
    write(f"{name}/tasks.py", ADD)
    tasks = load_apps([f"{name}.tasks"])
    assert list(tasks) == ["add"]
    assert tasks["add"](1, 2) == 3


def test_tasks_of_a_file_are_found_and_its_folder_goes_to_the_end_of_the_path(write: Write) -> None:
    name = fresh()
    path = write(f"deep/{name}.py", ADD)
    assert list(load_apps([str(path)])) == ["add"]
    assert sys.path[-1] == str(path.parent)
    assert sys.modules[name].__file__ == str(path)
    assert list(load_apps([str(path)])) == ["add"]


def test_tasks_that_a_module_has_imported_are_its_own_and_one_task_may_come_twice(write: Write) -> None:
    one, two = fresh(), fresh()
    write(f"{one}.py", ADD)
    write(f"{two}.py", f"from {one} import add\nurgent = add.options(priority=5)\n")
    assert list(load_apps([one, two])) == ["add"]


def test_two_tasks_of_one_name_are_refused_with_both_places(write: Write) -> None:
    one, two = fresh(), fresh()
    write(f"{one}.py", ADD)
    write(f"{two}.py", ADD)
    with pytest.raises(DuplicateTaskError) as caught:
        load_apps([one, two])
    assert f"{one}.py:4" in str(caught.value)
    assert f"{two}.py:4" in str(caught.value)


def test_a_module_without_tasks_is_refused(write: Write) -> None:
    name = fresh()
    write(f"{name}.py", "x = 1")
    with pytest.raises(NoTasksError, match=r"@moorline\.task"):
        load_apps([name])


@pytest.mark.parametrize("app", ["hub", "node.core", "moorline", "protocol.frames", "dashboards"])
def test_a_module_named_like_ours_is_refused(app: str) -> None:
    with pytest.raises(AppNameTakenError, match="rename"):
        load_apps([app])


@pytest.mark.parametrize("name", ["hub.py", "node.py", "examples.py"])
def test_a_file_named_like_ours_is_refused(write: Write, name: str) -> None:
    path = write(name, ADD)
    with pytest.raises(AppNameTakenError, match="rename it"):
        load_apps([str(path)])


def test_a_file_named_like_another_module_is_refused(write: Write) -> None:
    path = write("queue.py", ADD)
    with pytest.raises(AppNameTakenError, match="another module"):
        load_apps([str(path)])
    path = write("antigravity.py", ADD)
    with pytest.raises(AppNameTakenError, match="another module"):
        load_apps([str(path)])


@pytest.mark.parametrize("app", ["no_such_module", "no_such_package.tasks", "no/such/file.py"])
def test_what_is_not_there_is_said_in_words(write: Write, app: str) -> None:
    with pytest.raises(AppNotFoundError, match="there is no"):
        load_apps([app])


@pytest.mark.parametrize("text", ["1 / 0", "def broken(:", "import no_such_dependency"])
def test_an_app_that_cannot_be_imported_keeps_its_cause(write: Write, text: str) -> None:
    name = fresh()
    path = write(f"{name}.py", text)
    for app in (name, str(path)):
        with pytest.raises(AppBrokenError, match="cannot be imported") as caught:
            load_apps([app])
        assert isinstance(caught.value.__cause__, Exception)


@pytest.mark.parametrize("text", ["import sys; sys.exit(0)", "class E(BaseException): __str__ = exit\nraise E"])
def test_an_app_that_ends_the_program_cannot_be_imported(write: Write, text: str) -> None:
    name = fresh()
    path = write(f"{name}.py", text)
    for app in (name, str(path)):
        with pytest.raises(AppBrokenError, match=r"cannot be imported: (SystemExit: 0|E: .*cannot be had)"):
            load_apps([app])


def test_more_tasks_than_a_node_may_register_are_refused(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.app_loader.HANDLERS_MAX", 0)
    name = fresh()
    write(f"{name}.py", ADD)
    with pytest.raises(TooManyTasksError, match="at most 0"):
        load_apps([name])


@pytest.mark.parametrize("app", ["", "/etc/passwd", "shop..tasks", "shop-tasks"])
def test_what_can_be_neither_a_module_nor_a_file_is_said_in_words(app: str) -> None:
    with pytest.raises(AppNotFoundError, match=r"ends in \.py"):
        load_apps([app])
