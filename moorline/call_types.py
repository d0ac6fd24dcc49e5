"""What a type checker is told of a task that is handed over with its arguments: ``client.submit(add, 1, 2)``.

The arguments are those of the handler without its `Context`, which the node fills in. Python's types can leave out the
first parameter of a signature and no other, so there are three kinds of tasks, each for async and for plain handlers:

- without a `Context`, and with the `Context` first: arguments are checked;
- with the `Context` at another place: only the result is known. Put it first to have the arguments checked.

A `Context` that can be given by name only is one that a type checker does not find: put it first there, too.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Concatenate, TypeAlias, TypeVar

from moorline.context import Context
from moorline.task import Task

T = TypeVar("T")

Async: TypeAlias = Coroutine[Any, Any, T]
"""What the function behind an async handler gives when it is called."""

AsyncTask: TypeAlias = Task[..., Coroutine[Any, Any, T]]
"""A task with an async handler, whatever its arguments."""

# As far as the places of examples and habits go; from the seventh on, a checker sees a parameter that is missing.
ContextLater: TypeAlias = (
    Task[Concatenate[Any, Context, ...], T]
    | Task[Concatenate[Any, Any, Context, ...], T]
    | Task[Concatenate[Any, Any, Any, Context, ...], T]
    | Task[Concatenate[Any, Any, Any, Any, Context, ...], T]
    | Task[Concatenate[Any, Any, Any, Any, Any, Context, ...], T]
)
"""A task with its context at the second to the sixth place."""


class TheArgumentsGiven:
    """Stands in messages of mypy for arguments that do not fit: nothing has this type."""


class AnyResult:
    """Stands in messages of mypy for the result of a task that fits: nothing has this type."""


Misfit: TypeAlias = Task[[TheArgumentsGiven], AnyResult]
"""No task. Where arguments do not fit, mypy names the first form of the call whose shape is right: this one, so that it
says ``incompatible type "Task[[int, int], int]"; expected "Task[[TheArgumentsGiven], AnyResult]"``.
"""
