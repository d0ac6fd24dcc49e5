"""A node as a whole, in this process, against a hub that does what the test says."""

from __future__ import annotations

import asyncio
import contextlib
import http
import importlib.metadata
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from node.decisions import core
from node.decisions.core import NodeCore
from node.decisions.effects import Effect
from node.errors import AppNotFoundError, OutboxError, StateFolderLockedError
from node.service import NodeService, _version
from node.session import Session
from node.settings import NodeSettings
from protocol import frames
from tests.node import handlers
from tests.node.fake_hub import PATIENCE_S, FakeHub, Peer, task
from tests.waiting import until

Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def short_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hubs of these tests often do not answer what a node says as it leaves."""
    monkeypatch.setattr(core, "STOP_WITHIN_S", 0.5)
    monkeypatch.setattr(core, "FLUSH_WITHIN_S", 0.1)
    monkeypatch.setattr(core, "BYE_WITHIN_S", 0.1)


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with FakeHub() as hub:
        yield hub


@contextlib.asynccontextmanager
async def running(hub: FakeHub, state: Path, **options: Any) -> AsyncIterator[NodeService]:
    settings = NodeSettings(
        **{"hubs": [hub.url], "node_id": "n1", "apps": [handlers.__name__], "state": state, "slots": 4, **options}
    )
    service = NodeService(settings)
    service.start()
    try:
        yield service
    finally:
        await asyncio.to_thread(service.stop)


async def done(service: NodeService) -> int:
    """Wait until a node has ended by itself."""
    code = await asyncio.to_thread(service.wait, PATIENCE_S)
    assert code is not None
    return code


async def ack(peer: Peer, result: frames.Result) -> None:
    await peer.send(frames.Ack(attempts=[(result.task_id, result.attempt)]))


async def farewell(peer: Peer) -> None:
    """Answer the bye of a node that drains."""
    await peer.expect(frames.Bye)
    await peer.socket.close(1000, "bye")


async def test_a_node_registers_runs_what_is_pushed_and_sends_the_result(hub: FakeHub, tmp_path: Path) -> None:
    labels = {"site": "berlin"}
    async with running(hub, tmp_path, name="One", labels=labels) as service:
        service.start()
        peer = await hub.peer()
        greeting = await peer.welcome()
        assert isinstance(greeting, frames.Register)
        assert (greeting.node_id, greeting.name, greeting.labels, greeting.slots) == ("n1", "One", labels, 4)
        assert "echo" in greeting.handlers
        assert greeting.handlers == sorted(greeting.handlers)
        await peer.send(task("a", "echo", payload={"value": 42}))
        result = await peer.expect(frames.Result)
        assert (result.task_id, result.outcome, bytes(result.value)) == ("a", "succeeded", b"42")  # type: ignore[arg-type]
        assert result.run_s < 5
        await ack(peer, result)
        await asyncio.gather(asyncio.to_thread(service.stop), farewell(peer))
        assert service.wait() == 0


async def test_heartbeats_are_sent_and_what_handlers_say_comes_before_their_result(
    hub: FakeHub, tmp_path: Path
) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome(heartbeat_s=0.2)
        beat = await peer.expect(frames.Heartbeat)
        assert beat.load is not None
        assert beat.counters.connects == 1
        await peer.send(task("a", "talk"))
        seen: list[frames.NodeFrame] = []
        while not (seen and isinstance(seen[-1], frames.Result)):
            seen.append(await peer.next())
        (log,) = [frame for frame in seen if isinstance(frame, frames.Log)]
        assert log.lines[0].message == "from a thread"


async def test_a_lost_connection_is_resumed_and_the_result_sent_again(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "echo"), task("b", "wait", payload={"began": str(tmp_path / "began")}))
        await peer.expect(frames.Result)
        await until((tmp_path / "began").exists)
        peer.socket.transport.abort()
        again = await hub.peer()
        again.session_id = peer.session_id
        greeting = await again.welcome(frames.Verdicts(keep=[("a", 1), ("b", 1)]))
        assert greeting == frames.Resume(
            session_id=peer.session_id,
            instance_id=greeting.instance_id,
            inventory=frames.Inventory(running=[("b", 1)], results=[("a", 1)]),
        )
        await ack(again, await again.expect(frames.Result))
        await again.send(frames.Cancel(task_id="b", attempt=1))
        assert (await again.expect(frames.Result)).task_id == "b"


async def test_at_another_process_of_its_hub_a_node_registers_at_once_with_all_that_it_holds(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.instance = "one"
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "echo"))
        await peer.expect(frames.Result)
        hub.instance = "two"
        peer.socket.transport.abort()
        again = await hub.peer()
        greeting = await again.welcome()
        assert isinstance(greeting, frames.Register)
        assert greeting.inventory == frames.Inventory(results=[("a", 1)])
        await ack(again, await again.expect(frames.Result))


async def test_an_unknown_session_is_registered_again_with_all_that_is_held(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "echo"))
        await peer.expect(frames.Result)
        await peer.socket.close(1012)
        second = await hub.peer()
        greeting = await second.expect(frames.Resume)
        await second.send(frames.UnknownSession(session_id=greeting.session_id))
        await second.gone()
        third = await hub.peer()
        registered = await third.welcome()
        assert isinstance(registered, frames.Register)
        assert registered.inventory.results == [("a", 1)]
        assert (await third.expect(frames.Result)).task_id == "a"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4000, 4008, 4009])
async def test_a_hub_that_accepts_and_closes_is_dialled_again_and_not_in_a_storm(
    hub: FakeHub, tmp_path: Path, code: int
) -> None:
    async with running(hub, tmp_path) as service:
        for _ in range(2):
            peer = await hub.peer()
            await peer.welcome()
            await peer.socket.close(code, "no")
        assert hub.dials <= 3
        assert service.wait(0) is None


@pytest.mark.parametrize("answer", ["refused", "4003", "not a frame", "401"])
async def test_what_only_a_person_can_help_parks_the_node_and_its_tasks_go_on(
    hub: FakeHub, tmp_path: Path, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        await peer.welcome()
        began = tmp_path / "began"
        await peer.send(task("a", "sleep_async", payload={"began": str(began)}))
        await until(began.exists)
        match answer:
            case "4003":
                await peer.socket.close(4003, "revoked")
            case "not a frame":
                await peer.socket.send('{"type":"ack","attempts":1}')
            case "401":
                hub.answer = lambda socket, _: socket.respond(http.HTTPStatus.UNAUTHORIZED, "no")
                peer.socket.transport.abort()
            case _:
                peer.socket.transport.abort()
                second = await hub.peer()
                await second.expect(frames.Resume)
                await second.send(frames.Refused(code="not_allowed", message="not yours", remedy="ask", fatal=True))
        await until(lambda: "parked, a person must act" in caplog.text)
        assert service.wait(0) is None
        assert hub.dials <= 2


async def test_a_hub_that_is_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hub = FakeHub()
    await hub.open()
    await hub.shut()
    async with running(hub, tmp_path):
        await until(lambda: "nothing listens there" in caplog.text)
        await hub.open()
        peer = await hub.peer()
        await peer.welcome()
        await hub.shut()


async def test_a_busy_hub_is_dialled_when_it_said(
    hub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(socket: ServerConnection, _: Request) -> Response:
        response = socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "stopping")
        response.headers["Retry-After"] = "600"
        return response

    hub.answer = refuse
    async with running(hub, tmp_path):
        await until(lambda: "the hub takes nobody now (503): stopping" in caplog.text)
        assert hub.dials == 1


async def test_the_next_hub_is_tried_when_one_is_away(hub: FakeHub, tmp_path: Path) -> None:
    other = FakeHub()
    await other.open()
    await other.shut()
    async with running(hub, tmp_path, hubs=[other.url, hub.url]):
        await (await hub.peer()).welcome()


async def test_a_hub_that_falls_silent_is_left(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome(heartbeat_s=0.2)
        peer.acks_heartbeats = False
        assert await peer.gone() == 1001
        assert isinstance(await (await hub.peer()).welcome(), frames.Resume)


async def test_a_hub_that_goes_away_still_takes_results(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(frames.GoAway(action="reconnect", spread_s=0.5), task("a", "echo"))
        await peer.expect(frames.Result)
        await peer.socket.close(1012)
        await (await hub.peer()).welcome()


async def test_an_operator_can_drain_a_node(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        await peer.welcome(task("a", "block", payload={"seconds": 0.05}), frames.GoAway(action="drain", reason="why"))
        assert (await peer.expect(frames.Drain)).reason == "why"
        await ack(peer, await peer.expect(frames.Result))
        await farewell(peer)
        assert await done(service) == 0


async def test_a_verdict_stop_ends_a_handler_without_a_result(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "sleep_async"), frames.Verdicts(stop=[("a", 1)]))
        service.drain()
        await farewell(peer)
        assert await done(service) == 0


async def test_a_drain_that_takes_too_long_stops_what_runs(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path, drain_timeout_s=0.05) as service:
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "sleep_async", payload={"began": str(tmp_path / "began")}))
        await until((tmp_path / "began").exists)
        service.drain()
        service.drain()
        result = await peer.expect(frames.Result)
        assert result.outcome == "cancelled"
        await ack(peer, result)
        await farewell(peer)
        assert await done(service) == 0


async def test_a_handler_that_cannot_be_stopped_is_abandoned(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.executor.CLOSE_WITHIN_S", 0.05)
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        await peer.welcome()
        began = tmp_path / "began"
        await peer.send(task("a", "stay", payload={"until": str(tmp_path / "free"), "began": str(began)}))
        await until(began.exists)
        service.stop_handlers()
        assert await done(service) == 1
        (tmp_path / "free").touch()


async def test_a_lease_that_runs_out_while_the_hub_is_away_stops_its_attempt(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        peer = await hub.peer()
        await peer.welcome()
        await peer.send(task("a", "sleep_async", lease_s=1.0, payload={"began": str(tmp_path / "began")}))
        await until((tmp_path / "began").exists)
        hub.answer = lambda socket, _: socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "away")
        await peer.socket.close(1012)
        dials = hub.dials
        await until(lambda: hub.dials > dials + 1)
        hub.answer = None
        again = await hub.peer()
        await again.welcome()
        result = await again.expect(frames.Result)
        assert (result.task_id, result.outcome) == ("a", "cancelled")


async def test_the_next_process_on_a_state_folder_names_its_predecessor_and_sends_what_it_left(
    hub: FakeHub, tmp_path: Path
) -> None:
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        first = await peer.welcome()
        await peer.send(task("a", "echo", payload={"value": [1]}))
        await peer.expect(frames.Result)
        # It ends without an ack and without a hub.
        hub.answer = lambda socket, _: socket.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "away")
        await peer.socket.close(1012)
        assert service._loop is not None
        assert service._session is not None
        service._loop.call_soon_threadsafe(service._session._exit.set_result, 0)
        await done(service)
    hub.answer = None
    async with running(hub, tmp_path):
        peer = await hub.peer()
        second = await peer.welcome()
        assert isinstance(second, frames.Register)
        assert second.predecessors == [first.instance_id]
        assert second.inventory.results == [("a", 1)]
        result = await peer.expect(frames.Result)
        assert json.loads(bytes(result.value)) == [1]  # type: ignore[arg-type]


async def test_while_the_disk_is_full_results_are_delivered_and_nothing_new_starts(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.outbox.RETRY_S_MIN", 0.01)
    monkeypatch.setattr("node.outbox.RETRY_S_MAX", 0.02)
    big = "x" * 50_000
    async with running(hub, tmp_path) as service:
        peer = await hub.peer()
        await peer.welcome()
        assert service._session is not None
        database = service._session._outbox._journal._database
        database.execute("PRAGMA max_page_count = 1")
        await peer.send(task("a", "echo", payload={"value": big}))
        result = await peer.expect(frames.Result)
        assert result.task_id == "a"
        await peer.send(task("b", "echo", payload={"value": big}))
        await until(lambda: service._session is not None and ("b", 1) in service._session._core.inventory.running)
        database.execute("PRAGMA max_page_count = 10000")
        assert (await peer.expect(frames.Result)).task_id == "b"


# --- starting -------------------------------------------------------------------------------------------------------


async def test_a_state_folder_in_use_and_an_app_that_is_not_there_refuse_to_start(hub: FakeHub, tmp_path: Path) -> None:
    async with running(hub, tmp_path):
        with pytest.raises(StateFolderLockedError):
            NodeService(NodeSettings(node_id="n1", state=tmp_path)).start()
    with pytest.raises(AppNotFoundError):
        NodeService(NodeSettings(node_id="n1", state=tmp_path, apps=["nothing.here"])).start()


async def test_an_outbox_that_cannot_be_opened_refuses_to_start_and_lets_the_folder_go(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite3").mkdir()
    service = NodeService(NodeSettings(node_id="n1", state=tmp_path))
    for _ in range(2):
        with pytest.raises(OutboxError):
            service.start()


async def test_stopping_what_was_never_started_is_harmless() -> None:
    service = NodeService(NodeSettings())
    service.stop()
    service.drain()


async def test_a_node_without_handlers_says_how_to_give_it_some(
    hub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING"):
        async with running(hub, tmp_path, apps=[]):
            assert (await (await hub.peer()).expect(frames.Register)).handlers == []
    assert "no handlers, so it is given no tasks; start it with --app FILE.py" in caplog.text


async def test_a_node_is_a_context_manager(hub: FakeHub, tmp_path: Path) -> None:
    def hold() -> None:
        with NodeService(NodeSettings(hubs=[hub.url], node_id="n1", state=tmp_path)):
            pass

    await asyncio.to_thread(hold)


async def test_a_bug_in_a_connection_is_a_disconnect(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Session, "_listen", broken)
    async with running(hub, tmp_path) as service:
        await until(lambda: "in a way that it should not" in caplog.text)
        assert service.wait(0) is None


async def test_a_bug_in_a_dial_is_a_failed_dial(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("node.connection.Dialer.dial", broken)
    async with running(hub, tmp_path) as service:
        await until(lambda: "in a way that it should not" in caplog.text)
        assert service.wait(0) is None


async def test_a_bug_in_the_session_ends_the_node_with_its_own_code(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> list[Effect]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(NodeCore, "begin", broken)
    service = NodeService(NodeSettings(hubs=[hub.url], node_id="n1", state=tmp_path))
    service.start()
    assert await done(service) == 70
    assert "bug in Moorline" in caplog.text


async def test_a_state_folder_that_can_no_longer_be_written_costs_no_session(
    hub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "instances").write_text("before\n")
    async with running(hub, tmp_path):
        peer = await hub.peer()
        (tmp_path / "instances.new").mkdir()
        await peer.welcome()
        await until(lambda: "cannot be written" in caplog.text)
        await peer.send(task("a", "echo"))
        await peer.expect(frames.Result)
        (tmp_path / "instances.new").rmdir()


async def test_a_bare_checkout_has_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.version", missing)
    assert _version() == "0"
