from __future__ import annotations

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
    with pytest.raises(DeclarationError, match=r"unknown option 'prio'; there are: .*priority"):
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
    with pytest.raises(DeclarationError, match="<lambda>"):
        task(lambda: None)
    assert isinstance(task(name="nothing")(lambda: None), Task)
