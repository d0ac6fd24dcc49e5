from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from moorline import DeclarationError, Options, Retry, Task, task
from tests.moorline import sample_tasks


def test_a_task_stays_callable_and_keeps_its_name_and_docstring() -> None:
    @task
    def double(number: int) -> int:
        """Give twice the number."""
        return 2 * number

    assert double(4) == 8
    assert (double.name, double.__doc__) == ("double", "Give twice the number.")
    assert (double.isolation, double.is_async, double.defaults) == ("thread", False, Options())
    assert double.signature_text == "double(number: 'int')"
    assert "double" in repr(double)


async def test_calling_an_async_task_gives_its_coroutine() -> None:
    assert sample_tasks.echo.is_async
    assert await sample_tasks.echo(3) == 3


def test_options_of_the_declaration_are_defaults_that_a_submit_may_change() -> None:
    @task(name="team.work:v2", priority=5, retry=Retry(max_attempts=4), labels={"team": "a"})
    def work() -> None: ...

    urgent = work.options(priority=9, timeout_s=3)
    assert work.defaults.priority == 5
    assert (urgent.name, urgent.function) == ("team.work:v2", work.function)
    assert urgent.defaults == work.defaults.changed(priority=9, timeout_s=3)


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "ä", "x" * 129, "a\n"])
def test_a_name_that_cannot_stand_in_a_url_is_refused_where_it_is_written(name: str) -> None:
    with pytest.raises(DeclarationError, match="the name of a task is"):

        @task(name=name)
        def work() -> None: ...


def test_an_unknown_option_is_refused_where_it_is_written() -> None:
    options: dict[str, Any] = {"prio": 3}
    with pytest.raises(
        DeclarationError, match=r"unknown option 'prio' \(did you mean priority\?\); there are: .*priority"
    ):
        task(**options)
    with pytest.raises(DeclarationError, match="unknown option 'prio'"):
        sample_tasks.add.options(**options)


def test_an_async_function_cannot_be_isolated() -> None:
    async def work() -> None: ...

    with pytest.raises(DeclarationError, match="work is async and cannot be isolated"):
        task(isolation="process")(work)


def test_a_function_that_a_child_process_cannot_import_cannot_be_isolated() -> None:
    def work() -> None: ...

    with pytest.raises(DeclarationError, match="define it at the top of a module"):
        task(isolation="process")(work)
    assert sample_tasks.apart.isolation == "process"


def test_an_isolation_that_does_not_exist_is_refused() -> None:
    isolation: Any = "container"
    with pytest.raises(DeclarationError, match="must be 'thread' or 'process'"):
        task(name="work", isolation=isolation)(lambda: None)


def test_a_lambda_needs_a_name() -> None:
    for nameless in (lambda: None, functools.partial(print)):
        with pytest.raises(DeclarationError, match="has no name of its own; give one: task"):
            task(nameless)
    assert isinstance(task(name="nothing")(lambda: None), Task)
    assert isinstance(task(name="two")(functools.partial(sample_tasks.add.function, a=2)), Task)


class Box:
    def open(self, key: str) -> str:
        return key

    @classmethod
    def made(cls, key: str) -> str:
        return key

    @staticmethod
    def closed(key: str) -> str:
        return key


def generated(total: int) -> Iterator[int]:
    yield from range(total)


async def told(total: int) -> AsyncIterator[int]:
    yield total


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        ("add", r"'add' is no function; write @task\(name='add'\)"),
        (5, "5 is no function; write @task"),
        (Box, "Box is a class; a handler is a function"),
        (Box.open, r"Box\.open is a method, and no node has its object"),
        (vars(Box)["made"].__func__, r"Box\.made is a method"),
        (generated, "generated is a generator, and what it gives is not JSON; return a list"),
        (told, "told is a generator"),
    ],
)
def test_what_cannot_be_a_handler_is_refused_where_it_is_declared(thing: Any, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        task(thing)


def test_functions_that_know_their_object_or_need_none_can_be_handlers() -> None:
    assert task(Box().open)("x") == task(Box.made)("x") == task(Box.closed)("x") == "x"


async def test_a_task_can_be_declared_again_under_another_name() -> None:
    again = task(name="again")(sample_tasks.echo)
    assert (again.name, again.is_async, again.function) == ("again", True, sample_tasks.echo.function)
    assert await again(3) == 3
