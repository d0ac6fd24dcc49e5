"""What a client can do, it can do in each of its forms: async and not, far away and in a test's own process."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from moorline import Client, Group, HubError, SyncClient, TaskHandle
from moorline.sync_handles import SyncGroup, SyncTaskHandle
from moorline.testing import LocalClient
from tests.moorline.sample_tasks import add, fail

# What handles and clients say to each other.
INSIDE = {
    Client: {"expect"},
    TaskHandle: {"is_accepted", "is_streamed", "is_watched", "settle", "settled_result", "watch"},
    Group: set[str](),
}


def verbs(form: type[object]) -> set[str]:
    return {name for name in dir(form) if not name.startswith("_")} - INSIDE.get(form, set())


def parameters(verb: Callable[..., object]) -> list[tuple[str, object, object]]:
    return [(item.name, item.kind, item.default) for item in inspect.signature(verb).parameters.values()]


@pytest.mark.parametrize(
    ("form", "sync_form", "own"),
    [
        (Client, SyncClient, {"call", "origin"}),  # the origin is an attribute of the other
        (TaskHandle, SyncTaskHandle, set[str]()),
        (Group, SyncGroup, set[str]()),
    ],
)
def test_the_sync_form_has_the_same_verbs_with_the_same_parameters(
    form: type[object], sync_form: type[object], own: set[str]
) -> None:
    assert verbs(sync_form) == verbs(form) | own
    for name in verbs(form):
        verb, sync_verb = getattr(form, name), getattr(sync_form, name)
        if inspect.isfunction(verb):
            assert parameters(sync_verb) == parameters(verb), name


@pytest.mark.parametrize("name", sorted(verbs(Client) - {"handle"}))
def test_the_sync_form_gives_what_the_async_form_gives(name: str) -> None:
    given, sync_given = (inspect.signature(getattr(form, name)).return_annotation for form in (Client, SyncClient))
    given = re.sub(r"AsyncGenerator\[(.*), None\]", r"Iterator[\1]", given)
    assert sync_given == re.sub(r"\b(Group|TaskHandle)\b", r"Sync\1", given)


Ask = Callable[[LocalClient, str], Any]

# How each verb is tried on a client that has a task which has failed; the task's id is handed in.
SIMULATED: dict[str, Ask] = {
    "as_completed": lambda client, failed: client.as_completed([client.handle(failed)]),
    "attempts": lambda client, failed: client.attempts(failed),
    "broadcast": lambda client, _: client.broadcast(add, 1, 2),
    "cancel": lambda client, failed: client.cancel(failed),
    "close": lambda client, _: client.close(),
    "cordon": lambda client, _: client.cordon("local"),
    "disconnect": lambda client, _: client.disconnect("local"),
    "drain": lambda client, _: client.drain("local"),
    "errors": lambda client, _: client.errors(),
    "events": lambda client, _: client.events(last_id=0),
    "explain": lambda client, failed: client.explain(failed),
    "get": lambda client, failed: client.get(failed),
    "handle": lambda client, failed: client.handle(failed),
    "list": lambda client, _: client.list(),
    "logs": lambda client, failed: client.logs(failed),
    "map": lambda client, _: client.map(add, [(1, 2)]),
    "me": lambda client, _: client.me(),
    "node": lambda client, _: client.node("local"),
    "node_page": lambda client, _: client.node_page(),
    "nodes": lambda client, _: client.nodes(),
    "retry": lambda client, failed: client.retry(failed),
    "slot_map": lambda client, _: client.slot_map(),
    "stats": lambda client, _: client.stats(),
    "submit": lambda client, _: client.submit(add, 1, 2),
    "submit_many": lambda client, _: client.submit_many(add, [(1, 2)]),
    "submit_payload": lambda client, _: client.submit_payload("add", {"a": 1, "b": 2}),
    "task_page": lambda client, _: client.task_page(),
    "uncordon": lambda client, _: client.uncordon("local"),
}
# What needs a real hub, as `moorline.testing` says.
NOT_SIMULATED: dict[str, Ask] = {
    "alerts": lambda client, _: client.alerts(),
    "audit": lambda client, _: client.audit(),
    "bulk": lambda client, _: client.bulk("cancel", "state=queued"),
    "end_silence": lambda client, _: client.end_silence("s"),
    "history": lambda client, _: client.history(),
    "node_history": lambda client, _: client.node_history("local"),
    "silence": lambda client, _: client.silence(for_s=60),
    "test_alerts": lambda client, _: client.test_alerts(),
}


async def asked(ask: Ask) -> object:
    async with LocalClient([add]) as client:
        handle = await client.submit(fail)
        with pytest.raises(Exception, match="no luck"):
            await handle.result()
        question = ask(client, handle.id)
        if isinstance(question, AsyncGenerator):
            answer = await anext(question)
            await question.aclose()
            return answer
        return await question if inspect.isawaitable(question) else question


def test_each_verb_is_known_to_be_simulated_or_not() -> None:
    assert SIMULATED.keys() | NOT_SIMULATED.keys() == verbs(Client)


@pytest.mark.parametrize("name", SIMULATED)
async def test_the_local_client_answers(name: str) -> None:
    assert await asked(SIMULATED[name]) is not None or name == "close"


@pytest.mark.parametrize("name", NOT_SIMULATED)
async def test_the_local_client_says_what_it_does_not_simulate(name: str) -> None:
    with pytest.raises(HubError, match=r"test this against a hub: `moorline dev`") as caught:
        await asked(NOT_SIMULATED[name])
    assert (type(caught.value), caught.value.code) == (HubError, "not_simulated")
    assert f"`{name}`" in (inspect.getdoc(inspect.getmodule(LocalClient)) or "")
