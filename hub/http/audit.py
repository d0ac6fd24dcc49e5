"""Who does what through the API: a line in the audit log before each action, and the handler that shows the log.

A handler that changes something calls `note` right before it asks the hub for the change: the line is put to the store
first, and the store works in order, so that nothing is done without its line. What is done by no operation of the
store, as closing a connection or sending a test, awaits `noted` instead: the line is durable when that returns.

    audit.note(api, request, "node.drain", node_id)
    view = await api.backend.wish(node_id, draining=True)
"""

from __future__ import annotations

from aiohttp import web

from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.history_queries import audit_query
from hub.http.history_views import audit_answer
from hub.http.security import TOKEN_ID
from hub.store.history import Deed
from hub.tokens import Grant

# Who acts where no token is needed: anybody on the hub's machine.
LOCAL = "local"

# What a line keeps of a text that somebody sent.
DETAIL_CHARACTERS_MAX = 500


def note(api: Api, request: web.Request, action: str, target: str = "", detail: str = "") -> None:
    """Put a line into the audit log, before the operation that the caller puts next.

    Args:
        api: what every handler is given.
        request: who asks is taken from it.
        action: a dotted word: ``task.cancel``, ``node.drain``, ``alert.silence``.
        target: the id of what it is done to.
        detail: what else a person wants to know, in a few words.

    Raises:
        HubDegradedError: the store takes no commits; so the action is not to be done either.
        HubStoppingError: the hub is on its way down.
    """
    api.backend.note(deed_of(api, request, action, target, detail))


async def noted(api: Api, request: web.Request, action: str, target: str = "", detail: str = "") -> None:
    """Put a line into the audit log; returns after its commit. Arguments and errors as of `note`."""
    await api.backend.noted(deed_of(api, request, action, target, detail))


def deed_of(
    api: Api, request: web.Request, action: str, target: str = "", detail: str = "", *, grant: Grant | None = None
) -> Deed:
    """Give the line about what a request does. ``grant``: of whom, if its headers do not say so yet, as at a login."""
    if grant is None and api.door.has_tokens:
        grant = api.door.visitor(request)
    if grant is not None:
        who, role = (f"{grant.name} ({grant.token_id})" if grant.name else grant.token_id), str(grant.role)
    elif api.door.has_tokens:
        # The token was revoked since it was let in.
        who, role = request.get(TOKEN_ID, ""), ""
    else:
        who, role = LOCAL, "admin"
    return Deed(
        who=who,
        role=role,
        address=request.remote or "",
        action=action,
        target=target,
        detail=detail[:DETAIL_CHARACTERS_MAX],
    )


async def list_audit(api: Api, request: web.Request) -> web.StreamResponse:
    """Give lines of the audit log, newest first."""
    query = audit_query(request)
    page = await api.backend.read(lambda store: store.audit(query.limit, query.before_id))
    return json_answer(audit_answer(page))
