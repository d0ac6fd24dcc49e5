"""A hub that answers every connect with something useless: dials follow the backing off, the node never exits, and what
it runs goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from node.decisions.backing_off import CAP_S_MIN
from protocol import frames
from protocol.limits import NODE_PATH
from tests.end_to_end import app
from tests.end_to_end.processes import NodeProcess, Truth
from tests.faults.waiting import until
from tests.node.fake_hub import FakeHub, task

# How long the dials are counted, from the loss of the first session on.
COUNTED_S = 8.0

DIALS_MIN = 2

CODES = (1000, 1001, 1011, 1012, 1013, 4000, 4004, 4008, 4009, 4999)
FATAL_CODES = (4002, 4003)


def dials_max() -> int:
    """Give how many dials the backing off allows in that time, if chance makes each wait as short as it can."""
    dials, at_s = 0, 0.0
    while at_s <= COUNTED_S:
        at_s += min(CAP_S_MIN, 2.0**dials) / 2
        dials += 1
    return dials


class UselessHub(FakeHub):
    """Welcomes a node once, pushes it a task that waits for the gate, and does the useless thing from then on."""

    def __init__(self, gate: Path, useless: Callable[[ServerConnection], Awaitable[None]] | None, **options: object):
        super().__init__(**options)  # type: ignore[arg-type]
        self._gate = gate
        self._useless = useless
        self._is_useless = False

    def _process(self, socket: ServerConnection, request: Request) -> Response | None:
        if self._is_useless:
            return super()._process(socket, request)
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        if not self._is_useless:
            await super()._serve(socket)
        elif self._useless is not None:
            await self._useless(socket)

    async def push_then_be_useless(self) -> None:
        peer = await self.peer()
        await peer.welcome(task("held", app.hold.name, payload={"path": str(self._gate)}), heartbeat_s=1.0)
        # The first heartbeat comes when the task was taken.
        await peer.expect(frames.Heartbeat)
        self._is_useless = True
        peer.socket.transport.abort()


def closing_with(code: int) -> Callable[[ServerConnection], Awaitable[None]]:
    async def close(socket: ServerConnection) -> None:
        await socket.close(code, "because")

    return close


def answering(
    status: http.HTTPStatus, content_type: str = "text/plain", **headers: str
) -> Callable[[ServerConnection, Request], Response]:
    def answer(socket: ServerConnection, _: Request) -> Response:
        response = socket.respond(status, "<html><body>It works!</body></html>\n" * 100)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = content_type
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return answer


async def say_nothing(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def say_nonsense(socket: ServerConnection) -> None:
    await socket.send("<html>what is this</html>")
    await socket.wait_closed()


@contextlib.asynccontextmanager
async def node_at(hub: UselessHub, folder: Path) -> AsyncIterator[tuple[NodeProcess, Truth]]:
    truth = folder / "truth.ndjson"
    node = NodeProcess(hub.url, folder / "n", truth, "n")
    node.start()
    try:
        yield node, Truth(truth)
    finally:
        await asyncio.to_thread(node.kill)


async def dials_of(hub: UselessHub, folder: Path, gate: Path) -> int:
    """Run a node at this hub; give how often it dialled, after it has shown that its task went on."""
    async with hub, node_at(hub, folder) as (node, truth):
        await hub.push_then_be_useless()
        await asyncio.sleep(COUNTED_S)
        dials = hub.dials
        assert truth.starts_of("held") == 1
        gate.write_text("seen")
        await until(lambda: any(line["event"] == "end" for line in truth.lines()), "its task went on to its end")
        assert node.alive, node.log
        assert "Traceback" not in node.log, node.log
        assert truth.starts_of("held") == 1
        return dials


@pytest.mark.parametrize("codes", [CODES[:4], CODES[4:7], CODES[7:]], ids=str)
async def test_a_hub_that_accepts_and_closes_is_dialled_ever_less_often(tmp_path: Path, codes: tuple[int, ...]) -> None:
    async def one(code: int) -> int:
        folder = tmp_path / str(code)
        folder.mkdir()
        gate = folder / "gate"
        return await dials_of(UselessHub(gate, closing_with(code)), folder, gate)

    dials = dict(zip(codes, await asyncio.gather(*map(one, codes)), strict=True))
    print(f"dials in {COUNTED_S:.0f} s by close code: {dials}")
    assert all(DIALS_MIN <= count <= dials_max() for count in dials.values()), dials


async def test_a_hub_that_answers_something_else_is_dialled_ever_less_often(tmp_path: Path) -> None:
    answers = {
        "503": answering(http.HTTPStatus.SERVICE_UNAVAILABLE),
        "HTML": answering(http.HTTPStatus.OK, "text/html"),
        "404": answering(http.HTTPStatus.NOT_FOUND),
        "a redirect in a circle": answering(http.HTTPStatus.FOUND, Location=NODE_PATH),
        "a redirect to a page": answering(http.HTTPStatus.MOVED_PERMANENTLY, Location="https://hub.example/"),
    }

    async def one(name: str) -> int:
        folder = tmp_path / name
        folder.mkdir()
        gate = folder / "gate"
        return await dials_of(UselessHub(gate, None, answer=answers[name]), folder, gate)

    dials = dict(zip(answers, await asyncio.gather(*map(one, answers)), strict=True))
    print(f"dials in {COUNTED_S:.0f} s by answer: {dials}")
    assert all(DIALS_MIN <= count <= dials_max() for count in dials.values()), dials


async def test_a_hub_that_is_to_be_left_alone_is_left_alone(tmp_path: Path) -> None:
    gates: dict[str, Path] = {}

    def gate_of(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        gates[name] = folder / "gate"
        return gates[name]

    later = answering(http.HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="60")
    forbidden = answering(http.HTTPStatus.FORBIDDEN)
    hubs = {
        # It named a time, it may still answer (30 s), or only a person can help.
        "later": UselessHub(gate_of("later"), None, answer=later),
        "nothing": UselessHub(gate_of("nothing"), say_nothing),
        "nonsense": UselessHub(gate_of("nonsense"), say_nonsense),
        "forbidden": UselessHub(gate_of("forbidden"), None, answer=forbidden),
        **{str(code): UselessHub(gate_of(str(code)), closing_with(code)) for code in FATAL_CODES},
    }
    counts = await asyncio.gather(*(dials_of(hub, gates[name].parent, gates[name]) for name, hub in hubs.items()))
    # Dialled once after it was lost, and then not for long.
    assert dict(zip(hubs, counts, strict=True)) == dict.fromkeys(hubs, 1)
