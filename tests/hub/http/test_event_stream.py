from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.events.bounds import Bounds
from hub.events.filter import EventFilter
from hub.http import event_stream
from hub.http.event_stream import read_page
from hub.store.errors import StoreUnavailableError
from hub.store.sqlite.store import SqliteStore
from hub.store.submissions import Submit
from hub.store.sweeps import Sweep
from hub.store.tasks import NewTask
from tests.hub.http.hub_under_test import NDJSON, HubUnderTest


class Reader:
    """A client of the stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def message(self) -> dict[str, Any]:
        """Give the next message: its fields, ``data`` decoded; comments are skipped."""
        while True:
            text = (await self._answer.content.readuntil(b"\n\n")).decode().strip()
            if not text.startswith(":"):
                fields = dict(line.split(": ", 1) for line in text.split("\n"))
                return {**fields, "data": json.loads(fields["data"])}

    async def ids(self, count: int) -> list[int]:
        return [(await self.message())["data"]["id"] for _ in range(count)]

    async def rest(self) -> bytes:
        return await self._answer.content.read()


@asynccontextmanager
async def stream(hub: HubUnderTest, query: str = "", **more: Any) -> AsyncIterator[Reader]:
    async with hub.client.get(f"/v1/events{query}", **more) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Reader(answer)


async def submit_many(hub: HubUnderTest, count: int, origin: str = "") -> None:
    line = json.dumps({"name": "work", "options": {"origin": origin}}).encode()
    status, _ = await hub.post("/v1/tasks", data=b"\n".join([line] * count), headers=NDJSON)
    assert status == 200


async def test_a_stream_opens_with_hello_and_tells_what_follows(hub: HubUnderTest) -> None:
    await hub.submit()
    async with stream(hub, "?kind=task") as reader:
        hello = await reader.message()
        assert hello["event"] == "hello"
        assert hello["data"] == {"id": 1, "hub_id": hub.backend.store.hub_id}
        await hub.submit(id="t", options={"origin": "me"})
        hub.register()
        hub.claim()
        hub.succeed("t", value=b'{"a":\n1}')
        told = [await reader.message() for _ in range(4)]
    assert [message["data"]["kind"] for message in told] == [
        "task.queued",
        "task.running",
        "task.running",
        "task.succeeded",
    ]
    assert told[0]["id"] == "2"
    assert told[-1]["data"]["value"] == {"a": 1}
    assert told[-1]["data"]["origin"] == "me"


@pytest.mark.parametrize("by_header", [True, False])
async def test_a_stream_resumes_behind_the_id_that_is_named(hub: HubUnderTest, by_header: bool) -> None:
    await submit_many(hub, 5)
    query, headers = ("", {"Last-Event-ID": "2"}) if by_header else ("?last_event_id=2", {})
    async with stream(hub, query, headers=headers) as reader:
        hello = await reader.message()
        assert (hello["id"], hello["data"]["id"]) == ("2", 5)
        assert await reader.ids(3) == [3, 4, 5]
        await hub.submit()
        assert await reader.ids(1) == [6]


async def test_a_stream_resumes_after_a_restart_of_the_hub_with_values(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db") as hub:
        hub.register()
        await hub.submit(id="t")
        hub.claim()
        hub.succeed("t", value=b"42")
    async with HubUnderTest(tmp_path / "hub.db") as hub, stream(hub, "?last_event_id=1&kind=task.succeeded") as reader:
        assert (await reader.message())["event"] == "hello"
        told = await reader.message()
        assert (told["data"]["task_id"], told["data"]["value"]) == ("t", 42)
        await hub.submit(id="u")
        hub.claim()
        hub.succeed("u", value=b"43")
        assert (await reader.message())["data"]["value"] == 43


async def test_a_fresh_stream_after_a_restart_begins_now(tmp_path: Path) -> None:
    async with HubUnderTest(tmp_path / "hub.db") as hub:
        await submit_many(hub, 3)
    async with HubUnderTest(tmp_path / "hub.db") as hub, stream(hub) as reader:
        assert (await reader.message())["data"]["id"] == 3
        await hub.submit()
        assert await reader.ids(1) == [4]


async def test_nothing_is_missed_or_repeated_while_a_stream_catches_up(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "EVENTS_PER_PAGE", 7)
    await submit_many(hub, 50)
    async with stream(hub, "?last_event_id=0") as reader:
        await reader.message()
        for _ in range(30):
            await submit_many(hub, 3)
        assert await reader.ids(140) == list(range(1, 141))


async def test_a_page_ends_early_where_values_are_large(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PAGE_BYTES_TARGET", 1000)
    monkeypatch.setattr(event_stream, "VALUES_AT_ONCE", 2)
    hub.register()
    await submit_many(hub, 10)
    ids = hub.claim()
    hub.succeed(*ids, value=b'"%b"' % (b"x" * 900))
    page = read_page(hub.backend.store, 0, EventFilter(kinds=("task.succeeded",)))
    assert page.piece.count(b"\n\n") == 2
    async with stream(hub, "?last_event_id=0&kind=task.succeeded") as reader:
        await reader.message()
        told = [await reader.message() for _ in range(10)]
    assert [message["data"]["task_id"] for message in told] == ids


async def test_an_id_that_is_older_than_what_is_kept_brings_reset_first(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submit_many(hub, 3)

    def missing(self: SqliteStore, after_id: int, limit: int) -> Any:
        page = real(self, after_id, limit)
        return type(page)(events=page.events, last_id=page.last_id, missed=after_id < 2)

    real = SqliteStore.events
    monkeypatch.setattr(SqliteStore, "events", missing)
    async with stream(hub, "?last_event_id=1") as reader:
        assert (await reader.message())["event"] == "hello"
        reset = await reader.message()
        assert (reset["event"], reset["id"], reset["data"]) == ("reset", "3", {"id": 3})
        await hub.submit()
        assert await reader.ids(1) == [4]


async def test_an_id_of_another_history_brings_reset(hub: HubUnderTest) -> None:
    await submit_many(hub, 3)
    async with stream(hub, "?last_event_id=1000") as reader:
        await reader.message()
        assert (await reader.message())["event"] == "reset"
        await hub.submit()
        assert await reader.ids(1) == [4]


async def test_an_empty_hub_can_be_followed(hub: HubUnderTest) -> None:
    hub.backend.execute(Sweep(retention_s=0, retention_count=0, gone_after_s=1))
    async with stream(hub, "?last_event_id=0") as reader:
        assert (await reader.message())["data"]["id"] == 0
        await hub.submit()
        assert await reader.ids(1) == [1]


async def test_a_stream_that_falls_behind_reads_on_from_the_store(tmp_path: Path) -> None:
    async with (
        HubUnderTest(tmp_path / "tight.db", bounds=Bounds(waiting_bytes_max=2000)) as hub,
        stream(hub, "?origin=me") as reader,
    ):
        await reader.message()
        for _ in range(20):
            await submit_many(hub, 30, origin="me")
            await submit_many(hub, 1, origin="you")
        seen = await reader.ids(600)
        assert len(set(seen)) == 600
        assert seen == sorted(seen)


async def test_a_reader_that_never_reads_is_cut_off_and_others_notice_nothing(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SEND_WITHIN_S", 0.2)
    monkeypatch.setattr(event_stream, "LINGER_S", 0.05)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", hub.server.port))
        deaf.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while hub.backend.events.subscriptions < 1:
            await asyncio.sleep(0)
        value = b'"%b"' % (b"x" * 200_000)
        hub.register()
        async with stream(hub, "?kind=task.succeeded") as reader:
            await reader.message()
            for number in range(60):
                await hub.submit(id=f"t{number}")
                hub.claim()
                hub.succeed(f"t{number}", value=value)
                assert (await reader.message())["data"]["task_id"] == f"t{number}"
                assert hub.backend.events.waiting_bytes < 10_000_000
            while hub.backend.events.subscriptions > 1:
                await hub.get("/livez")
            await hub.submit(id="last")
            hub.claim()
            hub.succeed("last")
            assert (await reader.message())["data"]["task_id"] == "last"


async def test_a_reader_that_was_cut_off_finds_out_why_if_it_reads_after_all(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "SEND_WITHIN_S", 0.05)
    hub.register()
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.server.port, limit=1024)
    writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\n\n")
    for number in range(60):
        await hub.submit(id=f"t{number}")
        hub.claim()
        hub.succeed(f"t{number}", value=b'"%b"' % (b"x" * 200_000))
    while hub.backend.events.subscriptions:
        await asyncio.sleep(0)
    tail = b""
    while chunk := await reader.read(1 << 20):
        tail = (tail + chunk)[-1000:]
        if b"0\r\n\r\n" in tail[-5:]:
            break
    assert b"event: end" in tail
    assert b"too_slow" in tail
    writer.close()
    await writer.wait_closed()


async def test_a_quiet_stream_is_kept_alive(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEPALIVE_S", 0.01)
    async with hub.client.get("/v1/events") as answer:
        await answer.content.readuntil(b"\n\n")
        assert (await answer.content.readuntil(b"\n\n")).startswith(b":")


async def test_a_stream_whose_reader_left_is_forgotten(hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEPALIVE_S", 0.01)
    async with stream(hub) as reader:
        await reader.message()
        assert hub.backend.events.subscriptions == 1
    while hub.backend.events.subscriptions:
        await asyncio.sleep(0)


async def test_a_hub_that_stops_says_so_after_the_last_event(hub: HubUnderTest) -> None:
    async with stream(hub) as reader:
        await reader.message()
        await hub.submit()
        hub.backend.events.close()
        assert (await reader.message())["data"]["kind"] == "task.queued"
        end = await reader.message()
        assert (end["event"], end["data"]["code"]) == ("end", "stopping")
        assert await reader.rest() == b""


async def test_a_store_that_cannot_be_read_ends_the_stream_or_refuses_it(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submit_many(hub, 5)
    hub.backend.read_error = StoreUnavailableError("busy")
    async with stream(hub, "?last_event_id=0") as reader:
        await reader.message()
        end = await reader.message()
        assert (end["event"], end["data"]["code"]) == ("end", "degraded")
    hub.backend.events.last_id = 0
    status, body = await hub.get("/v1/events")
    assert (status, body["error"]["code"]) == (503, "degraded")


async def test_streams_past_the_limit_are_refused(tmp_path: Path) -> None:
    async with (
        HubUnderTest(tmp_path / "tight.db", bounds=Bounds(subscriptions_max=1)) as hub,
        stream(hub) as reader,
    ):
        await reader.message()
        status, body = await hub.get("/v1/events")
        assert (status, body["error"]["code"]) == (429, "too_many_connections")


@pytest.mark.parametrize("query", ["kind=tusk", "last_event_id=-1", "last_event_id=x", "node=a%20b", "what=1"])
async def test_a_wrong_query_is_refused(hub: HubUnderTest, query: str) -> None:
    status, body = await hub.get(f"/v1/events?{query}")
    assert (status, body["error"]["code"]) == (400, "invalid_query")


async def test_a_bug_within_a_stream_ends_it_and_stands_in_the_log(
    hub: HubUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    await hub.submit()
    hub.backend.read_error = ZeroDivisionError()
    async with stream(hub, "?last_event_id=0") as reader:
        await reader.message()
        assert await reader.rest() == b""
    assert "an event stream broke" in caplog.text
    hub.backend.events.last_id = 0
    assert (await hub.get("/v1/events"))[0] == 500


async def test_a_stream_that_is_opened_while_the_hub_stops_ends_at_once(hub: HubUnderTest) -> None:
    hub.backend.events.close()
    async with stream(hub) as reader:
        assert (await reader.message())["event"] == "hello"
        assert (await reader.message())["data"]["code"] == "stopping"


async def test_events_that_are_published_while_a_stream_opens_are_not_told_twice(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest id is asked for, and events are committed before the stream follows."""
    await hub.submit()
    real = event_stream._Stream.last_id

    async def slow(self: event_stream._Stream) -> int:
        found = await real(self)
        hub.backend.execute(Submit(tasks=[NewTask(task_id="between", name="work")]))
        return found

    monkeypatch.setattr(event_stream._Stream, "last_id", slow)
    async with stream(hub) as reader:
        assert (await reader.message())["data"]["id"] == 2
        await hub.submit()
        assert await reader.ids(1) == [3]


# --- the pulse --------------------------------------------------------------------------------------------------------


async def test_a_stream_that_names_the_pulse_gets_it(hub: HubUnderTest) -> None:
    async with stream(hub, "?kind=hub,node") as reader:
        assert (await reader.message())["event"] == "hello"
        while not hub.backend.events.has_pulse_listeners:
            await asyncio.sleep(0)
        hub.backend.events.pulse(b'{"at":1.0,"kind":"hub.pulse"}')
        assert await reader.message() == {"data": {"at": 1.0, "kind": "hub.pulse"}}


async def test_a_reader_that_leaves_gives_up_its_place_at_once(hub: HubUnderTest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.server.port)
    writer.write(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"event: hello")
    assert hub.backend.events.subscriptions == 1
    writer.close()
    # Nothing is sent to it meanwhile that could fail.
    async with asyncio.timeout(event_stream.KEEPALIVE_S / 2):
        while hub.backend.events.subscriptions:
            await asyncio.sleep(0)
