"""Query parameters in: each declared once, for the parser and for the OpenAPI document.

An unknown or repeated parameter is refused: a filter that was misspelt must not quietly select everything.
"""

from __future__ import annotations

from typing import Final, get_args

from aiohttp import web
from msgspec import Struct

from hub.alerts.paging import STATES
from hub.decisions.filter_terms import NODE_FIELDS, TASK_FIELDS
from hub.decisions.lifecycle import TaskState
from hub.events.filter import EventFilter
from hub.http.decoding import AT_MAX
from hub.http.parameters import (
    IDENTIFIER,
    IDS_MAX,
    ORIGIN,
    Parameter,
    filter_parameter,
    list_of,
    read_filter,
    read_identifier,
    read_identifiers,
    read_integer,
    read_label,
    read_number,
    read_query,
    read_text,
    read_time,
    read_word,
    read_words,
)
from hub.store.node_views import NODES_MAX, NodeQuery, NodeSort
from hub.store.task_views import TaskFilter
from protocol.limits import NAME_CHARACTERS_MAX

TASKS_PER_PAGE: Final = 50
TASKS_PER_PAGE_MAX: Final = 1_000
NODES_PER_PAGE_MAX: Final = 1_000

NODE_SORTS: Final[tuple[NodeSort, ...]] = get_args(NodeSort)

# Long enough that waiting costs little, short enough for the proxies on the way (60 s by default in most).
WAIT_S_MAX: Final = 60.0

EVENT_ID_MAX: Final = 2**63 - 1

EVENT_KINDS: Final = (
    *("task", *(f"task.{state}" for state in TaskState), "task.progress", "task.log"),
    *("node", "node.online", "node.draining", "node.unreachable", "node.gone", "node.cordoned", "node.uncordoned"),
    *("alert", "alert.firing", "alert.resolved"),
    *("hub", "hub.pulse"),
)


TASK_LIST: Final = (
    filter_parameter("Tasks that meet this filter, such as `state=failed age>5m`: docs/reference/filters.md."),
    Parameter(name="state", schema=list_of([*TaskState]), about="States, separated by commas."),
    Parameter(name="name", schema=IDENTIFIER, about="Tasks of this name."),
    Parameter(name="node", schema=IDENTIFIER, about="Tasks whose newest attempt is, or was, on this node."),
    Parameter(
        name="label",
        schema={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}=.{0,256}$"},
        about="Tasks with this label: `key=value`.",
    ),
    Parameter(
        name="since",
        schema={
            "anyOf": [{"type": "number", "minimum": 0, "maximum": AT_MAX}, {"type": "string", "format": "date-time"}]
        },
        about="Tasks submitted at this time or after: seconds since 1970 or RFC 3339.",
    ),
    Parameter(name="group", schema=IDENTIFIER, about="Tasks of this broadcast."),
    Parameter(name="origin", schema=ORIGIN, about="Tasks of this submitter."),
    Parameter(
        name="id",
        schema={"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.:@,-]*$"},
        about=f"Tasks with these ids, separated by commas; at most {IDS_MAX}.",
    ),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 1, "maximum": TASKS_PER_PAGE_MAX, "default": TASKS_PER_PAGE},
        about="Tasks on a page; with `id` as many as were asked for.",
    ),
    Parameter(name="cursor", schema={"type": "string"}, about="Where an earlier page ended, as that page said."),
)

NODE_LIST: Final = (
    filter_parameter("Nodes that meet this filter, such as `state=online free>0`: docs/reference/filters.md."),
    Parameter(
        name="sort",
        schema={"type": "string", "pattern": f"^-?({'|'.join(NODE_SORTS)})$", "default": "id"},
        about="The order; with a minus in front the other way round. Nodes of which nothing is known come last.",
    ),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 1, "maximum": NODES_PER_PAGE_MAX},
        about="Nodes on a page; without it, all.",
    ),
    Parameter(name="cursor", schema={"type": "string"}, about="Where an earlier page ended, as that page said."),
)

# The pages of an API of which nobody reads ten thousand lines.
ALERTS_PER_PAGE: Final = 500
ALERTS_PER_PAGE_MAX: Final = 1_000

ALERT_LIST: Final = (
    Parameter(name="state", schema=list_of(STATES), about="States, separated by commas."),
    Parameter(
        name="limit",
        schema={"type": "integer", "minimum": 1, "maximum": ALERTS_PER_PAGE_MAX, "default": ALERTS_PER_PAGE},
        about="Alerts on a page.",
    ),
    Parameter(name="cursor", schema={"type": "string"}, about="Where an earlier page ended, as that page said."),
)

WAIT: Final = (
    Parameter(
        name="wait",
        schema={"type": "number", "minimum": 0, "maximum": WAIT_S_MAX},
        about="Answer when the task is final, or after so many seconds as it is then.",
    ),
)

