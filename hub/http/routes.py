"""Every route of the API in one table: who may use it, what it takes, what it may answer.

The application is built from this table and so is the OpenAPI document; a route cannot be one without the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, TypeAlias

from aiohttp import web
from msgspec import Struct

from hub.http import event_stream, health, nodes, tasks, views
from hub.http.api import Api
from hub.http.bodies import JSON, NDJSON
from hub.http.decoding import TimedTaskRequest
from hub.http.errors import (
    ApiError,
    ConflictError,
    DegradedError,
    ForbiddenError,
    InternalError,
    InvalidOptionError,
    InvalidQueryError,
    InvalidTaskError,
    MalformedJsonError,
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    StoppingError,
    TooManyConnectionsError,
    TooManyTasksError,
    UnauthorizedError,
    UnknownNameError,
    UnknownOptionError,
    UnsupportedMediaTypeError,
)
from hub.http.queries import EVENT_LIST, TASK_LIST, WAIT, Parameter
from hub.scheduling import Explanation
from hub.tokens import Role

Handler: TypeAlias = Callable[[Api, web.Request], Awaitable[web.StreamResponse]]


class Answer(Struct, frozen=True, kw_only=True):
    """What a route gives when it can: a line about it, and the shapes that the body may have."""

    about: str
    kinds: tuple[type[Struct], ...] = ()
    media: str = JSON


class Route(Struct, frozen=True, kw_only=True):
    """One route. ``role`` None: open to everybody. ``bodies``: what it takes, by media type. ``errors``: what it may
    answer beside its ``answers`` and what `errors_of` adds.
    """

    method: Literal["GET", "POST"]
    path: str
    role: Role | None
    handler: Handler
    name: str
    summary: str
    tag: Literal["tasks", "nodes", "hub"]
    query: tuple[Parameter, ...] = ()
    bodies: Mapping[str, type[Struct]] = {}
    answers: Mapping[int, Answer]
    errors: tuple[type[ApiError], ...] = ()


_ALWAYS: Final[tuple[type[ApiError], ...]] = (TooManyConnectionsError, InternalError)
_GUARDED: Final[tuple[type[ApiError], ...]] = (UnauthorizedError, ForbiddenError, DegradedError, StoppingError)


def errors_of(route: Route) -> tuple[type[ApiError], ...]:
    """Give all errors that a route may answer, its own and those of everything before it."""
    queried = (InvalidQueryError,) if route.query else ()
    guarded = _GUARDED if route.role is not None else ()
    return (*route.errors, *queried, *guarded, *_ALWAYS)


_TASK_ERRORS: Final[tuple[type[ApiError], ...]] = (
    MalformedRequestError,
    MalformedJsonError,
    InvalidTaskError,
    InvalidOptionError,
    UnknownOptionError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
    UnknownNameError,
)

_TASK: Final = {200: Answer(about="The task.", kinds=(views.TaskObject,))}
_NODE: Final = {200: Answer(about="The node.", kinds=(views.NodeObject,))}

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/v1/tasks",
        role="submit",
        handler=tasks.submit,
        name="submitTasks",
        summary="Submit one task, or up to 10,000 with one on each line; all or none",
        tag="tasks",
        bodies={JSON: TimedTaskRequest, NDJSON: TimedTaskRequest},
        answers={
            201: Answer(about="The task is stored.", kinds=(views.AcceptedTask,)),
            200: Answer(
                about="The batch is stored, in its order; or the one task was there before.",
                kinds=(views.AcceptedTask, views.AcceptedBatch),
            ),
        },
        errors=(*_TASK_ERRORS, TooManyTasksError),
    ),
    Route(
        method="POST",
        path="/v1/broadcasts",
        role="submit",
        handler=tasks.broadcast,
        name="broadcast",
        summary="Submit one task for each online node that matches",
        tag="tasks",
        bodies={JSON: TimedTaskRequest},
        answers={201: Answer(about="The tasks are stored.", kinds=(views.BroadcastAnswer,))},
        errors=_TASK_ERRORS,
    ),
    Route(
        method="GET",
        path="/v1/tasks",
        role="read",
        handler=tasks.list_tasks,
        name="listTasks",
        summary="List tasks, newest first",
        tag="tasks",
        query=TASK_LIST,
        answers={200: Answer(about="A page of tasks.", kinds=(views.TaskPage,))},
    ),
    Route(
        method="GET",
        path="/v1/tasks/{id}",
        role="read",
        handler=tasks.get_task,
        name="getTask",
        summary="Get one task with payload and value, at once or when it is final",
        tag="tasks",
        query=WAIT,
        answers=_TASK,
        errors=(NotFoundError,),
    ),
    Route(
        method="GET",
        path="/v1/tasks/{id}/explain",
        role="read",
        handler=tasks.explain_task,
        name="explainTask",
        summary="Say why a task is where it is, with a reason for each node",
        tag="tasks",
        answers={200: Answer(about="The explanation.", kinds=(Explanation,))},
        errors=(NotFoundError,),
    ),
    Route(
        method="GET",
        path="/v1/tasks/{id}/logs",
        role="read",
        handler=tasks.get_logs,
        name="getTaskLogs",
        summary="Get the lines that a task's handler logged",
        tag="tasks",
        answers={200: Answer(about="The lines, oldest first.", kinds=(views.LogAnswer,))},
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/tasks/{id}/cancel",
        role="submit",
        handler=tasks.cancel_task,
        name="cancelTask",
        summary="Cancel a task; one that is final is left as it is",
        tag="tasks",
        answers=_TASK,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/tasks/{id}/retry",
        role="submit",
        handler=tasks.retry_task,
        name="retryTask",
        summary="Queue a failed, lost, cancelled or expired task again",
        tag="tasks",
        answers=_TASK,
        errors=(NotFoundError, ConflictError),
    ),
    Route(
        method="GET",
        path="/v1/nodes",
        role="read",
        handler=nodes.list_nodes,
        name="listNodes",
        summary="List all nodes",
        tag="nodes",
        answers={200: Answer(about="The nodes, by id.", kinds=(views.NodePage,))},
    ),
    Route(
        method="GET",
        path="/v1/nodes/{id}",
        role="read",
        handler=nodes.get_node,
        name="getNode",
        summary="Get one node",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/cordon",
        role="admin",
        handler=nodes.cordon,
        name="cordonNode",
        summary="Give a node nothing new; what it runs goes on",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/uncordon",
        role="admin",
        handler=nodes.uncordon,
        name="uncordonNode",
        summary="Take cordon and drain back",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/drain",
        role="admin",
        handler=nodes.drain,
        name="drainNode",
        summary="Ask a node to finish what it runs and to leave",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError,),
    ),
    Route(
        method="POST",
        path="/v1/nodes/{id}/disconnect",
        role="admin",
        handler=nodes.disconnect,
        name="disconnectNode",
        summary="Close a node's connection; it comes back by itself",
        tag="nodes",
        answers=_NODE,
        errors=(NotFoundError, ConflictError),
    ),
    Route(
        method="GET",
        path="/v1/stats",
        role="read",
        handler=health.stats,
        name="getStats",
        summary="Count tasks, nodes and sessions",
        tag="hub",
        answers={200: Answer(about="The counts.", kinds=(views.StatsAnswer,))},
    ),
    Route(
        method="GET",
        path="/v1/events",
        role="read",
        handler=event_stream.stream_events,
        name="streamEvents",
        summary="Follow events as they are committed; resume behind any that is kept",
        tag="hub",
        query=EVENT_LIST,
        answers={
            200: Answer(
                about="Server-sent events. First `hello`; `reset` where events were asked for that are not kept any "
                "more; `end` before the hub ends the stream. All others have the shape of EventObject as `data`.",
                media="text/event-stream",
            )
        },
    ),
    Route(
        method="GET",
        path="/livez",
        role=None,
        handler=health.livez,
        name="getLiveness",
        summary="Tell whether the hub's event loop turns",
        tag="hub",
        answers={200: Answer(about="It does.", kinds=(views.Readiness,))},
    ),
    Route(
        method="GET",
        path="/readyz",
        role=None,
        handler=health.readyz,
        name="getReadiness",
        summary="Tell whether the hub can serve",
        tag="hub",
        answers={
            200: Answer(about="It can.", kinds=(views.Readiness,)),
            503: Answer(about="It cannot, for these reasons.", kinds=(views.Readiness,)),
        },
    ),
)
