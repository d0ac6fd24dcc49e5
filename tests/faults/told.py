"""What was told about tasks to whoever follows the events, from the hub's first day on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing

from moorline import Client
from moorline.views import FINAL_STATES
from tests.end_to_end.processes import PATIENCE_S


async def final_states(client: Client) -> dict[str, list[str]]:
    """Give the final states that were told of each task, in order: more than one is one too many."""
    last_id = (await client.stats()).last_event_id
    told: dict[str, list[str]] = defaultdict(list)
    async with asyncio.timeout(PATIENCE_S), aclosing(client.events(last_id=0)) as events:
        async for event in events:
            state = event.kind.removeprefix("task.")
            if state in FINAL_STATES:
                told[event.task_id].append(state)
            if event.id is not None and event.id >= last_id:
                break
    return told
