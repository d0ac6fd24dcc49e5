"""What a measurement may be told: a frozen dataclass of settings, and the command line that is made of it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from benchmarks.claim import Claim, print_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

S = TypeVar("S", bound="DataclassInstance")
T = TypeVar("T")


def setting(default: T, meaning: str) -> T:
    """Make a field of a settings dataclass that is an option of the command as well. A tuple is a repeated option."""
    return field(default=default, metadata={"help": meaning})


def command(settings: type[S], measure: Callable[[S], Claim], summary: str) -> click.Command:
    """Make the command that measures with the settings of its options, and prints the claim as one JSON object."""

    def run(**options: Any) -> None:
        end_on_sigterm()
        print_json(measure(settings(**options)).as_json())

    return click.Command("measure", params=[_option(item) for item in fields(settings)], callback=run, help=summary)


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: with its hubs, nodes and folders."""

    def end(_number: int, _frame: FrameType | None) -> None:
        # What a shell reports for a process that SIGTERM ended.
        sys.exit(143)

    signal.signal(signal.SIGTERM, end)


def _option(item: Field[Any]) -> click.Option:
    if item.default is MISSING:
        raise TypeError(f"the setting {item.name} has no default")
    is_tuple = isinstance(item.default, tuple)
    return click.Option(
        [f"--{item.name.replace('_', '-')}", item.name],
        default=item.default,
        type=type(item.default[0] if is_tuple else item.default),
        multiple=is_tuple,
        show_default=True,
        help=item.metadata["help"],
    )
