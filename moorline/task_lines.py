"""How a task is written for the hub: a line of JSON with its id, what its task always says, and its payload."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from moorline import binding
from moorline.binding import BadArgumentsError
from moorline.errors import DeclarationError, InvalidTaskError
from moorline.options import Options, check_identifier
from moorline.task import Task
from moorline.values import as_json


def line_of(task_id: str, middle: bytes, payload: Mapping[str, Any], name: str) -> bytes:
    """Write one task as the API takes it, on one line."""
    try:
        text = as_json(payload)
    except (TypeError, RecursionError) as error:
        remedy = "give numbers, texts, lists, dicts with text keys, or None"
        raise InvalidTaskError(
            f"the arguments of {name} are not JSON: {error}", code="invalid_task", remedy=remedy
        ) from error
    return b'{"id":"%b%b%b}\n' % (task_id.encode(), middle, text)


class Middles:
    """What is the same in each line of a task, made once: all that stands between its id and its payload.

    Args:
        origin: the mark of the client that submits.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._made: WeakKeyDictionary[Task[..., Any], bytes] = WeakKeyDictionary()

    def of(self, task: Task[..., Any] | str) -> bytes:
        """Give what a task's lines have in common."""
        if isinstance(task, str):
            return self.made(task, Options())
        middle = self._made.get(task)
        if middle is None:
            middle = self._made[task] = self.made(task.name, task.defaults)
        return middle

    def made(self, name: str, options: Options) -> bytes:
        """Make it from a name and options."""
        said = orjson.dumps({**options.wire(), "origin": self._origin})
        return b'","name":"%b","options":%b,"payload":' % (name.encode(), said)


def name_of(task: Task[..., Any] | str) -> str:
    """Give the name of a task, or check the one that was given. Raises DeclarationError for what is none."""
    if isinstance(task, str):
        check_identifier("the name of a task", task)
        return task
    if not isinstance(task, Task):
        raise _no_task(task)
    return task.name


def _no_task(thing: object) -> DeclarationError:
    """Say what a program without types gave instead of a task, and what it should have given."""
    if inspect.iscoroutine(thing):
        name = thing.__qualname__
        thing.close()
        return DeclarationError(f"{name}(…) is a call; give the task and its arguments apart: submit({name}, …)")
    if callable(thing):
        name = getattr(thing, "__qualname__", repr(thing))
        return DeclarationError(
            f"{name} is not declared as a task; put @task above it, or give the name of a task as a text"
        )
    shown = reprlib.repr(thing)
    return DeclarationError(f"{shown} is no task; give a function declared with @task, or the name of a task as a text")


def payload_of(task: Task[..., Any] | str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give a call's arguments by name.

    Raises:
        BadArgumentsError: they are not those of the task, or have no names where only its name is known.
    """
    if not isinstance(task, str):
        return binding.payload_of(task, args, kwargs)
    if args:
        raise BadArgumentsError(f"{task} is submitted by its name: name its arguments too, {task!r}, a=1, b=2")
    return kwargs


def payload_of_item(task: Task[..., Any] | str, item: Any) -> Mapping[str, Any]:
    """Give an item as arguments by name: a mapping, a tuple of positional ones, or the one argument itself."""
    if isinstance(item, Mapping):
        return payload_of(task, (), dict(item))
    return payload_of(task, item if isinstance(item, tuple) else (item,), {})
