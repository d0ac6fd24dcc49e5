"""Follow what a task's handlers log, until it has its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from moorline.errors import HubUnavailableError
from moorline.presentation import say

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.views import LogLine, TaskView

# Lines that came live would be sooner by this and lost with the connection; those that are stored are all there.
EVERY_S: Final = 1.0


async def follow_logs(
    client: Client, task_id: str, show: Callable[[LogLine], None], *, every_s: float = EVERY_S
) -> tuple[TaskView, int]:
    """Show the lines of a task as they come, until it has its outcome; give the task, and how many lines were dropped.

    A hub that goes away is waited for; one that was never there is an error.
    """
    shown, is_away, was_there = 0, False, False
    while True:
        try:
            # In this order: what was logged before the outcome is stored before it.
            view = await client.get(task_id)
            logs = await client.logs(task_id)
        except HubUnavailableError as error:
            if not was_there:
                raise
            if not is_away:
                say(f"{error.message}; it goes on when the hub is back")
            is_away = True
        else:
            is_away, was_there = False, True
            for line in logs.lines[shown:]:
                show(line)
            shown = len(logs.lines)
            if view.is_final:
                return view, logs.dropped
        await asyncio.sleep(every_s)
