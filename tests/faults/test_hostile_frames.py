"""Oversized, broken and hostile messages, on the node path and over HTTP: refused with the right code, and a good node
beside them works on.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from hub.http.decoding import BATCH_BYTES_MAX, TASK_BYTES_MAX
from hub.store.tasks import TaskOptions
from protocol import frames
from protocol.asyncapi import NODE_FRAMES
from protocol.limits import FRAME_BYTES_MAX, MESSAGE_BYTES_MAX
from tests.end_to_end.processes import PATIENCE_S, Fleet, fleet_in
from tests.faults.bystander import start_with_good_node, undisturbed
from tests.faults.raw_node import RawNode, connected, register

# Fits no field of any frame or option but those that take any JSON.
OF_NO_FIELD: list[Any] = [{}]
ANY_JSON = {"value", "payload"}

KEY = ["t", 1]
INVENTORY = {"running": [KEY], "results": [KEY]}
EXAMPLES: dict[str, dict[str, Any]] = {
    "register": {
        "type": "register",
        "node_id": "bad",
        "instance_id": "i",
        "name": "n",
        "labels": {"site": "x"},
        "slots": 1,
        "handlers": ["h"],
        "version": "1",
        "inventory": INVENTORY,
        "predecessors": ["p"],
        "draining": False,
    },
    "resume": {"type": "resume", "session_id": "s", "instance_id": "i", "inventory": INVENTORY},
    "heartbeat": {
        "type": "heartbeat",
        "sequence": 1,
        "slots_in_use": 0,
        "outbox": 0,
        "load": 0.5,
        "loop_lag_ms": 1.0,
        "round_trip_ms": 1.0,
        "at": 1.0,
        "counters": {"started": 1, "succeeded": 1, "failed": 0, "cancelled": 0, "run_s": 1.0, "connects": 1},
    },
    "result": {
        "type": "result",
        "task_id": "t",
        "attempt": 1,
        "outcome": "failed",
        "value": 1,
        "wait_s": 0.0,
        "error": {"kind": "error", "message": "m", "type": "T", "traceback": "t", "retryable": True},
        "run_s": 0.0,
        "age_s": 0.0,
    },
    "progress": {"type": "progress", "task_id": "t", "attempt": 1, "done": 1.0, "total": 2.0, "message": "m"},
    "log": {
        "type": "log",
        "dropped": 0,
        "lines": [{"task_id": "t", "attempt": 1, "at": 1.0, "level": "INFO", "message": "m"}],
    },
    "drain": {"type": "drain", "reason": "r"},
    "bye": {"type": "bye", "reason": "r"},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One hub and its good node for all of these: what one attack leaves behind, the next one meets."""
    with fleet_in(tmp_path_factory.mktemp("fleet")) as fleet:
        start_with_good_node(fleet)
        yield fleet


@contextlib.asynccontextmanager
async def bad_node(fleet: Fleet, *, is_registered: bool) -> AsyncIterator[RawNode]:
    async with connected(fleet.hub.node_url) as node:
        if is_registered:
            await node.enter(register("bad"))
        yield node


