"""The reference of the Python API, made from signatures and docstrings.

``python -m moorline.reference`` prints it; `docs/reference/python.md` is that, and a test compares them. What the page
says of a name stands in its docstring; here stand only the order, and an example for each group.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

import moorline
from moorline import history_views, pytest_plugin, sync_handles, testing, views

WIDTH: Final = 120

# A signature that is longer stands on several lines.
SIGNATURE_CHARACTERS_MAX: Final = 100

# What programs make themselves; the others they are given.
MADE: Final = frozenset(
    {"Client", "SyncClient", "Options", "Retry", "LocalClient", "LocalSyncClient", "FaultProxy", "FaultProxyThread"}
)

# What clients and handles say to each other.
INSIDE: Final = frozenset(
    {
        "Client.expect",
        "Options.wire",
        *(f"TaskHandle.{name}" for name in ("is_watched", "settle", "settled_result", "watch")),
    }
)

# Forms of another class: only what they have beside its verbs is told.
TWINS: Final[dict[str, type[object]]] = {
    "SyncClient": moorline.Client,
    "SyncTaskHandle": moorline.TaskHandle,
    "SyncGroup": moorline.Group,
    "FaultProxyThread": testing.FaultProxy,
}

_HEADING: Final = re.compile(r"    # --- (.+?) -+$")

# Types that have a name of their own for the sake of the source.
ALIASES: Final = {
    "Items": "Iterable[Any]",
    "Isolation": 'Literal["thread", "process"]',
    "Direction": 'Literal["up", "down", "both"]',
    "R_co": "R",
}

# Views that a client reads and does not give.
NOT_GIVEN: Final = frozenset({"AuditPage"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of the page: what it is about, an example, and the names in it, in order."""

    title: str
    about: str
    example: str
    things: Sequence[Any]


_HEAD: Final = """# Python

What `from moorline import …` and `from moorline.testing import …` give. A node needs the first section, a program that
submits tasks the ones after it. Times are seconds: what ends in `_s` is a span, what ends in `_at` a time since 1970,
UTC. This page is made from the docstrings by `python -m moorline.reference`.

## What a type checker sees

The package is typed, and mypy and pyright know the results: of `submit(add, …)` a `TaskHandle[int]` where `add` returns
an int, of `map` and `broadcast` the same. In the signatures below `T` is what the task gives, awaited if its handler is
async, and `P` stands for the parameters of its handler without the one of type `Context`.

- The arguments of `submit`, `broadcast` and `run_locally` are held against `P`, where the handler has no `Context` or
  has it as its first parameter. With the `Context` further behind only the result is known. One that can be given by
  name alone is reported as missing: put it first.
- mypy says of arguments that do not fit: `incompatible type "Task[[int, int], int]"; expected
  "Task[[TheArgumentsGiven], AnyResult]"`. The first type is the signature of the task.
- Options have types in `task.options(…)`, which gives a task with the same signature. They are never among the
  arguments.
- Values travel as JSON, which no checker knows: a tuple comes back as a list, a dataclass as a dict. Annotate a handler
  with what comes back.
- The items of `submit_many` and `map` are checked only when they are bound; what is submitted by name gives `Any`.
"""


def _classes(module: Any) -> list[type[object]]:
    """Give the structures of a module, in the order in which they are defined."""
    return [
        thing
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and name not in NOT_GIVEN
    ]


def _errors() -> list[type[BaseException]]:
    """Give the errors of the package: each behind its base, in the order of the names."""
    named = [getattr(moorline, name) for name in moorline.__all__]
    errors = [thing for thing in named if inspect.isclass(thing) and issubclass(thing, BaseException)]
    return sorted(errors, key=lambda error: [base.__name__ for base in reversed(error.__mro__)])


