"""Handlers for tasks: submit, look, explain, cancel, retry."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import web

from hub.decisions.explaining import Moment, explain
from hub.decisions.lifecycle import is_final
from hub.errors import HubStoppingError
from hub.http import audit
from hub.http.answers import json_answer
from hub.http.api import Api
from hub.http.bodies import JSON, NDJSON, cost_bytes, media_type, read_body
from hub.http.connection import while_connected
from hub.http.decoding import BATCH_BYTES_MAX, TASK_BYTES_MAX, TASKS_MAX
from hub.http.errors import ConflictError, NotFoundError, UnknownNameError
from hub.http.parameters import invalid_cursor
from hub.http.queries import task_list_query, wait_query
from hub.http.task_views import (
    AcceptedBatch,
    AcceptedMember,
    BroadcastAnswer,
    TaskPage,
    accepted_task,
    log_answer,
    task_object,
)
from hub.store.contract import Store
from hub.store.logs import StoredLogs
from hub.store.task_views import TaskView
from hub.store.tasks import NewTask
from protocol.limits import is_identifier

# Told to the node and stored with the task.
CANCEL_REASON = "cancelled through the API"


# --- submitting -----------------------------------------------------------------------------------------------------


async def submit(api: Api, request: web.Request) -> web.StreamResponse:
    """Accept one task, or a batch of them with one on each line."""
    if media_type(request, (JSON, NDJSON)) == NDJSON:
        return await _submit_batch(api, request)
    async with api.room_for_singles.held(cost_bytes(request.content_length, TASK_BYTES_MAX, 1)):
        task = api.decoder.one(await read_body(request, TASK_BYTES_MAX))
        _check_names(api, [task])
        accepted = (await api.backend.submit([task])).accepted[0]
        return json_answer(accepted_task(accepted), HTTPStatus.OK if accepted.existing else HTTPStatus.CREATED)


async def _submit_batch(api: Api, request: web.Request) -> web.StreamResponse:
    async with api.room_for_batches.held(cost_bytes(request.content_length, BATCH_BYTES_MAX, TASKS_MAX)):
        tasks = api.decoder.batch(await read_body(request, BATCH_BYTES_MAX))
        _check_names(api, tasks)
        accepted = (await api.backend.submit(tasks)).accepted if tasks else []
        return json_answer(AcceptedBatch(tasks=[accepted_task(one) for one in accepted]))


async def broadcast(api: Api, request: web.Request) -> web.StreamResponse:
    """Accept one task for each online node that matches."""
    media_type(request, (JSON,))
    async with api.room_for_singles.held(cost_bytes(request.content_length, TASK_BYTES_MAX, 1)):
        template = api.decoder.one(await read_body(request, TASK_BYTES_MAX))
        _check_names(api, [template])
        made = (await api.backend.broadcast(template)).tasks
    members = [
        AcceptedMember(id=accepted.task_id, node=node_id, state=accepted.state, existing=accepted.existing)
        for node_id, accepted in made
    ]
    return json_answer(BroadcastAnswer(group=template.task_id, tasks=members), HTTPStatus.CREATED)


def _check_names(api: Api, tasks: Iterable[NewTask]) -> None:
    """Refuse names that no node handles, where the operator asked for it."""
    if not api.settings.strict_names:
        return
    known: set[str] = set()
    for number, task in enumerate(tasks, start=1):
        if task.name in known:
            continue
        if not api.backend.handles(task.name):
            message = f"no connected node handles the name {task.name}"
            remedy = "start a node with this handler, correct the name, or run the hub without --strict-names"
            raise UnknownNameError(message, remedy, where=f"task {number}" if number > 1 else "")
        known.add(task.name)


# --- looking --------------------------------------------------------------------------------------------------------


async def list_tasks(api: Api, request: web.Request) -> web.StreamResponse:
    """Give a page of tasks, newest first."""
    query = task_list_query(request, api.wall_s())
    try:
        page = await api.backend.read(lambda store: store.tasks(query.chosen, query.limit, query.cursor))
    except ValueError as error:
        raise invalid_cursor(error) from None
    shown = [task_object(view, api.backend.progress(view.id)) for view in page.tasks]
    return json_answer(TaskPage(tasks=shown, cursor=page.cursor))


async def get_task(api: Api, request: web.Request) -> web.StreamResponse:
    """Give one task with payload and value; with ``wait`` once it is final."""
    wait_s = wait_query(request)
    task_id = task_id_of(request)
    view = await _find(api, task_id) if wait_s == 0 else await _await_outcome(api, request, task_id, wait_s)
    return _shown(api, view)


async def _await_outcome(api: Api, request: web.Request, task_id: str, wait_s: float) -> TaskView:
    watch = api.backend.events.watch(task_id)
    try:
        view = await _find(api, task_id)
        if is_final(view.state):
            return view
        with while_connected(request):
            await watch.wait(wait_s)
    finally:
        watch.close()
    if api.backend.events.is_closed:
        raise HubStoppingError
    # The token may have been revoked in the meantime.
    api.door.check(request, "read")
    return await _find(api, task_id)


async def explain_task(api: Api, request: web.Request) -> web.StreamResponse:
    """Say why a task is where it is."""
    task_id = task_id_of(request)
    place = await api.backend.read(lambda store: store.queue_place(task_id))
    if place is None:
        raise no_task(task_id)
    view, backend = place.view, api.backend
    moment = Moment(
        wall_s=api.wall_s(),
        live=backend.live_nodes(),
        is_unsent=view.held and backend.is_unsent(view.node or "", (view.id, view.attempt)),
        degraded=backend.health().degraded,
    )
    return json_answer(await backend.read(lambda store: explain(place, store.nodes(), moment)))


async def get_logs(api: Api, request: web.Request) -> web.StreamResponse:
    """Give the lines that a task's handler logged."""
    task_id = task_id_of(request)
    stored = await api.backend.read(lambda store: _logs(store, task_id))
    if stored is None:
        raise no_task(task_id)
    return json_answer(log_answer(stored))


