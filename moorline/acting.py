"""Do one thing to each of those that were named, say in which state they are then, and what came in between."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from moorline.errors import ConflictError, HubError, NotFoundError
from moorline.failures import CommandError, ExitCode, explain
from moorline.presentation import Styled, coloured, print_columns, print_document, say

if TYPE_CHECKING:
    from moorline.views import NodeView, TaskView


T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Acted(Generic[T]):
    """What became of it: ``done`` as they are then, and what the hub did not do, in the order of the ids.

    ``left`` were not tried, because the last failure was one that each of them would have met.
    """

    done: list[T] = field(default_factory=list)
    failures: list[tuple[str, HubError]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


async def each(act: Callable[[str], Awaitable[T]], ids: Sequence[str]) -> Acted[T]:
    """Act one by one. One that is not there, or in another state, is no reason to leave out the others; a hub that is
    away, or that does not allow it, is.
    """
    acted: Acted[T] = Acted()
    waiting = list(dict.fromkeys(ids))
    while waiting:
        one = waiting.pop(0)
        try:
            acted.done.append(await act(one))
        except (NotFoundError, ConflictError) as error:
            acted.failures.append((one, error))
        except HubError as error:
            acted.failures.append((one, error))
            acted.left = waiting
            break
    return acted


def show(acted: Acted[TaskView] | Acted[NodeView], key: str, url: str, *, as_json: bool) -> None:
    """Print the states, a line each, or all as one document under ``key``; on stderr what could not be done.

    Ends the command with the status of the first failure, if there is one.
    """
    errors = [(one, explain(error, url)) for one, error in acted.failures]
    if as_json:
        failed = [{"id": one, "message": error.message} for one, error in errors]
        print_document({key: acted.done, "failed": failed, "left": acted.left})
    else:
        _show_states(acted.done)
    for _, error in errors:
        error.show()
    if acted.left:
        say(f"Not tried: {', '.join(acted.left)}")
    if errors:
        raise click.exceptions.Exit(errors[0][1].exit_code)


def _show_states(views: Sequence[TaskView] | Sequence[NodeView]) -> None:
    width = max((len(view.id) for view in views), default=0)
    for view in views:
        cordoned = getattr(view, "cordoned", False)
        state = Styled(f"{view.state}, cordoned", "yellow") if cordoned else coloured(view.state)
        print_columns([(view.id, width), (state, 0)])


def print_ids(views: Sequence[TaskView] | Sequence[NodeView]) -> None:
    """Print the ids, a line each and nothing else, for the next command."""
    for view in views:
        click.echo(view.id)


def make_sure(ready: str) -> None:
    """Ask a person whether what is ``ready`` is meant.

    Raises:
        CommandError: nobody can be asked, or the answer is no.
    """
    if not sys.stdin.isatty():
        message = f"{ready}; nothing was done, since nobody can be asked"
        raise CommandError(message, remedy="Add --yes if that is meant.", exit_code=ExitCode.USAGE)
    if not click.confirm(f"{ready}. Go on?", err=True):
        raise CommandError("nothing was done")