def sections() -> list[Section]:
    """Give the parts of the page."""
    return [
        Section(
            title="Tasks",
            about="A task is a function that nodes run and programs submit. It stays a function that can be called.",
            example="""
                from moorline import Context, Retry, task


                @task(timeout_s=60, retry=Retry(max_attempts=3))
                def crunch(context: Context, path: str, factor: int = 1) -> int:
                    context.progress(0, 1, "reading")
                    with open(path, "rb") as file:
                        return factor * len(file.read())


                urgent = crunch.options(priority=10, requires={"site": "berlin"})
                """,
            things=[moorline.task, moorline.Task, moorline.Options, moorline.Retry, moorline.Context],
        ),
        Section(
            title="Clients",
            about="A client submits tasks to a hub, waits for what they come to, and looks at all that a hub knows. "
            "`Client` is for programs with an event loop, `SyncClient` for all others.",
            example="""
                import asyncio

                from moorline import Client, SyncClient, TaskFailed, task


                @task
                async def fetch(url: str, *, limit: int = 10) -> list[str]:
                    return [url] * limit


                async def main() -> None:
                    async with Client("http://127.0.0.1:8780") as client:
                        handle = await client.submit(fetch, "https://example.com", limit=3)
                        try:
                            print(await handle.result(timeout_s=30))
                        except TaskFailed as error:
                            print(error.remote_traceback)
                        async for lines in client.map(fetch, ["a", "b"]):
                            print(len(lines))
                        group = await client.broadcast(fetch.options(requires={"site": "berlin"}), "c")
                        print(await group.results(timeout_s=30))


                asyncio.run(main())

                with SyncClient() as blocking:
                    print(blocking.submit(fetch, "d").result())
                """,
            things=[moorline.Client, moorline.SyncClient],
        ),
        Section(
            title="Handles",
            about="What a program holds of the tasks that it submitted. Those of `SyncClient` have the same verbs, "
            "each of which waits for its answer.",
            example="""
                from moorline import Client, ResultTimeoutError, TaskError, TaskHandle


                async def values(client: Client, handles: list[TaskHandle[int]]) -> dict[str, int | None]:
                    found: dict[str, int | None] = {}
                    async for handle in client.as_completed(handles):
                        try:
                            found[handle.id] = await handle.result()
                        except TaskError:
                            found[handle.id] = None
                    return found


                async def patiently(handle: TaskHandle[int]) -> int | None:
                    try:
                        return await handle.result(timeout_s=5)
                    except ResultTimeoutError:
                        await handle.cancel()
                        return None
                """,
            things=[moorline.TaskHandle, moorline.Group, sync_handles.SyncTaskHandle, sync_handles.SyncGroup],
        ),
        Section(
            title="Errors",
            about="All are a `MoorlineError`. What a hub answers is a `HubError`, what a task came to instead of a "
            "value a `TaskError`; catch those that you can do something about. Errors of use are Python's own: a "
            "`ValueError` for a value that is none, a `RuntimeError` for a client on a second event loop.",
            example="""
                from moorline import HubUnavailableError, SyncClient, TaskError, TaskLost, task


                @task(on_lost="fail")
                def charge(order: str) -> str:
                    return order


                def charged(client: SyncClient, order: str) -> bool | None:
                    try:
                        client.submit(charge.options(idempotency_key=order), order).result()
                    except HubUnavailableError:
                        return None  # the same key again is harmless
                    except TaskLost:
                        return None  # look whether it had an effect
                    except TaskError as error:
                        print(error)
                        return False
                    return True
                """,
            things=_errors(),
        ),
        Section(
            title="What a hub says",
            about="The values that verbs of a client give, in `moorline.views` and `moorline.history_views`. They are "
            "frozen; `msgspec.to_builtins(view)` gives plain dictionaries. What a later hub adds is ignored. What each "
            "field means: `docs/reference/http-api.md`.",
            example="""
                from moorline import SyncClient
                from moorline.views import TaskView


                def stuck(client: SyncClient) -> list[TaskView]:
                    found = list(client.list(filter="state=queued age>10m", limit=100))
                    for view in found:
                        print(view.id, client.explain(view.id).summary)
                    return found
                """,
            things=[*_classes(views), *_classes(history_views)],
        ),
        Section(
            title="Tests",
            about=_first_part(testing),
            example="""
                from moorline import task
                from moorline.testing import LocalClient, run_locally


                @task
                def add(a: int, b: int) -> int:
                    return a + b


                def test_add() -> None:
                    assert run_locally(add, 1, b=2) == 3


                async def test_many() -> None:
                    async with LocalClient() as client:
                        assert [value async for value in client.map(add, [(1, 2), (3, 4)])] == [3, 7]
                """,
            things=[*(getattr(testing, name) for name in testing.__all__), *_fixtures()],
        ),
    ]


def _first_part(module: Any) -> str:
    return inspect.getdoc(module) or ""


