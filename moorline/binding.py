"""From a call's arguments to a payload, and from a payload to a handler's arguments.

A payload is a JSON object of named parameters. A parameter that is annotated `Context` is the node's to fill and never
part of it. What can be known of a function is worked out once, when it is declared.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from moorline.context import Context
from moorline.errors import DeclarationError, MoorlineError
from moorline.options import OPTION_NAMES

if TYPE_CHECKING:
    from moorline.task import Task

_POSITIONAL = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class BadArgumentsError(MoorlineError, TypeError):
    """Arguments do not fit a handler; the message shows its signature. No retry can help."""


class Signature:
    """The parameters of a handler.

    Raises:
        DeclarationError: parameters that a JSON object cannot fill.
    """

    __slots__ = ("_allowed", "_context_name", "_names", "_required", "_takes_any", "text")

    def __init__(self, function: Callable[..., object], name: str) -> None:
        signature = inspect.signature(function)
        context_names = _context_parameters(function, signature)
        parameters = signature.parameters.values()
        for parameter in parameters:
            if parameter.kind in {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL}:
                raise DeclarationError(
                    f"task {name}: parameter {parameter} cannot be filled by name; a payload is an object of names"
                )
        if len(context_names) > 1:
            raise DeclarationError(f"task {name} has {len(context_names)} parameters of type Context; one is enough")
        self._context_name = context_names[0] if context_names else None
        named = [item for item in parameters if item.kind in _POSITIONAL and item.name not in context_names]
        self._names = [item.name for item in named if item.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        self._allowed = frozenset(item.name for item in named)
        self._required = frozenset(item.name for item in named if item.default is inspect.Parameter.empty)
        self._takes_any = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters)
        shown = [item for item in parameters if item.name not in context_names]
        self.text: str = f"{name}{signature.replace(parameters=shown, return_annotation=inspect.Signature.empty)}"

    def check(self, names: Mapping[str, object]) -> None:
        """Raise BadArgumentsError unless these are arguments for it."""
        given = names.keys()
        missing = self._required - given
        if missing:
            raise BadArgumentsError(f"missing {', '.join(sorted(missing))}; the handler is {self.text}")
        if not self._takes_any and not given <= self._allowed:
            extra = sorted(given - self._allowed)
            raise BadArgumentsError(f"unexpected {', '.join(extra)}; the handler is {self.text}{_remedy(extra)}")
        if self._context_name is not None and self._context_name in given:
            raise BadArgumentsError(f"{self._context_name} is filled by the node; the handler is {self.text}")

    def arguments(self, payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Give the keyword arguments for a call. Raises BadArgumentsError."""
        if payload.keys() != self._allowed:
            self.check(payload)
        arguments = dict(payload)
        if self._context_name is not None:
            arguments[self._context_name] = context
        return arguments

    def payload(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give the payload of a call, positional arguments bound by name. Raises BadArgumentsError."""
        if len(args) > len(self._names):
            raise BadArgumentsError(f"{len(args)} positional arguments are too many; the handler is {self.text}")
        payload = dict(zip(self._names, args, strict=False))
        twice = payload.keys() & kwargs.keys()
        if twice:
            raise BadArgumentsError(f"{', '.join(sorted(twice))} given twice; the handler is {self.text}")
        payload.update(kwargs)
        if payload.keys() != self._allowed:
            self.check(payload)
        return payload


def _remedy(unexpected: list[str]) -> str:
    """Say where an option belongs that was given as if it were an argument."""
    options = [name for name in unexpected if name in OPTION_NAMES]
    if not options:
        return ""
    return f"; {options[0]} is an option of the task, not an argument: submit(task.options({options[0]}=…), …)"


def bind(task: Task[..., Any], payload: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Give the keyword arguments with which the task's function is called.

    Raises:
        BadArgumentsError: the payload has other names than the function; the message shows its signature.
    """
    return task.signature.arguments(payload, context)


def payload_of(task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give the payload for calling the task with these arguments. Raises BadArgumentsError."""
    return task.signature.payload(args, kwargs)


def _context_parameters(function: Callable[..., object], signature: inspect.Signature) -> list[str]:
    """Find the parameters that are annotated `Context`, also where annotations are texts."""
    try:
        hints: Mapping[str, object] = typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        # Some other annotation names what cannot be found at run time; ours can still be told by its text.
        hints = {}
    found = []
    for name, parameter in signature.parameters.items():
        hint = hints.get(name, parameter.annotation)
        if hint is Context or (isinstance(hint, str) and hint.rpartition(".")[2] == "Context"):
            found.append(name)
    return found