def with_wrong_fields(example: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the example with one field after the other, at any depth, made something that it cannot be."""
    for path in paths(example):
        wrong = copy.deepcopy(example)
        *way, last = path
        place: Any = wrong
        for step in way:
            place = place[step]
        place[last] = OF_NO_FIELD
        yield ".".join(map(str, path)), wrong


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        if step not in ANY_JSON:
            yield (*path, step)
            yield from paths(inner, (*path, step))


def test_the_examples_have_every_field_of_every_frame() -> None:
    for kind in NODE_FRAMES:
        example = EXAMPLES[str(kind.__struct_config__.tag)]
        assert set(example) - {"type"} == {field.name for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_wrong_type_in_any_field_closes_with_4002_and_names_the_frame(fleet: Fleet, name: str) -> None:
    async with undisturbed(fleet):
        for path, wrong in with_wrong_fields(EXAMPLES[name]):
            async with bad_node(fleet, is_registered=name not in {"register", "resume"}) as node:
                await node.send_bytes(json.dumps(wrong).encode())
                code, reason = await node.closed()
                assert code == 4002, path
                assert ("not a frame" if path == "type" else f"`{name}`") in reason, (path, reason)


RESULT = b'{"type":"result","task_id":"t","attempt":1,"outcome":"succeeded","value":%b}'
HEARTBEAT = b'{"type":"heartbeat","sequence":1,"load":%b}'
TOO_LONG = b'{"type":"bye","x":"' + b"y" * (FRAME_BYTES_MAX - 20) + b'"}'
assert len(TOO_LONG) == FRAME_BYTES_MAX + 1
MESSAGES: dict[str, tuple[bytes, int]] = {
    "a frame one byte over the limit": (TOO_LONG, 1009),
    "a message one byte over the limit": (b" " * (MESSAGE_BYTES_MAX + 1), 1009),
    "a value over the limit": (RESULT % (b'"' + b"x" * 262_143 + b'"'), 4002),
    "no JSON": (b"hello", 4002),
    "no object": (b"[]", 4002),
    "an unknown frame": (b'{"type":"dance"}', 4002),
    "100,000 levels": (b"[" * 100_000, 4002),
    "100,000 levels in a field that nobody knows": (
        b'{"type":"drain","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        4002,
    ),
    "100,000 levels in a value": (RESULT % (b"[" * 100_000 + b"]" * 100_000), 4002),
    "101 levels in a value": (RESULT % (b"[" * 101 + b"]" * 101), 4002),
    "10,000 digits": (HEARTBEAT % (b"1" * 10_000), 4002),
    "10,000 digits in a value": (RESULT % (b"1" * 10_000), 4002),
    "a number beyond a double": (HEARTBEAT % b"1e999", 4002),
    "NaN": (HEARTBEAT % b"NaN", 4002),
    "NaN in a value": (RESULT % b"NaN", 4002),
    "a lone surrogate": (b'{"type":"drain","reason":"\\ud800"}', 4002),
    "a lone surrogate in a value": (RESULT % b'"\\ud800"', 4002),
    "a lone surrogate as bytes": (b'{"type":"drain","reason":"\xed\xa0\x80"}', 4002),
    "no UTF-8": (b'{"type":"drain","reason":"\xff"}', 4002),
    "no UTF-8 in a value": (RESULT % b'"\xff"', 4002),
    "a bomb after a good frame": (b'{"type":"drain"}\n' + b"[" * 100_000, 4002),
    "a second register": (json.dumps(EXAMPLES["register"]).encode(), 4002),
}


@pytest.mark.parametrize(("message", "expected"), MESSAGES.values(), ids=MESSAGES)
async def test_a_hostile_message_closes_its_connection_with_the_right_code(
    fleet: Fleet, message: bytes, expected: int
) -> None:
    async with undisturbed(fleet):
        for is_registered in (True, False):
            async with bad_node(fleet, is_registered=is_registered) as node:
                if message == MESSAGES["a second register"][0] and not is_registered:
                    message += b"\n" + message
                # A message that is too large is cut off while it is sent.
                with contextlib.suppress(ConnectionClosed):
                    await node.send_bytes(message)
                code, reason = await node.closed()
                assert code == expected, reason


async def test_exactly_at_the_limit_is_taken(fleet: Fleet) -> None:
    largest = drain_of(FRAME_BYTES_MAX)
    two = drain_of(FRAME_BYTES_MAX) + b"\n" + drain_of(FRAME_BYTES_MAX - 1)
    assert (len(largest), len(two)) == (FRAME_BYTES_MAX, MESSAGE_BYTES_MAX)
    async with undisturbed(fleet), bad_node(fleet, is_registered=True) as node:
        await node.send_bytes(largest)
        await node.send_bytes(two)
        await node.send(frames.Heartbeat(sequence=7))
        assert (await node.expect(frames.HeartbeatAck)).sequence == 7


def drain_of(size_bytes: int) -> bytes:
    frame = b'{"type":"drain","x":"%b"}'
    return frame % (b"y" * (size_bytes - len(frame) + 2))


@pytest.mark.parametrize("piece", [b"", b"x", b"x" * 4096], ids=["empty", "one byte", "a page"])
async def test_fragments_without_end_are_cut_off(fleet: Fleet, piece: bytes) -> None:
    async with undisturbed(fleet), bad_node(fleet, is_registered=True) as node:

        async def endless() -> AsyncIterator[bytes]:
            while node.socket.state is State.OPEN:
                yield piece

        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionClosed):
                await node.socket.send(endless(), text=True)
        # 1006: the close frame was overtaken by the reset that unread bytes bring about.
        assert (await node.closed())[0] in {1009, 1006}


async def test_a_binary_message_is_one_like_any_other(fleet: Fleet) -> None:
    async with undisturbed(fleet), bad_node(fleet, is_registered=True) as node:
        await node.socket.send(b'{"type":"heartbeat","sequence":3}', text=False)
        assert (await node.expect(frames.HeartbeatAck)).sequence == 3
        await node.socket.send(bytes(range(256)), text=False)
        assert (await node.closed())[0] == 4002


# --- HTTP -----------------------------------------------------------------------------------------------------------

NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}
PAYLOAD = b'{"name":"work","payload":{"a":%b}}'
BODIES: dict[str, tuple[bytes, int]] = {
    "a body one byte over the limit": (b" " * (TASK_BYTES_MAX + 1), 413),
    "a payload one byte over the limit": (b'{"name":"work","payload":{"a":"' + b"x" * 262_137 + b'"}}', 413),
    "no JSON": (b"hello", 400),
    "100,000 levels": (b"[" * 100_000, 400),
    "100,000 levels in the payload": (PAYLOAD % (b"[" * 100_000 + b"]" * 100_000), 400),
    "10,000 digits": (PAYLOAD % (b"1" * 10_000), 400),
    "10,000 digits in an option": (b'{"name":"work","options":{"priority":' + b"1" * 10_000 + b"}}", 400),
    "a number beyond a double": (PAYLOAD % b"1e999", 400),
    "NaN": (PAYLOAD % b"NaN", 400),
    "a lone surrogate": (PAYLOAD % b'"\\ud800"', 400),
    "a lone surrogate as bytes": (PAYLOAD % b'"\xed\xa0\x80"', 400),
    "no UTF-8": (PAYLOAD % b'"\xff"', 400),
}


async def post(fleet: Fleet, body: Any, headers: dict[str, str], path: str = "/v1/tasks") -> int:
    """Give the status; its body must say what was wrong."""
    timeout = aiohttp.ClientTimeout(PATIENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(fleet.hub.url + path, data=body, headers=headers) as answer,
    ):
        error = (await answer.json())["error"]
        assert error["message"]
        assert error["remedy"]
        return answer.status


async def count_tasks(fleet: Fleet) -> int:
    async with aiohttp.ClientSession() as http, http.get(fleet.hub.url + "/v1/tasks?name=work") as answer:
        return len((await answer.json())["tasks"])


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
async def test_a_hostile_body_is_refused_with_the_right_status(fleet: Fleet, body: bytes, expected: int) -> None:
    async with undisturbed(fleet):
        assert await post(fleet, body, JSON) == expected
        assert await post(fleet, body, JSON, "/v1/broadcasts") == expected
        # In a batch the whole may be larger, and nothing of it is taken.
        assert await post(fleet, b'{"name":"work"}\n' + body.replace(b" ", b"x"), NDJSON) in {400, 413}
        assert await count_tasks(fleet) == 0


async def test_a_wrong_type_in_any_option_is_refused(fleet: Fleet) -> None:
    wrong: list[dict[str, Any]]
    wrong = [{"name": "work", "options": {field.name: OF_NO_FIELD}} for field in msgspec.structs.fields(TaskOptions)]
    wrong += [{"name": "work", name: OF_NO_FIELD} for name in ("name", "id", "payload", "options")]
    async with undisturbed(fleet):
        for task in wrong:
            assert await post(fleet, json.dumps(task), JSON) == 400, task
        assert await count_tasks(fleet) == 0


@pytest.mark.parametrize("headers", [JSON, NDJSON], ids=["one task", "a batch"])
async def test_a_body_without_end_is_refused_once_it_is_too_large(fleet: Fleet, headers: dict[str, str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        # Past any limit: a hub that reads on would have to take it all.
        for _ in range(4 * BATCH_BYTES_MAX // 65536):
            yield b" " * 65536

    async with undisturbed(fleet):
        # The hub may have answered and closed while we were still sending: to us it is cut off.
        with contextlib.suppress(aiohttp.ClientConnectionError):
            assert await post(fleet, endless(), headers) == 413
        assert await count_tasks(fleet) == 0