EVENT_LIST: Final = (
    Parameter(name="kind", schema=list_of(EVENT_KINDS), about="Kinds or their first word, separated by commas."),
    Parameter(name="origin", schema=ORIGIN, about="Events of tasks of this submitter."),
    Parameter(name="task", schema=IDENTIFIER, about="Events of this task."),
    Parameter(name="node", schema=IDENTIFIER, about="Events of this node, and of tasks on it."),
    Parameter(name="name", schema=IDENTIFIER, about="Events of tasks of this name."),
    Parameter(name="group", schema=IDENTIFIER, about="Events of tasks of this broadcast."),
    Parameter(
        name="last_event_id",
        schema={"type": "integer", "minimum": 0, "maximum": EVENT_ID_MAX},
        about="Go on behind this event; the header `Last-Event-ID` does the same and goes before.",
    ),
)


class TaskListQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/tasks` was asked for."""

    chosen: TaskFilter
    limit: int
    cursor: str | None


def task_list_query(request: web.Request, wall_s: float) -> TaskListQuery:
    """Read the query of `GET /v1/tasks`, asked at this time. Raises InvalidQueryError."""
    said = read_query(request, TASK_LIST)
    ids = read_identifiers("id", said.get("id", ""))
    chosen = TaskFilter(
        ids=ids,
        states=[TaskState(state) for state in read_words("state", said.get("state", ""), [*TaskState])],
        name=read_identifier("name", said),
        node=read_identifier("node", said),
        group=read_identifier("group", said),
        origin=read_text("origin", said, NAME_CHARACTERS_MAX),
        label=read_label(said.get("label")),
        since=read_time("since", said.get("since")),
        terms=read_filter(said.get("filter", ""), TASK_FIELDS),
        at=wall_s,
    )
    usual = min(max(TASKS_PER_PAGE, len(ids)), TASKS_PER_PAGE_MAX)
    limit = read_integer("limit", said.get("limit"), 1, TASKS_PER_PAGE_MAX)
    return TaskListQuery(chosen=chosen, limit=usual if limit is None else limit, cursor=said.get("cursor"))


def node_list_query(request: web.Request, wall_s: float) -> NodeQuery:
    """Read the query of `GET /v1/nodes`, asked at this time; live facts are still to be put in. Raises
    InvalidQueryError.
    """
    said = read_query(request, NODE_LIST)
    sort = said.get("sort", "id")
    limit = read_integer("limit", said.get("limit"), 1, NODES_PER_PAGE_MAX)
    return NodeQuery(
        terms=read_filter(said.get("filter", ""), NODE_FIELDS),
        at=wall_s,
        sort=read_word("sort", sort.removeprefix("-"), NODE_SORTS),
        is_descending=sort.startswith("-"),
        limit=NODES_MAX if limit is None else limit,
        cursor=said.get("cursor"),
    )


class AlertListQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/alerts` was asked for. ``states``: none means any."""

    states: list[str]
    limit: int
    cursor: str | None


def alert_list_query(request: web.Request) -> AlertListQuery:
    """Read the query of `GET /v1/alerts`. Raises InvalidQueryError."""
    said = read_query(request, ALERT_LIST)
    limit = read_integer("limit", said.get("limit"), 1, ALERTS_PER_PAGE_MAX)
    return AlertListQuery(
        states=read_words("state", said.get("state", ""), STATES),
        limit=ALERTS_PER_PAGE if limit is None else limit,
        cursor=said.get("cursor"),
    )


def wait_query(request: web.Request) -> float:
    """Read for how many seconds to wait; 0: not at all. Raises InvalidQueryError."""
    said = read_query(request, WAIT) if request.query_string else {}
    return 0.0 if "wait" not in said else read_number("wait", said["wait"], 0, WAIT_S_MAX)


class EventQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/events` was asked for. ``last_event_id``: go on behind it; None: from now on."""

    wanted: EventFilter
    last_event_id: int | None


def event_query(request: web.Request) -> EventQuery:
    """Read the query of `GET /v1/events`. Raises InvalidQueryError."""
    said = read_query(request, EVENT_LIST)
    wanted = EventFilter(
        kinds=tuple(read_words("kind", said.get("kind", ""), EVENT_KINDS)),
        origin=read_text("origin", said, NAME_CHARACTERS_MAX),
        task=read_identifier("task", said),
        node=read_identifier("node", said),
        name=read_identifier("name", said),
        group=read_identifier("group", said),
    )
    # The header is what a browser sends by itself when it reconnects, so it is newer than what stands in the address.
    last = request.headers.get("Last-Event-ID") or said.get("last_event_id")
    return EventQuery(wanted=wanted, last_event_id=read_integer("last_event_id", last, 0, EVENT_ID_MAX))