def _logs(store: Store, task_id: str) -> StoredLogs | None:
    return None if store.task(task_id) is None else store.logs(task_id)


# --- deciding -------------------------------------------------------------------------------------------------------


async def cancel_task(api: Api, request: web.Request) -> web.StreamResponse:
    """Cancel a task; one that is final is left as it is."""
    task_id = task_id_of(request)
    audit.note(api, request, "task.cancel", task_id)
    _, state = (await api.backend.cancel([task_id], CANCEL_REASON)).states[0]
    if state is None:
        raise no_task(task_id)
    return _shown(api, await _find(api, task_id))


async def retry_task(api: Api, request: web.Request) -> web.StreamResponse:
    """Queue a finished task again."""
    task_id = task_id_of(request)
    audit.note(api, request, "task.retry", task_id)
    _, before, done = (await api.backend.revive([task_id])).tasks[0]
    if before is None:
        raise no_task(task_id)
    if not done:
        message = f"task {task_id} is {before}"
        if is_final(before) and before != "succeeded":
            message += ", and its node has not said yet that it has stopped"
        raise ConflictError(message, "a task that is failed, lost, cancelled or expired, and runs nowhere")
    return _shown(api, await _find(api, task_id))


# --- common ---------------------------------------------------------------------------------------------------------


def task_id_of(request: web.Request) -> str:
    """Give the task that a request's path names. Raises NotFoundError if that can be no task's id."""
    task_id = request.match_info["id"]
    if not is_identifier(task_id):
        raise no_task(task_id)
    return task_id


async def _find(api: Api, task_id: str) -> TaskView:
    view = await api.backend.read(lambda store: store.task(task_id))
    if view is None:
        raise no_task(task_id)
    return view


def no_task(task_id: str) -> NotFoundError:
    """Give the answer where there is no such task."""
    return NotFoundError(f"there is no task {task_id[:128]!r}", "finished tasks are removed after the hub's retention")


def _shown(api: Api, view: TaskView) -> web.Response:
    return json_answer(task_object(view, api.backend.progress(view.id)))
