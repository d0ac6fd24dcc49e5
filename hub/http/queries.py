"""Query parameters in: each declared once, for the parser and for the OpenAPI document.

An unknown or repeated parameter is refused: a filter that was misspelt must not quietly select everything.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from hub.events import EventFilter
from hub.http.decoding import AT_MAX
from hub.http.errors import InvalidQueryError
from hub.http.faults import IDENTIFIER_WORDS, QUOTED_CHARACTERS_MAX, TIME_WORDS, did_you_mean
from hub.lifecycle import TaskState
from hub.samples import ROLLED_STEP_S, STEP_S
from hub.store.contract import TaskFilter
from protocol.limits import IDENTIFIER_PATTERN, LABEL_CHARACTERS_MAX, NAME_CHARACTERS_MAX, is_identifier

TASKS_PER_PAGE: Final = 50
TASKS_PER_PAGE_MAX: Final = 1_000

# So many ids of 26 characters fit the longest line of a request (hub/http/server.py).
IDS_MAX: Final = 500

# Long enough that waiting costs little, short enough for the proxies on the way (60 s by default in most).
WAIT_S_MAX: Final = 60.0

EVENT_ID_MAX: Final = 2**63 - 1

EVENT_KINDS: Final = (
    *("task", *(f"task.{state}" for state in TaskState), "task.progress", "task.log"),
    *("node", "node.online", "node.draining", "node.unreachable", "node.gone", "node.cordoned", "node.uncordoned"),
    *("alert", "alert.firing", "alert.resolved"),
    *("hub", "hub.pulse"),
)


class Parameter(Struct, frozen=True, kw_only=True):
    """A query parameter: its name, its JSON Schema, and a line about it."""

    name: str
    schema: Mapping[str, Any]
    about: str


_IDENTIFIER: Final = {"type": "string", "pattern": IDENTIFIER_PATTERN}
_ORIGIN: Final = {"type": "string", "maxLength": NAME_CHARACTERS_MAX}


def _list_of(words: Collection[str]) -> Mapping[str, Any]:
    choice = "|".join(word.replace(".", r"\.") for word in words)
    return {"type": "string", "pattern": f"^({choice})(,({choice}))*$"}


TASK_LIST: Final = (
    Parameter(name="state", schema=_list_of([*TaskState]), about="States, separated by commas."),
    Parameter(name="name", schema=_IDENTIFIER, about="Tasks of this name."),
    Parameter(name="node", schema=_IDENTIFIER, about="Tasks whose newest attempt is, or was, on this node."),
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
    Parameter(name="group", schema=_IDENTIFIER, about="Tasks of this broadcast."),
    Parameter(name="origin", schema=_ORIGIN, about="Tasks of this submitter."),
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

WAIT: Final = (
    Parameter(
        name="wait",
        schema={"type": "number", "minimum": 0, "maximum": WAIT_S_MAX},
        about="Answer when the task is final, or after so many seconds as it is then.",
    ),
)

EVENT_LIST: Final = (
    Parameter(name="kind", schema=_list_of(EVENT_KINDS), about="Kinds or their first word, separated by commas."),
    Parameter(name="origin", schema=_ORIGIN, about="Events of tasks of this submitter."),
    Parameter(name="task", schema=_IDENTIFIER, about="Events of this task."),
    Parameter(name="node", schema=_IDENTIFIER, about="Events of this node, and of tasks on it."),
    Parameter(name="name", schema=_IDENTIFIER, about="Events of tasks of this name."),
    Parameter(name="group", schema=_IDENTIFIER, about="Events of tasks of this broadcast."),
    Parameter(
        name="last_event_id",
        schema={"type": "integer", "minimum": 0, "maximum": EVENT_ID_MAX},
        about="Go on behind this event; the header `Last-Event-ID` does the same and goes before.",
    ),
)


_TIME: Final = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": AT_MAX}, {"type": "string", "format": "date-time"}]
}

HISTORY: Final = (
    Parameter(
        name="since", schema=_TIME, about="Steps that ended after this time; without it, the whole span of the step."
    ),
    Parameter(name="until", schema=_TIME, about="Steps that ended at this time or before; without it, up to now."),
    Parameter(
        name="step",
        schema={"type": "integer", "enum": [STEP_S, ROLLED_STEP_S], "default": STEP_S},
        about=f"Seconds of a step: {STEP_S} for the last two hours, {ROLLED_STEP_S} for the last 30 days.",
    ),
)

SINCE: Final = (
    Parameter(name="since", schema=_TIME, about="What had not ended at this time; without it, the last 24 hours."),
)


class TaskListQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/tasks` was asked for."""

    chosen: TaskFilter
    limit: int
    cursor: str | None


def task_list_query(request: web.Request) -> TaskListQuery:
    """Read the query of `GET /v1/tasks`. Raises InvalidQueryError."""
    said = _read(request, TASK_LIST)
    ids = _identifiers("id", said.get("id", ""))
    chosen = TaskFilter(
        ids=ids,
        states=[TaskState(state) for state in _words("state", said.get("state", ""), [*TaskState])],
        name=_identifier("name", said),
        node=_identifier("node", said),
        group=_identifier("group", said),
        origin=_text("origin", said, NAME_CHARACTERS_MAX),
        label=_label(said.get("label")),
        since=_time("since", said.get("since")),
    )
    usual = min(max(TASKS_PER_PAGE, len(ids)), TASKS_PER_PAGE_MAX)
    limit = _integer("limit", said.get("limit"), 1, TASKS_PER_PAGE_MAX)
    return TaskListQuery(chosen=chosen, limit=usual if limit is None else limit, cursor=said.get("cursor"))


