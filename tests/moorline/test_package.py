from __future__ import annotations

import subprocess
import sys

import pytest

import moorline


def test_all_is_sorted_and_complete() -> None:
    public = {name for name in vars(moorline) if name.isidentifier() and not name.startswith("_")}
    modules = {name for name in public if f"moorline.{name}" in sys.modules and name != "task"}
    lazy = {"Client", "Group", "SyncClient", "TaskHandle"}
    assert moorline.__all__ == sorted(moorline.__all__)
    assert set(moorline.__all__) == public - modules - {"TYPE_CHECKING", "annotations"} | lazy


def test_every_name_of_all_can_be_had() -> None:
    for name in moorline.__all__:
        assert getattr(moorline, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        getattr(moorline, "Clinet")  # noqa: B009  # mypy would refuse the attribute


def test_importing_the_package_loads_neither_a_client_nor_a_terminal() -> None:
    program = "import sys, moorline; print([name for name in ('aiohttp', 'rich', 'asyncio') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_client_is_loaded_when_it_is_asked_for() -> None:
    program = "import sys; from moorline import Client; print(Client.__module__, 'aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["moorline.client", "True"]
