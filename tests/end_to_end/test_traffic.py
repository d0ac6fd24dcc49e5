"""What really travels on a session: three frames a task, in few messages, all as the document says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jsonschema
import pytest

from moorline import Client, TaskFailed
from protocol.asyncapi import HUB_FRAMES, NODE_FRAMES
from tests.end_to_end import app
from tests.end_to_end.processes import PATIENCE_S, Fleet, NodeProcess
from tests.end_to_end.relay import Relay, relay_to

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "asyncapi.json"
TASKS = 2000


async def test_three_frames_a_task_in_far_fewer_messages(fleet: Fleet) -> None:
    fleet.hub.start()
    async with relay_to(fleet.hub.node_url) as relay:
        add_node(fleet, relay, slots=200)
        async with Client(fleet.hub.url) as client:
            warm = await client.submit(app.noop, 0)
            await warm.result(PATIENCE_S)
            before, messages_before = relay.counts(), len(relay.from_node) + len(relay.from_hub)
            handles = await client.submit_many(app.noop, [(n,) for n in range(TASKS)])
            await asyncio.gather(*(handle.result(PATIENCE_S) for handle in handles))
        # The outcome is told when it is committed, and so is the node: neither waits for the other.
        async with asyncio.timeout(PATIENCE_S):
            while acked(relay) < TASKS + 1:
                await asyncio.sleep(0.02)
        counts = relay.counts() - before
        messages = len(relay.from_node) + len(relay.from_hub) - messages_before
        assert (counts["task"], counts["result"]) == (TASKS, TASKS)
        assert acked(relay) == TASKS + 1
        assert counts["ack"] <= TASKS
        assert set(counts) <= {"task", "result", "ack", "heartbeat", "heartbeat_ack"}
        assert messages * 5 < 3 * TASKS, f"{messages} messages carried {TASKS} tasks"


def acked(relay: Relay) -> int:
    """Results are acked in groups, so acks are counted by what they name."""
    return sum(len(frame["attempts"]) for frame in relay.frames(relay.from_hub) if frame["type"] == "ack")


async def test_one_task_alone_takes_exactly_three_frames(fleet: Fleet) -> None:
    fleet.hub.start()
    async with relay_to(fleet.hub.node_url) as relay:
        add_node(fleet, relay)
        async with Client(fleet.hub.url) as client:
            for n in range(5):
                handle = await client.submit(app.noop, n)
                assert await handle.result(PATIENCE_S) == n
        async with asyncio.timeout(PATIENCE_S):
            while relay.counts()["ack"] < 5:
                await asyncio.sleep(0.02)
        counts = relay.counts()
        assert (counts["task"], counts["result"], counts["ack"]) == (5, 5, 5)


async def test_every_frame_that_passes_is_as_the_document_says(fleet: Fleet) -> None:
    fleet.hub.start()
    gate = fleet.folder / "gate"
    async with relay_to(fleet.hub.node_url) as relay:
        node = add_node(fleet, relay)
        async with Client(fleet.hub.url) as client:
            counted = await client.submit(app.count_up, 3, str(gate))
            failed = await client.submit(app.fail)
            held = await client.submit(app.hold, str(fleet.folder / "never"))
            async with asyncio.timeout(PATIENCE_S):
                while not (relay.counts()["progress"] and relay.counts()["log"]):
                    await asyncio.sleep(0.02)
            gate.write_text("seen")
            assert await counted.result(PATIENCE_S) == 3
            with pytest.raises(TaskFailed, match="no luck"):
                await failed.result(PATIENCE_S)
            async with asyncio.timeout(PATIENCE_S):
                while not fleet.truth.starts_of(held.id):
                    await asyncio.sleep(0.02)
                await held.cancel()
                while relay.counts()["result"] < 3:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(node.terminate)
    check(relay)
    said = relay.counts()
    for kind in ("register", "registered", "task", "result", "ack", "progress", "log", "cancel", "drain", "bye"):
        assert said[kind], kind


def add_node(fleet: Fleet, relay: Relay, slots: int = 8) -> NodeProcess:
    node = NodeProcess(relay.url, fleet.folder / "n", fleet.folder / "truth.ndjson", "n", slots=slots)
    fleet.nodes.append(node)
    node.start()
    return node


def check(relay: Relay) -> None:
    """Hold every frame that passed against the schema that the document has for it."""
    document = json.loads(DOCUMENT.read_text())
    names = {str(kind.__struct_config__.tag): kind.__name__ for kind in NODE_FRAMES + HUB_FRAMES}
    for frame in relay.frames(relay.from_node) + relay.frames(relay.from_hub):
        schema = {"$ref": f"#/components/schemas/{names[frame['type']]}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(frame)
