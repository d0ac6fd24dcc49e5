from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import moorline
from moorline import testing
from moorline.reference import MADE, document, sections

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"
TEXT = document()
THINGS = {thing.__name__: thing for section in sections() for thing in section.things}


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text() == TEXT, "write it again: python -m moorline.reference > docs/reference/python.md"


def test_each_public_name_is_on_the_page() -> None:
    assert {*moorline.__all__, *testing.__all__} <= THINGS.keys()
    for name in THINGS:
        assert re.search(rf"^### `{name}`", TEXT, re.MULTILINE), name


@pytest.mark.parametrize("name", THINGS)
def test_each_thing_on_the_page_says_what_it_is(name: str) -> None:
    (said,) = re.findall(rf"^### `{name}`.*?(?=^###? |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^####? ", said, flags=re.MULTILINE)[1:]:
        prose = re.sub(r"```.*?```", "", part.partition("\n")[2], flags=re.DOTALL)
        assert prose.strip(), part


def arguments_of(thing: Any) -> set[str]:
    # What is handed on as it is has its names elsewhere.
    passed_on = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    parameters = inspect.signature(thing).parameters.values()
    return {item.name for item in parameters if item.kind not in passed_on and item.name != "self"}


@pytest.mark.parametrize("name", sorted(MADE - {"FaultProxyThread", "LocalSyncClient", "SyncClient"}))
def test_each_argument_of_what_programs_make_is_told(name: str) -> None:
    (said,) = re.findall(rf"^### `{name}`.*?\nArguments:\n\n(.*?)(?=\n\n)", TEXT, re.MULTILINE | re.DOTALL)
    told = {word for names in re.findall(r"^- (`[^:]*`): ", said, re.MULTILINE) for word in re.findall(r"\w+", names)}
    assert told == arguments_of(THINGS[name])


def test_the_examples_are_accepted_by_a_type_checker(tmp_path: Path) -> None:
    paths = []
    for number, section in enumerate(sections()):
        path = tmp_path / f"example_{number}.py"
        path.write_text(inspect.cleandoc(section.example))
        paths.append(str(path))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run(
        [*command, *paths], cwd=PAGE.parents[2], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_link_leads_to_a_page() -> None:
    links = set(re.findall(r"\]\(([^)#]+)\)", TEXT))
    assert links
    for link in links:
        assert (PAGE.parent / link).is_file(), link