def wait_query(request: web.Request) -> float:
    """Read for how many seconds to wait; 0: not at all. Raises InvalidQueryError."""
    said = _read(request, WAIT) if request.query_string else {}
    return 0.0 if "wait" not in said else _number("wait", said["wait"], 0, WAIT_S_MAX)


class EventQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/events` was asked for. ``last_event_id``: go on behind it; None: from now on."""

    wanted: EventFilter
    last_event_id: int | None


def event_query(request: web.Request) -> EventQuery:
    """Read the query of `GET /v1/events`. Raises InvalidQueryError."""
    said = _read(request, EVENT_LIST)
    wanted = EventFilter(
        kinds=tuple(_words("kind", said.get("kind", ""), EVENT_KINDS)),
        origin=_text("origin", said, NAME_CHARACTERS_MAX),
        task=_identifier("task", said),
        node=_identifier("node", said),
        name=_identifier("name", said),
        group=_identifier("group", said),
    )
    # The header is what a browser sends by itself when it reconnects, so it is newer than what stands in the address.
    last = request.headers.get("Last-Event-ID") or said.get("last_event_id")
    return EventQuery(wanted=wanted, last_event_id=_integer("last_event_id", last, 0, EVENT_ID_MAX))


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/history` was asked for."""

    step_s: int
    since: float
    until: float


def history_query(request: web.Request, now_s: float) -> HistoryQuery:
    """Read the query of `GET /v1/history`. Raises InvalidQueryError."""
    said = _read(request, HISTORY)
    steps = {str(STEP_S): STEP_S, str(ROLLED_STEP_S): ROLLED_STEP_S}
    text = said.get("step", str(STEP_S))
    if text not in steps:
        raise InvalidQueryError(f"step is {_shown(text)}", f"one of {', '.join(steps)}")
    since, until = _time("since", said.get("since")), _time("until", said.get("until"))
    return HistoryQuery(
        step_s=steps[text], since=0.0 if since is None else since, until=now_s if until is None else until
    )


def since_query(request: web.Request, usual: float) -> float:
    """Read since when something was asked for; ``usual`` if nothing is said. Raises InvalidQueryError."""
    since = _time("since", _read(request, SINCE).get("since"))
    return usual if since is None else since


# --- one value ------------------------------------------------------------------------------------------------------


def _read(request: web.Request, allowed: Sequence[Parameter]) -> dict[str, str]:
    said: dict[str, str] = {}
    known = [parameter.name for parameter in allowed]
    for name, value in request.query.items():
        if name not in known:
            raise InvalidQueryError(f"parameter {_shown(name)} is unknown", did_you_mean(name, known))
        if name in said:
            raise InvalidQueryError(f"parameter {name} is given twice", "give it once, with commas if it is a list")
        said[name] = value
    return said


def _words(name: str, text: str, allowed: Collection[str]) -> list[str]:
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in allowed:
            raise InvalidQueryError(f"{name} is {_shown(word)}", did_you_mean(word, list(allowed)))
    return words


def _identifiers(name: str, text: str) -> list[str]:
    found = [word for word in text.split(",") if word]
    if len(found) > IDS_MAX:
        raise InvalidQueryError(f"{name} names {len(found)} tasks", f"at most {IDS_MAX} at once")
    for word in found:
        if not is_identifier(word):
            raise InvalidQueryError(f"{name} is {_shown(word)}", IDENTIFIER_WORDS)
    return found


def _identifier(name: str, said: Mapping[str, str]) -> str:
    text = said.get(name, "")
    if text and not is_identifier(text):
        raise InvalidQueryError(f"{name} is {_shown(text)}", IDENTIFIER_WORDS)
    return text


def _text(name: str, said: Mapping[str, str], characters_max: int) -> str:
    text = said.get(name, "")
    if len(text) > characters_max:
        raise InvalidQueryError(f"{name} has {len(text)} characters", f"at most {characters_max}")
    return text


def _label(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    key, equals, value = text.partition("=")
    if not equals or not is_identifier(key) or len(value) > LABEL_CHARACTERS_MAX:
        raise InvalidQueryError(f"label is {_shown(text)}", "key=value, such as site=berlin")
    return key, value


def _number(name: str, text: str, low: float, high: float) -> float:
    number = _as_float(text)
    if number is None or not low <= number <= high:
        raise InvalidQueryError(f"{name} is {_shown(text)}", f"a number from {low:g} to {high:g}")
    return number


def _as_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _integer(name: str, text: str | None, low: int, high: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > len(str(high)) or not low <= int(text) <= high:
        raise InvalidQueryError(f"{name} is {_shown(text)}", f"an integer from {low} to {high}")
    return int(text)


def _time(name: str, text: str | None) -> float | None:
    if text is None:
        return None
    at = _as_float(text)
    if at is None:
        try:
            # A plus that was not escaped arrives as a space.
            moment = datetime.fromisoformat(text.replace(" ", "+"))
        except ValueError:
            moment = None
        at = moment.timestamp() if moment is not None and moment.tzinfo is not None else None
    if at is None or not 0 <= at <= AT_MAX:
        raise InvalidQueryError(f"{name} is {_shown(text)}", TIME_WORDS)
    return at


def _shown(text: str) -> str:
    return repr(text[:QUOTED_CHARACTERS_MAX])
