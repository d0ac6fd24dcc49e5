"""Does what was confirmed: asks the hub, one thing after the other, and says in a line what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from dashboards.terminal.source import Source
from dashboards.terminal.state import Act, ActOnAll, Count, Intent, State, counted, noted
from moorline.client import Client
from moorline.errors import HubError

# What waits to be done: nobody confirms faster than a hub answers, but one that is away answers nothing.
WAITING_MAX: Final = 16

_DONE: Final = {"drain": "drains", "cancel": "cancelled", "retry": "queued again"}


class Actor:
    """Does things with a hub.

    Args:
        client: the way to it.
        source: is told to read again when something was done.
    """

    def __init__(self, client: Client, source: Source) -> None:
        self._client = client
        self._source = source
        self._waiting: asyncio.Queue[Intent] = asyncio.Queue(WAITING_MAX)
        self._news: list[Callable[[State], State]] = []

    def do(self, intent: Intent) -> None:
        """Do this when what was asked for before is done; if too much waits, say so instead."""
        try:
            self._waiting.put_nowait(intent)
        except asyncio.QueueFull:
            self._tell("the hub has not answered what was asked before; this is not done")

    def noted(self, state: State) -> State:
        """Give the state with what came of things since the last call."""
        news, self._news = self._news, []
        for change in news:
            state = change(state)
        return state

    async def run(self) -> None:
        """Do things until cancelled."""
        while True:
            intent = await self._waiting.get()
            try:
                await self._carry_out(intent)
            except HubError as error:
                self._tell(f"✗ {error}")
            self._source.read_again()

    async def _carry_out(self, intent: Intent) -> None:
        match intent:
            case Act(action, ids):
                for each in ids:
                    self._tell(await self._act(action, each))
            case Count(question) if question.action != "drain":
                found = await self._client.bulk(question.action, question.filter, count_only=True)
                self._change(lambda state: counted(state, question, found.matched))
            case ActOnAll(action, filter_text) if action != "drain":
                await self._act_on_all(action, filter_text)

    async def _act(self, action: str, subject: str) -> str:
        verbs: dict[str, Callable[[str], Awaitable[object]]] = {
            "drain": self._client.drain,
            "cancel": self._client.cancel,
            "retry": self._client.retry,
        }
        await verbs[action](subject)
        return f"✓ {subject} {_DONE[action]}"

    async def _act_on_all(self, action: Literal["cancel", "retry"], filter_text: str) -> None:
        """Act on all that match, as many at once as the hub takes."""
        changed, cursor = 0, None
        while True:
            done = await self._client.bulk(action, filter_text, cursor=cursor)
            changed += done.changed
            self._tell(f"✓ {changed:,} {'task' if changed == 1 else 'tasks'} {_DONE[action]}")
            cursor = done.cursor
            if not done.more or cursor is None:
                return

    def _tell(self, text: str) -> None:
        self._change(lambda state: noted(state, text))

    def _change(self, change: Callable[[State], State]) -> None:
        self._news.append(change)
        self._source.changed.set()
