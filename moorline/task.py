"""``@task``: make a function something that nodes can run and clients can submit."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, ParamSpec, TypeVar, Unpack, overload

from moorline.binding import Signature
from moorline.errors import DeclarationError
from moorline.options import Options, OptionsGiven, Retry, check_identifier

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Isolation = Literal["thread", "process"]


class Task(Generic[P, R_co]):
    """A named handler with its default options. Calling it calls the function, as if it were not decorated.

    Attributes:
        name: what nodes and hubs call it.
        function: the function itself.
        isolation: where a plain function runs: a thread of the node, or a child process that can be killed.
        is_async: whether it runs on the node's event loop for handlers.
        defaults: how it is run unless a submit says otherwise.
        signature: its parameters.
    """

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str | None = None,
        isolation: Isolation = "thread",
        defaults: Options,
    ) -> None:
        function = _checked_function(function)
        self.name: str = _own_name(function) if name is None else name
        check_identifier("the name of a task", self.name)
        self.function = function
        self.is_async: bool = inspect.iscoroutinefunction(function)
        self.isolation = isolation
        self.defaults = defaults
        self.signature: Signature = Signature(function, self.name)
        self._check_isolation()
        functools.update_wrapper(self, function)

    def _check_isolation(self) -> None:
        if self.isolation not in {"thread", "process"}:
            raise DeclarationError(f"isolation is {self.isolation!r}; it must be 'thread' or 'process'")
        if self.isolation == "process" and self.is_async:
            raise DeclarationError(f"task {self.name} is async and cannot be isolated; make it a plain function")
        qualified = getattr(self.function, "__qualname__", "<locals>")
        if self.isolation == "process" and ("<locals>" in qualified or "<lambda>" in qualified):
            raise DeclarationError(
                f"task {self.name} ({qualified}) cannot be imported by a child process; "
                "define it at the top of a module"
            )

    @property
    def signature_text(self) -> str:
        """The handler's name and parameters, for messages."""
        return self.signature.text

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function here and now."""
        return self.function(*args, **kwargs)

    def options(self, **overrides: Unpack[OptionsGiven]) -> Task[P, R_co]:
        """Give this task with other options, for one submit: ``client.submit(work.options(priority=5), …)``.

        The options are those of `Options`; what is not named stays as it is.

        Raises:
            DeclarationError: an option is unknown or its value is refused.
        """
        return Task(
            self.function, name=self.name, isolation=self.isolation, defaults=self.defaults.changed(**overrides)
        )

    def __repr__(self) -> str:
        return f"<task {self.signature.text}>"


def _checked_function(thing: Callable[P, R]) -> Callable[P, R]:
    """Give the function to be a handler; of a task, its function. Raises DeclarationError for what can be none."""
    if isinstance(thing, Task):
        function: Callable[P, R] = thing.function
        return function
    if isinstance(thing, str):
        raise DeclarationError(f"{thing!r} is no function; write @task(name={thing!r}) for a name")
    if not callable(thing):
        raise DeclarationError(f"{thing!r} is no function; write @task, or @task(priority=1), above one")
    name = getattr(thing, "__qualname__", repr(thing))
    if inspect.isclass(thing):
        raise DeclarationError(f"{name} is a class; a handler is a function")
    if inspect.isgeneratorfunction(thing) or inspect.isasyncgenfunction(thing):
        raise DeclarationError(f"{name} is a generator, and what it gives is not JSON; return a list")
    if _is_method(thing):
        raise DeclarationError(
            f"{name} is a method, and no node has its object; declare a function, or a static method"
        )
    return thing


def _own_name(function: Callable[..., object]) -> str:
    name: str = getattr(function, "__name__", "")
    if name in {"", "<lambda>"}:
        raise DeclarationError(f"{function!r} has no name of its own; give one: task(name='…')(…)")
    return name


def _is_method(function: Callable[..., object]) -> bool:
    """Tell whether a function stands in the body of a class and wants its object first."""
    scope, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    first = next(iter(inspect.signature(function).parameters), "")
    return bool(scope) and not scope.endswith("<locals>") and first in {"self", "cls"}


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    name: str | None = None,
    isolation: Isolation = "thread",
    priority: int = 0,
    requires: Mapping[str, str] = ...,
    node: str | None = None,
    delay_s: float = 0.0,
    not_before: datetime | float | None = None,
    deadline: datetime | float | None = None,
    retry: Retry | None = None,
    timeout_s: float | None = None,
    lease_s: float | None = None,
    on_lost: Literal["retry", "fail"] = "retry",
    concurrency_key: str | None = None,
    concurrency_limit: int = 1,
    idempotency_key: str | None = None,
    labels: Mapping[str, str] = ...,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    isolation: Isolation = "thread",
    **options: Any,
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Declare a function as a task. The function stays callable.

    Args:
        function: an ``async def``, or a plain function; its parameters can be filled by name.
        name: what nodes and clients call it; the function's name unless given.
        isolation: for plain functions. `thread`: cheap, cannot be stopped from outside. `process`: a child process that
            is killed at its timeout, on cancel, or when the lease ends; the function must stand at the top of a module.
        **options: how it is run unless a submit says otherwise, see `moorline.Options`.

    Raises:
        DeclarationError: an option is unknown or refused, or the function cannot be a handler.
    """
    defaults = Options().changed(**options)

    def declare(handler: Callable[P, R]) -> Task[P, R]:
        return Task(handler, name=name, isolation=isolation, defaults=defaults)

    return declare if function is None else declare(function)
