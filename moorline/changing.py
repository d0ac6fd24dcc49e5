"""Change all tasks that meet a filter, however many, and say so in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from moorline.errors import HubError
from moorline.presentation import say
from moorline.views import Bulk

if TYPE_CHECKING:
    from moorline.client import Client

Action: TypeAlias = Literal["cancel", "retry"]

_DONE: Final[dict[Action, str]] = {"cancel": "cancelled", "retry": "queued again"}


async def change_all(client: Client, action: Action, filter_text: str) -> Bulk:
    """Change them request by request until there are no more; give the sums.

    Where it fails in the middle, what was done is done, and it says how much.
    """
    matched = changed = 0
    cursor: str | None = None
    while True:
        try:
            part = await client.bulk(action, filter_text, cursor=cursor)
        except HubError:
            if changed:
                say(f"{changed} {_tasks(changed)} {_DONE[action]} before this:")
            raise
        matched, changed = matched + part.matched, changed + part.changed
        cursor = part.cursor
        if cursor is None:
            return Bulk(matched=matched, changed=changed)


def ready_words(action: Action, found: Bulk) -> str:
    """Say how many tasks are about to be changed."""
    count = f"{found.matched} or more" if found.more else f"{found.matched}"
    return f"{count} {_tasks(found.matched)} would be {_DONE[action]}"


def done_words(action: Action, done: Bulk) -> str:
    """Say how many tasks were changed, and why not all."""
    if not done.matched:
        return "No task meets this filter and can be changed."
    said = f"{done.changed} {_tasks(done.changed)} {_DONE[action]}"
    left = done.matched - done.changed
    reason = "had their outcome by then" if action == "cancel" else "have not stopped yet, or were queued by then"
    return f"{said}; {left} {reason}" if left else said


def _tasks(count: int) -> str:
    return "task" if count == 1 else "tasks"
