"""Dialling what is a hub and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import http
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, InvalidProxy
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from node import connection as module
from node.connection import NOT_A_HUB, Connection, Dialer, explain
from node.errors import ConnectionLostError, DialError, SettingsError
from protocol import frames
from protocol.errors import ProtocolError
from protocol.limits import NODE_PATH, SUBPROTOCOL
from tests.node.fake_hub import FakeHub


@contextlib.asynccontextmanager
async def dialled(hub: FakeHub) -> AsyncIterator[Connection]:
    connection = await Dialer(token="secret", version="1").dial(hub.url)
    try:
        yield connection
    finally:
        await connection.close(1000, "done")


async def problem_of(url: str, dialer: Dialer | None = None) -> DialError:
    with pytest.raises(DialError) as caught:
        await (dialer or Dialer()).dial(url)
    return caught.value


def answering(status: int, text: str = "", content_type: str = "text/plain; charset=utf-8", **headers: str) -> FakeHub:
    def answer(socket: ServerConnection, request: Request) -> Response:
        response = socket.respond(http.HTTPStatus(status), text)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = content_type
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return FakeHub(answer)


async def test_a_dial_says_who_we_are_and_what_we_speak() -> None:
    async with FakeHub() as hub, dialled(hub):
        (request,) = hub.requests
        assert request.path == NODE_PATH
        assert request.headers["Authorization"] == "Bearer secret"
        assert request.headers["Sec-WebSocket-Protocol"] == SUBPROTOCOL
        assert request.headers["User-Agent"] == "moorline-node/1"
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert "Origin" not in request.headers


@pytest.mark.parametrize("instance", ["one", ""])
async def test_a_connection_knows_which_process_of_the_hub_it_leads_to_if_that_was_said(instance: str) -> None:
    async with FakeHub(instance=instance) as hub, dialled(hub) as connection:
        assert connection.hub_instance == instance


async def test_a_hub_behind_a_path_is_dialled_there() -> None:
    async with FakeHub() as hub:
        for path in ("/behind/a/proxy", "/behind/a/proxy/", f"/behind/a/proxy{NODE_PATH}"):
            connection = await Dialer().dial(hub.url + path)
            await connection.close(1000, "")
        assert {request.path for request in hub.requests} == {f"/behind/a/proxy{NODE_PATH}"}


async def test_frames_go_out_together_and_come_in_as_they_were_sent() -> None:
    async with FakeHub() as hub, dialled(hub) as connection:
        peer = await hub.peer()
        connection.send([frames.Drain(reason="one")])
        connection.send([frames.Drain(reason="two"), frames.Bye()])
        assert [await peer.next(), await peer.next(), await peer.next()] == [
            frames.Drain(reason="one"),
            frames.Drain(reason="two"),
            frames.Bye(),
        ]
        await peer.send(frames.HeartbeatAck(sequence=1), frames.HeartbeatAck(sequence=2))
        assert [frame async for frame in received(connection, 2)] == [
            frames.HeartbeatAck(sequence=1),
            frames.HeartbeatAck(sequence=2),
        ]
        assert not connection.is_congested
        connection.send([frames.Bye()] * (module.FRAMES_CONGESTED + 1))
        assert connection.is_congested


async def received(connection: Connection, count: int) -> AsyncIterator[frames.HubFrame]:
    while count > 0:
        for frame in await connection.receive():
            count -= 1
            yield frame


@pytest.mark.parametrize("code", [1000, 1001, 1012, 4000, 4003])
async def test_a_close_is_told_with_its_code_and_reason(code: int) -> None:
    async with FakeHub() as hub, dialled(hub) as connection:
        peer = await hub.peer()
        await peer.socket.close(code, "because")
        with pytest.raises(ConnectionLostError, match="because") as caught:
            await connection.receive()
        assert caught.value.code == code


async def test_a_connection_that_breaks_is_told_as_1006() -> None:
    async with FakeHub() as hub, dialled(hub) as connection:
        peer = await hub.peer()
        peer.socket.transport.abort()
        with pytest.raises(ConnectionLostError, match="broke") as caught:
            await connection.receive()
        assert caught.value.code == 1006


async def test_what_is_not_a_frame_is_refused() -> None:
    async with FakeHub() as hub, dialled(hub) as connection:
        peer = await hub.peer()
        await peer.socket.send('{"type":"ack"}')
        with pytest.raises(ProtocolError):
            await connection.receive()


async def test_a_frame_that_cannot_be_sent_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeHub() as hub, dialled(hub) as connection:
        connection.send([frames.Bye(reason="\ud800")])
        with pytest.raises(ConnectionLostError):
            await connection.receive()
        assert "bug in Moorline" in caplog.text


async def test_a_hub_that_does_not_read_loses_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEND_WITHIN_S", 0.05)

    has_been_dropped = asyncio.Event()

    async def sit(_: ServerConnection) -> None:
        await has_been_dropped.wait()

    async with serve(
        sit,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        max_queue=1,
        close_timeout=0.1,
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        connection = await Dialer().dial(f"ws://127.0.0.1:{port}")
        connection.send([frames.Drain(reason="x" * 1000)] * 30_000)
        with pytest.raises(ConnectionLostError):
            await connection.receive()
        await connection.close(1000, "")
        has_been_dropped.set()


async def test_a_refused_token_is_fatal_and_says_what_to_do() -> None:
    async with answering(401, "the token is unknown\nmore") as hub:
        problem = await problem_of(hub.url)
    assert problem.is_fatal
    assert str(problem) == "the hub refuses the token: the token is unknown; give a valid one with --token"


@pytest.mark.parametrize(("status", "words"), [(403, "role node"), (426, "upgrade")])
async def test_answers_that_only_a_person_can_change_are_fatal(status: int, words: str) -> None:
    async with answering(status, "no") as hub:
        problem = await problem_of(hub.url)
    assert problem.is_fatal
    assert words in str(problem)


@pytest.mark.parametrize(("header", "wait_s"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
@pytest.mark.parametrize("status", [503, 429])
async def test_a_hub_that_takes_nobody_now_says_when_to_come_back(
    status: int, header: str, wait_s: float | None
) -> None:
    async with answering(status, "many nodes come at once", Retry_After=header) as hub:
        problem = await problem_of(hub.url)
    assert problem.retry_after_s == wait_s
    assert not problem.is_fatal
    assert "many nodes come at once" in str(problem)


@pytest.mark.parametrize(
    ("status", "text", "content_type"),
    [
        (200, "<html>hello</html>", "text/html"),
        (404, "<html>not here</html>", "text/html"),
        (500, "oh\x00no", "text/plain"),
        (502, "", "text/plain"),
    ],
)
async def test_something_else_than_a_hub_is_named_as_such(status: int, text: str, content_type: str) -> None:
    async with answering(status, text, content_type) as hub:
        problem = await problem_of(hub.url)
    assert str(problem) == f"{NOT_A_HUB} (HTTP {status}); check the address and the port"
    assert not problem.is_fatal


async def test_a_websocket_server_of_another_kind_is_named_as_such() -> None:
    async with FakeHub(subprotocols=()) as hub:
        assert NOT_A_HUB in str(await problem_of(hub.url))


class Mumbler(asyncio.Protocol):
    """Says something to whoever connects, or nothing at all."""

    def __init__(self, says: bytes | None) -> None:
        self.says = says
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.says is not None:
            transport.write(self.says)
            transport.close()


@contextlib.asynccontextmanager
async def listening(says: bytes | None) -> AsyncIterator[str]:
    """A TCP server that is not a hub."""
    mumbler = Mumbler(says)
    async with await asyncio.get_running_loop().create_server(lambda: mumbler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if mumbler.transport is not None:
            mumbler.transport.abort()


async def test_a_server_that_does_not_speak_http_is_named_as_such() -> None:
    async with listening(b"SSH-2.0-OpenSSH_9.6\r\n") as url:
        assert NOT_A_HUB in str(await problem_of(url))


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 1"])
async def test_a_server_that_closes_before_it_answers_may_be_a_proxy_without_a_hub(says: bytes) -> None:
    async with listening(says) as url:
        assert str(await problem_of(url)) == (
            "the connection was closed before it was answered; if the hub wants TLS, write wss://"
        )


async def test_silence_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_WITHIN_S", 0.05)
    async with listening(None) as url:
        assert "no answer within" in str(await problem_of(url))


async def test_a_connection_that_is_reset_before_the_first_byte_is_a_dial_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def reset(*_: object, **__: object) -> None:
        raise ConnectionClosedError(None, None)

    monkeypatch.setattr(module, "_Dial", reset)
    assert "closed before we could speak" in str(await problem_of("ws://127.0.0.1:1"))


async def test_nothing_that_listens_is_said_in_words() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    assert "nothing listens there" in str(await problem_of(url))


async def test_a_proxy_is_dialled_and_one_that_is_away_or_of_another_kind_is_said_in_words() -> None:
    async with listening(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as url:
        problem = await problem_of("ws://hub.example", Dialer(proxy=url.replace("ws:", "http:")))
    assert "check --proxy" in str(problem)
    assert "python-socks" in str(explain(ImportError("connecting through a SOCKS proxy requires python-socks")))


def test_other_errors_are_said_in_words() -> None:
    assert "check --proxy" in str(explain(InvalidProxy("x://", "unknown")))
    assert str(explain(OSError(113, "No route to host"))) == "No route to host"
    assert "TLS failed" in str(explain(ssl.SSLError(1, "WRONG_VERSION_NUMBER")))
    assert str(explain(ValueError("x"))) == "ValueError: x"


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.asynccontextmanager
async def secured(authority: trustme.CA) -> AsyncIterator[str]:
    """A hub with a certificate, that asks for one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve_one(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(serve_one, "127.0.0.1", 0, ssl=context, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
        yield f"wss://localhost:{next(iter(server.sockets)).getsockname()[1]}"


async def test_a_hub_with_a_certificate_is_checked_and_shown_ours(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    mine = authority.issue_cert("node")
    mine.private_key_and_cert_chain_pem.write_to_path(tmp_path / "node.pem")
    async with secured(authority) as url:
        connection = await Dialer(ca=tmp_path / "ca.pem", client_cert=tmp_path / "node.pem").dial(url)
        await connection.close(1000, "")
        problem = await problem_of(url)
    assert "not trusted" in str(problem)
    assert "--ca" in str(problem)


async def test_tls_is_not_told_to_a_hub_without_it_in_silence() -> None:
    async with FakeHub() as hub:
        problem = await problem_of(hub.url.replace("ws:", "wss:"))
    assert str(problem) == "the connection was reset before it was answered; if the hub has no TLS, write ws://"


async def test_a_hub_with_tls_that_is_greeted_without_it_is_named_as_such(authority: trustme.CA) -> None:
    async with secured(authority) as url:
        assert "if the hub wants TLS, write wss://" in str(await problem_of(url.replace("wss:", "ws:")))


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError(), TimeoutError(), ConnectionAbortedError()])
def test_no_error_is_without_words(error: OSError) -> None:
    assert str(explain(error))


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no")
    with pytest.raises(SettingsError, match="ca is") as caught:
        Dialer(ca=tmp_path / "no.pem")
    assert "_ssl.c" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"client cert is .* no PEM") as caught:
        Dialer(client_cert=tmp_path / "no.pem")
    assert "_ssl.c" not in str(caught.value)


@pytest.mark.parametrize("place", [NODE_PATH, "https://hub.example/v1/node", "ws://127.0.0.1:1/", "::"])
async def test_a_redirect_is_not_followed_and_its_place_is_told(place: str) -> None:
    async with answering(301, Location=place) as hub:
        problem = await problem_of(hub.url, Dialer(token="secret"))
        assert place in str(problem)
        assert "--hub" in str(problem)
        assert not problem.is_fatal
        assert hub.dials == 1