def _fixtures() -> list[Callable[..., object]]:
    """Give the functions behind the fixtures that the package brings to pytest."""
    return [
        getattr(fixture, "__wrapped__", None) or fixture._get_wrapped_function()
        for name, fixture in vars(pytest_plugin).items()
        if name.startswith("moorline_")
    ]


def document() -> str:
    """Give the page."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for section in sections():
        example = textwrap.dedent(section.example).strip()
        yield f"\n## {section.title}\n\n{_prose(section.about)}\n\n```python\n{example}\n```\n"
        for thing in section.things:
            yield from _class(thing) if inspect.isclass(thing) else _function(thing, thing.__name__, "###")


def _class(thing: type[object]) -> Iterator[str]:
    bases = [f"`{base.__name__}`" for base in thing.__bases__] if issubclass(thing, BaseException) else []
    kind = f": {' and '.join(bases)}" if bases else ""
    yield f"\n### `{thing.__name__}`{kind}\n\n"
    if thing.__name__ in MADE:
        yield _signature(thing, thing.__name__)
    yield f"{_prose(inspect.getdoc(thing) or '', with_arguments=thing.__name__ in MADE)}\n"
    if issubclass(thing, msgspec.Struct):
        fields = ", ".join(f"`{name}: {said}`" for name, said in inspect.get_annotations(thing).items())
        yield f"\n{_filled(f'Fields: {fields}.')}\n"
    yield from _overview(thing)
    twin = TWINS.get(thing.__name__)
    same = []
    for name, member in _members(thing):
        if hasattr(twin, name):
            same.append(f"`{name}`")
        else:
            yield from _function(member, f"{thing.__name__}.{name}", "####")
    if twin is not None:
        told = f"As those of `{twin.__name__}`: {', '.join(same)}."
        yield f"\n{_filled(told)}\n"


def _overview(thing: type[object]) -> Iterator[str]:
    """List the verbs of a class by the headings of its source, where it has some."""
    by_heading: dict[str, list[str]] = {}
    for name, member in _members(thing):
        if inspect.isfunction(member) and thing.__name__ not in TWINS:
            lines, _ = inspect.findsource(member)
            above = reversed(lines[: member.__code__.co_firstlineno])
            heading = next((found[1] for line in above if (found := _HEADING.match(line))), "")
            by_heading.setdefault(heading, []).append(f"`{name}`")
    if len(by_heading) > 1:
        yield "\nVerbs:\n\n"
        for heading, names in by_heading.items():
            yield f"{_filled('- ' + (heading or 'begin and end') + ': ' + ', '.join(names), indent='  ')}\n"


def _members(thing: type[object]) -> Iterator[tuple[str, Any]]:
    """Give the public verbs and properties of a class, its own before those of its bases of this package."""
    seen: set[str] = set()
    # What a form for tests has from the real one is said there.
    bases = [thing] if thing.__name__ in {"LocalClient", "LocalSyncClient"} else thing.__mro__
    for base in bases:
        if not base.__module__.startswith("moorline"):
            continue
        for name, member in vars(base).items():
            is_ours = not name.startswith("_") and f"{thing.__name__}.{name}" not in INSIDE and name not in seen
            if is_ours and (inspect.isfunction(member) or isinstance(member, property)):
                seen.add(name)
                yield name, member


def _function(thing: Any, name: str, heading: str) -> Iterator[str]:
    yield f"\n{heading} `{name}`\n\n"
    if isinstance(thing, property):
        gives = inspect.signature(thing.fget).return_annotation if thing.fget else ""
        yield f"```python\n{name.rpartition('.')[2]}: {gives}\n```\n\n"
    else:
        yield _signature(thing, name.rpartition(".")[2])
    yield f"{_prose(inspect.getdoc(thing) or '')}\n"


def _signature(thing: Any, name: str) -> str:
    """Write a signature as code, with the types of the overloads where there are some."""
    overloads = typing.get_overloads(thing) if inspect.isfunction(thing) else []
    # The one with the options tells all.
    signature = inspect.signature(overloads[-1] if name == "task" else thing)
    words = _parameters([item for item in signature.parameters.values() if item.name != "self"])
    gives = "" if inspect.isclass(thing) else f" -> {signature.return_annotation}"
    start = "async def " if inspect.iscoroutinefunction(thing) else "" if inspect.isclass(thing) else "def "
    text = f"{start}{name}({', '.join(words)}){gives}"
    if len(text) > SIGNATURE_CHARACTERS_MAX:
        text = f"{start}{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){gives}"
    if overloads and name != "task":
        text = text.replace("Task[..., Any]", "Task[P, T]").replace("args: Any", "args: P.args")
        text = re.sub(r"(->.*)\bAny\b", r"\1T", text.replace("kwargs: Any", "kwargs: P.kwargs"))
    for alias, meant in ALIASES.items():
        text = re.sub(rf"\b{alias}\b", meant, text)
    return f"```python\n{text}\n```\n\n"


def _parameters(parameters: Sequence[inspect.Parameter]) -> list[str]:
    """Write each parameter, and the marks between kinds of them."""
    words: list[str] = []
    was_positional = was_starred = False
    for item in parameters:
        is_positional = item.kind is item.POSITIONAL_ONLY
        if was_positional and not is_positional:
            words.append("/")
        if item.kind is item.KEYWORD_ONLY and not was_starred:
            words.append("*")
        was_positional = is_positional
        was_starred = was_starred or item.kind in {item.VAR_POSITIONAL, item.KEYWORD_ONLY}
        words.append(_parameter(item))
    return [*words, "/"] if was_positional else words


def _parameter(item: inspect.Parameter) -> str:
    stars = "*" if item.kind is item.VAR_POSITIONAL else "**" if item.kind is item.VAR_KEYWORD else ""
    text = f"{stars}{item.name}: {item.annotation}".replace("'", '"')
    if item.default is inspect.Parameter.empty:
        return text
    # Defaults that are made anew for each call have no text of their own.
    default = repr(item.default).replace("'", '"')
    return f"{text} = {'...' if default.startswith('<') or item.default is ... else default}"


# --- docstrings -------------------------------------------------------------------------------------------------------

_PART: Final = re.compile(r"(Args|Raises|Attributes|Returns):")
_NAMED: Final = re.compile(r"[\w*]+(, [\w*]+)*: ")
_TITLES: Final = {"Args": "Arguments", "Raises": "Raises", "Attributes": "Attributes", "Returns": "Gives"}


def _prose(text: str, *, with_arguments: bool = True) -> str:
    """Turn a docstring into Markdown: paragraphs, indented code, and lists of what it names."""
    found: list[str] = []
    for paragraph in text.split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        part = _PART.fullmatch(first.strip())
        if part and part[1] == "Args" and not with_arguments:
            continue
        if part:
            found.append(f"{_TITLES[part[1]]}:\n\n{_entries(rest)}")
        elif all(line.startswith("    ") for line in paragraph.splitlines()):
            found.append(f"```python\n{textwrap.dedent(paragraph)}\n```")
        else:
            found.append(_filled(_marked(paragraph)))
    return "\n\n".join(found)


def _entries(text: str) -> str:
    """Give a list entry for each name that stands at the first indentation."""
    entries: list[str] = []
    for line in textwrap.dedent(text).splitlines():
        # A sentence without a name may go on in the next line, as far to the left as it began.
        goes_on = line.startswith(" ") or (entries and not entries[-1].endswith(".") and not _NAMED.match(line))
        if goes_on and entries:
            entries[-1] += f" {line.strip()}"
        else:
            entries.append(line)
    return "\n".join(_filled(_marked(_entry(entry)), indent="  ") for entry in entries)


def _entry(entry: str) -> str:
    names, _, means = entry.partition(": ")
    if not _NAMED.match(entry):
        return f"- {entry}"
    return f"- {', '.join(f'`{name}`' for name in names.split(', '))}: {means}"


def _marked(text: str) -> str:
    """Write code and links as Markdown has them."""
    text = text.replace("``", "`")
    return re.sub(r"`?docs/(reference|explanation|how-to)/([\w-]+)\.md`?", _link, text)


def _link(found: re.Match[str]) -> str:
    folder, page = found.groups()
    return f"[{page}]({'' if folder == 'reference' else f'../{folder}/'}{page}.md)"


def _filled(text: str, indent: str = "") -> str:
    # What is code stays on one line.
    text = re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), " ".join(text.split()))
    filled = textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return filled.replace("\0", " ")


if __name__ == "__main__":
    sys.stdout.write(document())
