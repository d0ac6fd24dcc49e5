"""What a client asks a hub, or has it do, in one request each: about tasks, nodes, alerts, the past; and its events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final, Literal

import msgspec

from moorline.api import Api
from moorline.event_stream import EventStream, event_of
from moorline.history_views import Attempt, AuditEntry, ErrorGroup, History, NodeHistory
from moorline.pauses import Pauses
from moorline.queries import query_of, seconds_of
from moorline.transport import Transport
from moorline.views import (
    Alerts,
    Bulk,
    ChannelTest,
    Event,
    Explanation,
    Identity,
    NodeCell,
    NodePage,
    NodeView,
    SilenceView,
    Stats,
    TaskLogs,
    TaskPage,
    TaskView,
)

# Tasks of one `bulk`: what a hub does in one request.
BULK_TASKS_MAX: Final = 10_000

# A page of `list`: large enough that a thousand tasks are a few requests, small enough to answer at once.
TASKS_PER_PAGE: Final = 200

# A page of `audit`: lines are small.
AUDIT_LINES_PER_PAGE: Final = 500

# As many as a hub gives at once: nearly always all of them.
ALERTS_PER_PAGE: Final = 1_000


class HubVerbs:
    """The verbs of `moorline.Client` that need nothing but the hub: no handle, nothing that goes on meanwhile.

    Args:
        transport: the way to the hub.
        request_timeout_s: how long any one request may take.
        stream_pauses: between tries to reach a hub whose events are followed.
    """

    def __init__(self, transport: Transport, *, request_timeout_s: float, stream_pauses: Pauses) -> None:
        self._transport = transport
        self._api = Api(transport, request_timeout_s=request_timeout_s)
        self._stream_pauses = stream_pauses

    # --- look at tasks ------------------------------------------------------------------------------------------------

    async def get(self, task_id: str) -> TaskView:
        """Give a task with its payload, and its value if it has one. Raises NotFoundError."""
        return await self._api.task(task_id)

    async def list(
        self,
        *,
        filter: str = "",  # noqa: A002  # the word of the API
        state: str | Iterable[str] = (),
        name: str | None = None,
        node: str | None = None,
        labels: Mapping[str, str] | None = None,
        since: datetime | float | None = None,
        group: str | None = None,
        origin: str | None = None,
        ids: Iterable[str] = (),
        limit: int | None = None,
    ) -> AsyncGenerator[TaskView, None]:
        """Give tasks, newest first, without payload and value; as many as there are, or ``limit``.

        Args:
            filter: such as ``state=failed name~hash age>5m``: see `docs/reference/filters.md`. It must hold beside all
                that follows.
            state: one or more states.
            name: of this name.
            node: whose newest attempt is on this node.
            labels: with all of these labels.
            since: submitted at this time or later; a number is seconds since 1970.
            group: of this broadcast.
            origin: of this submitter, see `Client.origin`.
            ids: these tasks, at most 500.
            limit: at most so many.

        Raises:
            InvalidTaskError: a filter is none.
        """
        wanted = dict(labels or {})
        # The API takes one label; the others are looked at here.
        label = next((f"{key}={value}" for key, value in wanted.items()), None)
        query = query_of(
            filter=filter, state=state, name=name, node=node, label=label, since=seconds_of(since), group=group,
            origin=origin, id=ids,
        )  # fmt: skip
        left = limit
        while left is None or left > 0:
            size = TASKS_PER_PAGE if left is None else min(left, TASKS_PER_PAGE)
            page = await self._api.tasks({**query, "limit": str(size)})
            matching = [view for view in page.tasks if wanted.items() <= view.labels.items()]
            for view in matching:
                yield view
            if page.cursor is None:
                return
            query["cursor"] = page.cursor
            left = None if left is None else left - len(matching)

    async def task_page(
        self,
        filter: str = "",  # noqa: A002
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Give one page of the tasks that meet a filter, and where the next one begins.

        Raises:
            InvalidTaskError: the filter is none: the message names the place, and what would be right.
        """
        return await self._api.tasks(query_of(filter=filter, limit=str(limit), cursor=cursor))

    async def explain(self, task_id: str) -> Explanation:
        """Give why a task is where it is, node by node. Raises NotFoundError."""
        return await self._api.explain(task_id)

    async def logs(self, task_id: str) -> TaskLogs:
        """Give what the task's handlers logged. Raises NotFoundError."""
        return await self._api.logs(task_id)

    async def attempts(self, task_id: str) -> Sequence[Attempt]:
        """Give the attempts of a task, oldest first; of those that did not succeed the last fifty.

        Raises:
            NotFoundError: there is no such task.
        """
        return await self._api.attempts(task_id)

    async def errors(self, *, limit: int = 100) -> Sequence[ErrorGroup]:
        """Give what goes wrong, errors that are alike as one, last seen first; at most 1,000."""
        return await self._api.errors(limit)

    async def cancel(self, task_id: str) -> TaskView:
        """Cancel a task, and give it as it is then; a final one stays as it is. Raises NotFoundError."""
        return await self._api.cancel(task_id)

    async def retry(self, task_id: str) -> TaskView:
        """Queue a failed, lost, cancelled or expired task again. A handle that has its outcome keeps it; `handle` gives
        one for the next.

        Raises:
            NotFoundError: there is no such task.
            ConflictError: it is in another state.
        """
        return await self._api.retry(task_id)

    async def bulk(
        self,
        action: Literal["cancel", "retry"],
        filter: str,  # noqa: A002
        *,
        count_only: bool = False,
        limit: int = BULK_TASKS_MAX,
        cursor: str | None = None,
    ) -> Bulk:
        """Cancel or retry all tasks that meet a filter and are in a state that allows it, newest first.

        Tasks that are submitted meanwhile are left alone.

        Args:
            action: what to do.
            filter: which tasks; see `docs/reference/filters.md`.
            count_only: change nothing, and say how many there are.
            limit: so many at most, up to 10,000.
            cursor: go on where an earlier call ended; `Bulk.cursor` says where.

        Raises:
            InvalidTaskError: the filter is none: the message names the place, and what would be right.
            HubUnavailableError: whether anything was done is open; the same call again is harmless where it cancels.
        """
        return await self._api.change_tasks(
            {"action": action, "filter": filter, "count_only": count_only, "limit": limit, "cursor": cursor}
        )

    # --- look at the hub ----------------------------------------------------------------------------------------------

    async def nodes(
        self,
        filter: str = "",  # noqa: A002
        *,
        sort: str = "id",
    ) -> Sequence[NodeView]:
        """Give all nodes that the hub knows, or all that meet a filter. Raises as `node_page` does."""
        return (await self._api.nodes(query_of(filter=filter, sort=None if sort == "id" else sort))).nodes

    async def node_page(
        self,
        filter: str = "",  # noqa: A002
        *,
        sort: str = "id",
        limit: int = 100,
        cursor: str | None = None,
    ) -> NodePage:
        """Give one page of nodes, how many match, and where the next page begins.

        Args:
            filter: such as ``state=online free>0``; see `docs/reference/filters.md`.
            sort: a field, such as ``state`` (what needs a look comes first); ``-used``: the other way round.
            limit: so many at most, up to 1,000.
            cursor: where the page before it ended.

        Raises:
            InvalidTaskError: the filter or the order is none: the message says what would be right.
        """
        return await self._api.nodes(query_of(filter=filter, sort=sort, limit=str(limit), cursor=cursor))

    async def slot_map(self) -> Sequence[NodeCell]:
        """Give all nodes in few bytes: state, slots and slots in use, for a picture with a cell for each slot."""
        return await self._api.map()

    async def node(self, node_id: str) -> NodeView:
        """Give a node. Raises NotFoundError."""
        return await self._api.node(node_id)

    async def cordon(self, node_id: str) -> NodeView:
        """Let a node take nothing new. Raises NotFoundError."""
        return await self._api.act_on_node(node_id, "cordon")

    async def uncordon(self, node_id: str) -> NodeView:
        """Let a node take tasks again. Raises NotFoundError."""
        return await self._api.act_on_node(node_id, "uncordon")

    async def drain(self, node_id: str) -> NodeView:
        """Tell a node to finish what it runs and leave. Raises NotFoundError or ConflictError."""
        return await self._api.act_on_node(node_id, "drain")

    async def disconnect(self, node_id: str) -> NodeView:
        """Close a node's connection; it comes back by itself. Raises NotFoundError or ConflictError."""
        return await self._api.act_on_node(node_id, "disconnect")

    async def alerts(self) -> Alerts:
        """Give what fires, what is pending, what is over; silences, rules, and how the channels are."""
        page = await self._api.alerts(query_of(limit=str(ALERTS_PER_PAGE)))
        found = {alert.id: alert for alert in page.alerts}
        while page.cursor is not None:
            page = await self._api.alerts(query_of(limit=str(ALERTS_PER_PAGE), cursor=page.cursor))
            # One that changed meanwhile comes again, as it is now.
            found |= {alert.id: alert for alert in page.alerts}
        return msgspec.structs.replace(page, alerts=list(found.values()))

    async def silence(
        self, *, for_s: float, rule: str | None = None, subject: str | None = None, comment: str = ""
    ) -> SilenceView:
        """Tell nobody of some alerts for a time; what still fires then is told then.

        Args:
            for_s: how long, up to 31 days.
            rule: of this rule; None: of any.
            subject: about this node, task name, …; None: about anything.
            comment: for people: why.

        Raises:
            InvalidTaskError: there is no such rule, or it is too long.
        """
        request = {"for_s": for_s, "rule": rule, "subject": subject, "comment": comment}
        return await self._api.silence({key: value for key, value in request.items() if value is not None})

    async def end_silence(self, silence_id: str) -> SilenceView:
        """End a silence now. Raises NotFoundError."""
        return await self._api.end_silence(silence_id)

    async def test_alerts(self) -> Sequence[ChannelTest]:
        """Send a test through each channel of the hub, and give what came of it."""
        return await self._api.test_alerts()

    async def me(self) -> Identity:
        """Give as whom the hub knows this client: its role, and the name of its token."""
        return await self._api.me()

    async def stats(self) -> Stats:
        """Give the hub's counts."""
        return await self._api.stats()

    async def history(
        self, *, step_s: int = 10, since: datetime | float | None = None, until: datetime | float | None = None
    ) -> History:
        """Give counts, queue age, wait and run times over time, as columns for charts.

        Args:
            step_s: 10 for the last two hours, 300 for the last 30 days.
            since: steps that ended after this time; without it, all that are kept.
            until: steps that ended at this time or before; without it, up to now.

        Raises:
            InvalidTaskError: there are no such steps.
        """
        return await self._api.history(query_of(step=str(step_s), since=seconds_of(since), until=seconds_of(until)))

    async def node_history(self, node_id: str, *, since: datetime | float | None = None) -> NodeHistory:
        """Give when a node was here, when it was not, and why, for the last 24 hours or since a time.

        Raises:
            NotFoundError: there is no such node.
        """
        return await self._api.node_history(node_id, query_of(since=seconds_of(since)))

    async def audit(self, *, limit: int | None = None) -> AsyncGenerator[AuditEntry, None]:
        """Give who did what, newest first; as many lines as there are, or ``limit``.

        Raises:
            ForbiddenError: the token has not the role `admin`.
        """
        query: dict[str, str] = {}
        left = limit
        while left is None or left > 0:
            size = AUDIT_LINES_PER_PAGE if left is None else min(left, AUDIT_LINES_PER_PAGE)
            page = await self._api.audit({**query, "limit": str(size)})
            for entry in page.entries:
                yield entry
            if page.cursor is None:
                return
            query["cursor"] = page.cursor
            left = None if left is None else left - len(page.entries)

    async def events(
        self,
        *,
        kind: str | Iterable[str] = (),
        origin: str | None = None,
        task: str | None = None,
        node: str | None = None,
        name: str | None = None,
        group: str | None = None,
        last_id: int | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Give what happens, for ever, through restarts of the hub; nothing is missed and nothing comes twice.

        An event of kind ``reset`` says that events were missed which the hub no longer keeps: read the state again.

        Args:
            kind: kinds or their first words: ``task``, ``node``, ``task.succeeded``.
            origin: only what this client submitted.
            task: only of the task with this id.
            node: only of this node, and of tasks on it.
            name: only of tasks of this name.
            group: only of this broadcast.
            last_id: begin behind this event; without it, with what happens from now on.

        Raises:
            HubError: the hub will never answer this: UnauthorizedError, a filter that is none.
        """
        chosen = query_of(kind=kind, origin=origin, task=task, node=node, name=name, group=group)
        stream = EventStream(self._transport, chosen, pauses=self._stream_pauses, last_id=last_id)
        async with aclosing(stream.batches()) as batches:
            async for batch in batches:
                for message in batch:
                    event = event_of(message)
                    if event is not None:
                        yield event
