"""The routes about tasks."""

from __future__ import annotations

from typing import Final

from hub.decisions.explaining import Explanation
from hub.http import bulk, task_views, tasks
from hub.http.bodies import JSON, NDJSON
from hub.http.decoding import TimedTaskRequest
from hub.http.errors import (
    ApiError,
    ConflictError,
    InvalidOptionError,
    InvalidQueryError,
    InvalidTaskError,
    MalformedJsonError,
    MalformedRequestError,
    NotFoundError,
    PayloadTooLargeError,
    TooManyTasksError,
    UnknownNameError,
    UnknownOptionError,
    UnsupportedMediaTypeError,
)
from hub.http.queries import TASK_LIST, WAIT
from hub.http.route import Answer, Route

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

_TASK: Final = {200: Answer(about="The task.", kinds=(task_views.TaskObject,))}

TASK_ROUTES: Final[tuple[Route, ...]] = (
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
            201: Answer(about="The task is stored.", kinds=(task_views.AcceptedTask,)),
            200: Answer(
                about="The batch is stored, in its order; or the one task was there before.",
                kinds=(task_views.AcceptedTask, task_views.AcceptedBatch),
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
        answers={201: Answer(about="The tasks are stored.", kinds=(task_views.BroadcastAnswer,))},
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
        answers={200: Answer(about="A page of tasks.", kinds=(task_views.TaskPage,))},
    ),
    Route(
        method="POST",
        path="/v1/tasks/bulk",
        role="submit",
        handler=bulk.change_tasks,
        name="changeTasks",
        summary="Cancel or retry all tasks that meet a filter; or count them",
        tag="tasks",
        bodies={JSON: bulk.BulkRequest},
        answers={200: Answer(about="What was done, and where to go on.", kinds=(bulk.BulkAnswer,))},
        errors=(
            MalformedRequestError,
            MalformedJsonError,
            InvalidQueryError,
            PayloadTooLargeError,
            UnsupportedMediaTypeError,
        ),
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
        answers={200: Answer(about="The lines, oldest first.", kinds=(task_views.LogAnswer,))},
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
)
