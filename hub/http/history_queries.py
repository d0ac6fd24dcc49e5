"""Query parameters of the routes about the past."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from hub.decisions.samples import ROLLED_STEP_S, STEP_S
from hub.http.decoding import AT_MAX
from hub.http.errors import InvalidQueryError
from hub.http.parameters import Parameter, read_integer, read_query, read_time

# Of an audit log, or a list of errors: lines of some 200 bytes.
LINES_PER_PAGE: Final = 100
LINES_PER_PAGE_MAX: Final = 1_000

LINE_ID_MAX: Final = 2**63 - 1

_TIME: Final = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": AT_MAX}, {"type": "string", "format": "date-time"}]
}
_LIMIT: Final[dict[str, Any]] = {
    "type": "integer",
    "minimum": 1,
    "maximum": LINES_PER_PAGE_MAX,
    "default": LINES_PER_PAGE,
}

HISTORY: Final = (
    Parameter(name="since", schema=_TIME, about="Steps that ended after this time; without it, all that are kept."),
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

GROUPS: Final = (Parameter(name="limit", schema=_LIMIT, about="At most so many groups."),)

AUDIT: Final = (
    Parameter(name="limit", schema=_LIMIT, about="Lines on a page."),
    Parameter(
        name="cursor",
        schema={"type": "string", "pattern": "^[0-9]{1,18}$"},
        about="Where an earlier page ended, as that page said.",
    ),
)


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/history` was asked for."""

    step_s: int
    since: float
    until: float


def history_query(request: web.Request, now_s: float) -> HistoryQuery:
    """Read the query of `GET /v1/history`. Raises InvalidQueryError."""
    said = read_query(request, HISTORY)
    steps = {str(STEP_S): STEP_S, str(ROLLED_STEP_S): ROLLED_STEP_S}
    text = said.get("step", str(STEP_S))
    if text not in steps:
        raise InvalidQueryError(f"step is {text[:40]!r}", f"one of {', '.join(steps)}")
    since, until = read_time("since", said.get("since")), read_time("until", said.get("until"))
    return HistoryQuery(
        step_s=steps[text], since=0.0 if since is None else since, until=now_s if until is None else until
    )


def since_query(request: web.Request, usual: float) -> float:
    """Read since when something was asked for; ``usual`` if nothing is said. Raises InvalidQueryError."""
    since = read_time("since", read_query(request, SINCE).get("since"))
    return usual if since is None else since


def groups_query(request: web.Request) -> int:
    """Read how many groups `GET /v1/errors` was asked for. Raises InvalidQueryError."""
    return _limit(read_query(request, GROUPS).get("limit"))


class AuditQuery(Struct, frozen=True, kw_only=True):
    """What `GET /v1/audit` was asked for."""

    limit: int
    before_id: int


def audit_query(request: web.Request) -> AuditQuery:
    """Read the query of `GET /v1/audit`. Raises InvalidQueryError."""
    said = read_query(request, AUDIT)
    before_id = read_integer("cursor", said.get("cursor"), 0, LINE_ID_MAX)
    return AuditQuery(limit=_limit(said.get("limit")), before_id=LINE_ID_MAX if before_id is None else before_id)


def _limit(text: str | None) -> int:
    limit = read_integer("limit", text, 1, LINES_PER_PAGE_MAX)
    return LINES_PER_PAGE if limit is None else limit
