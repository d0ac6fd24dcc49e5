"""Cancel or retry all tasks that meet a filter: page by page, each page one conditional operation of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from hub.decisions.filter_terms import TASK_FIELDS, Term
from hub.decisions.filters import FILTER_CHARACTERS_MAX
from hub.decisions.lifecycle import MOVES, Move, TaskState
from hub.errors import HubDegradedError, HubStoppingError
from hub.http import audit
from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.backend import HubBackend
from hub.http.bodies import JSON, media_type, read_body
from hub.http.errors import BUSY_RETRY_AFTER_S, InvalidQueryError, TooManyConnectionsError
from hub.http.faults import FaultFinder
from hub.http.parameters import invalid_cursor, read_filter
from hub.store.errors import StoreUnavailableError

# Tasks of one operation: its commit takes some milliseconds, and everybody else's turn comes between two.
from hub.store.task_views import TaskFilter, TaskIdPage

# Tasks of one operation: its commit takes some milliseconds, and everybody else's turn comes between two.
CHUNK: Final = 500

# Tasks of one request: two seconds of work. Whoever means more asks again with the cursor.
TASKS_MAX: Final = 10_000

# How long one request goes on looking; below the 30 s that clients and proxies wait for an answer.
WITHIN_S: Final = 15.0

# Requests at once: each keeps the store's reader and writer busy, and people wait for these.
UNDER_WAY_MAX: Final = 4

# The longest filter, each character of it escaped, and the other fields.
BODY_BYTES_MAX: Final = 64 * 1024

CANCEL_REASON: Final = "cancelled through the API, with others that met a filter"

Action: TypeAlias = Literal["cancel", "retry"]

_MOVES: Final[Mapping[Action, Move]] = {"cancel": Move.CANCEL, "retry": Move.REVIVE}


class BulkRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do to all tasks that meet ``filter`` and are in a state that allows it, newest first. ``count_only``: say
    how many there are, and change nothing. ``cursor``: go on where an earlier answer ended.
    """

    action: Action
    filter: Annotated[str, Meta(max_length=FILTER_CHARACTERS_MAX)]
    count_only: bool = False
    limit: Annotated[int, Meta(ge=1, le=TASKS_MAX)] = TASKS_MAX
    cursor: str | None = None


class BulkAnswer(Struct, frozen=True, kw_only=True):
    """How many tasks met the filter, and how many of them were changed. ``more``: there are more, or not all were
    looked at in time; ``cursor`` says where to go on, and is null otherwise.
    """

    matched: int
    changed: int
    more: bool
    cursor: str | None


_decoder = msgspec.json.Decoder(BulkRequest)
_faults = FaultFinder(BulkRequest, "the request", InvalidQueryError)


async def change_tasks(api: Api, request: web.Request) -> web.StreamResponse:
    """Cancel or retry all tasks that meet a filter, up to a limit; or count them.

    Tasks that are submitted meanwhile are left alone, and none is changed twice.
    """
    media_type(request, (JSON,))
    said, terms = _decoded(await read_body(request, BODY_BYTES_MAX))
    if api.bulks_under_way >= UNDER_WAY_MAX:
        message = f"{UNDER_WAY_MAX} of these requests are under way"
        raise TooManyConnectionsError(message, "try again in a second", retry_after_s=BUSY_RETRY_AFTER_S)
    api.bulks_under_way += 1
    try:
        if not said.count_only:
            audit.note(api, request, "task.bulk", detail=f"{said.action} at most {said.limit}: {said.filter}")
        walk = Walk(api.backend, said, terms, api.wall_s())
        return json_answer(await walk.go())
    except ValueError as error:
        raise invalid_cursor(error) from None
    finally:
        api.bulks_under_way -= 1


def _decoded(text: bytes) -> tuple[BulkRequest, tuple[Term, ...]]:
    try:
        said = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _faults.fault(text, error) from None
    terms = read_filter(said.filter, TASK_FIELDS)
    if not terms:
        raise InvalidQueryError("filter is empty", "a filter; age>=0 means every task")
    return said, terms


class Walk:
    """One walk from the newest task that is meant to the oldest, or until limit or time are over.

    Args:
        backend: the hub.
        said: what is asked for.
        terms: its filter.
        at: what the times in the filter are counted back from, on the wall clock.
        now_s: gives the monotonic time; the loop's if it is None.
    """

    def __init__(
        self,
        backend: HubBackend,
        said: BulkRequest,
        terms: Sequence[Term],
        at: float,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self._backend = backend
        self._said = said
        move = _MOVES[said.action]
        states = [state for state in TaskState if (state, move) in MOVES]
        self._chosen = TaskFilter(states=states, terms=terms, at=at)
        self._now_s = now_s or asyncio.get_running_loop().time
        self._until_s = self._now_s() + WITHIN_S
        self._matched = 0
        self._changed = 0

    async def go(self) -> BulkAnswer:
        """Walk, and give what came of it.

        Where the hub stops taking commits in the middle, the answer says what was done and where to go on.

        Raises:
            HubDegradedError, HubStoppingError, StoreUnavailableError: and nothing was changed.
            ValueError: the cursor is none.
        """
        cursor = self._said.cursor
        while self._matched < self._said.limit:
            try:
                page = await self._page(min(CHUNK, self._said.limit - self._matched), cursor)
                if page.ids and not self._said.count_only:
                    self._changed += await self._act(page.ids)
            except (HubDegradedError, HubStoppingError, StoreUnavailableError):
                if self._changed == 0:
                    raise
                return self._answer(cursor)
            self._matched += len(page.ids)
            cursor = page.cursor
            if cursor is None or self._now_s() >= self._until_s:
                return self._answer(cursor)
        return self._answer(await self._place_of_more(cursor))

    async def _place_of_more(self, cursor: str | None) -> str | None:
        """Give the place behind which there is more, or may be; None if there is nothing."""
        while cursor is not None and self._now_s() < self._until_s:
            page = await self._page(1, cursor)
            if page.ids:
                break
            cursor = page.cursor
        return cursor

    def _answer(self, cursor: str | None) -> BulkAnswer:
        return BulkAnswer(matched=self._matched, changed=self._changed, more=cursor is not None, cursor=cursor)

    async def _page(self, limit: int, cursor: str | None) -> TaskIdPage:
        return await self._backend.read(lambda store: store.task_ids(self._chosen, limit, cursor))

    async def _act(self, task_ids: Sequence[str]) -> int:
        """Do it to these tasks; give how many it changed. The store looks at each one's state again."""
        if self._said.action == "cancel":
            return len((await self._backend.cancel(task_ids, CANCEL_REASON)).changed)
        return sum(done for _, _, done in (await self._backend.revive(task_ids)).tasks)
