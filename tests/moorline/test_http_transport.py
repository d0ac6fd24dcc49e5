from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest
import trustme
from aiohttp import web

from hub.accepting import accept_no_more
from moorline import HubError, HubUnavailableError
from moorline import http_transport as module
from moorline.http_transport import HttpTransport


class Server:
    """Answers each request as its path says."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._stopping = asyncio.Event()

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._runner.server, "127.0.0.1", 0, ssl=context)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._stopping.set()
        if self._runner is not None and self._server is not None:
            await accept_no_more(self._server)
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        match request.path.rpartition("/")[2]:
            case "abort":
                assert request.transport is not None
                request.transport.abort()
            case "redirect":
                raise web.HTTPFound("/elsewhere")
            case "seconds":
                return web.Response(status=503, headers={"Retry-After": "7"})
            case "date":
                return web.Response(status=503, headers={"Retry-After": formatdate(time() + 100, usegmt=True)})
            case "nonsense":
                return web.Response(status=503, headers={"Retry-After": "soon"})
            case "slow":
                response = web.StreamResponse()
                await response.prepare(request)
                await response.write(b"a piece")
                # Says no more until its reader has left or the server stops.
                await self._stopping.wait()
                return response
        return web.Response(body=b"%b %b" % (request.method.encode(), await request.read()))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    await running.start()
    yield running
    await running.stop()


async def test_requests_carry_token_path_query_and_body(server: Server) -> None:
    transport = HttpTransport(f"{server.url}/behind/a/proxy/", token="secret")
    answer = await transport.request(
        "POST", "/v1/tasks", query={"id": "a,b"}, body=b"{}", content_type="application/x-ndjson", timeout_s=30
    )
    assert (answer.status, answer.body, answer.retry_after_s) == (200, b"POST {}", None)
    (seen,) = server.seen
    assert seen.path_qs == "/behind/a/proxy/v1/tasks?id=a,b"
    assert seen.headers["Authorization"] == "Bearer secret"
    assert seen.content_type == "application/x-ndjson"
    await transport.close()


async def test_a_body_of_megabytes_is_sent_without_a_warning(server: Server) -> None:
    transport = HttpTransport(server.url)
    body = b"x" * (4 * 1024 * 1024)
    answer = await transport.request("POST", "/v1/tasks", body=body, timeout_s=30)
    assert answer.body == b"POST " + body
    await transport.close()


async def test_ids_in_paths_stay_as_they_are(server: Server) -> None:
    transport = HttpTransport(server.url)
    await transport.request("GET", "/v1/tasks/a%2Fb", timeout_s=30)
    assert server.seen[0].raw_path == "/v1/tasks/a%2Fb"
    assert "Authorization" not in server.seen[0].headers
    await transport.close()


@pytest.mark.parametrize(
    ("path", "low_s", "high_s"), [("/seconds", 7, 7), ("/date", 50, 100), ("/nonsense", None, None)]
)
async def test_how_long_to_stay_away_is_read(
    server: Server, path: str, low_s: float | None, high_s: float | None
) -> None:
    transport = HttpTransport(server.url)
    answer = await transport.request("GET", path, timeout_s=30)
    if low_s is None or high_s is None:
        assert answer.retry_after_s is None
    else:
        assert answer.retry_after_s is not None
        assert low_s <= answer.retry_after_s <= high_s
    await transport.close()


async def test_redirects_are_not_followed_with_a_token(server: Server) -> None:
    transport = HttpTransport(server.url, token="secret")
    assert (await transport.request("GET", "/redirect", timeout_s=30)).status == 302
    await transport.close()


async def test_an_answer_that_breaks_off_or_takes_too_long_is_an_absent_hub(server: Server) -> None:
    transport = HttpTransport(server.url)
    with pytest.raises(HubUnavailableError, match=r"cannot be reached"):
        await transport.request("POST", "/abort", timeout_s=30)
    with pytest.raises(HubUnavailableError, match=r"has not answered within 0.05 s"):
        await transport.request("GET", "/slow", timeout_s=0.05)
    await transport.close()
    await transport.close()
    with pytest.raises(HubError, match="the client is closed"):
        await transport.request("GET", "/", timeout_s=30)


async def test_a_port_where_nobody_listens_is_an_absent_hub(server: Server) -> None:
    await server.stop()
    transport = HttpTransport(server.url)
    with pytest.raises(HubUnavailableError, match="cannot be reached"):
        await transport.request("GET", "/", timeout_s=30)
    with pytest.raises(HubUnavailableError, match="cannot be reached"):
        async with transport.stream("/", query={}):
            pass
    await transport.close()


async def test_a_stream_that_falls_silent_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than a busy machine takes for the first piece.
    monkeypatch.setattr(module, "SILENCE_S_MAX", 0.5)
    transport = HttpTransport(server.url)
    pieces: list[bytes] = []

    async def read() -> None:
        async with transport.stream("/slow", query={"kind": "task"}) as answer:
            assert answer.status == 200
            async for piece in answer.pieces:
                pieces.append(piece)  # noqa: PERF401  # a comprehension would lose what came before the silence

    with pytest.raises(HubUnavailableError):
        await read()
    assert pieces == [b"a piece"]
    await transport.close()


@pytest.mark.parametrize("url", ["127.0.0.1:8780", "ws://127.0.0.1", "http://", "", None, 8780])
def test_an_address_that_is_none_is_refused_at_once(url: Any) -> None:
    with pytest.raises(ValueError, match=f"the hub's url is {url!r}; it must be like http://127"):
        HttpTransport(url)


@pytest.mark.parametrize("token", ["moor_a b", "moor_a\nb", "moor_ä", "moor_\x00"])
def test_a_token_that_no_header_can_carry_is_refused_at_once_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match="the token holds a space") as caught:
        HttpTransport("http://127.0.0.1", token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "sent"), [("moor_a\n", "Bearer moor_a"), (" moor_a ", "Bearer moor_a"), ("", None), ("\n", None)]
)
async def test_a_token_comes_from_a_file_or_a_variable(server: Server, token: str, sent: str | None) -> None:
    transport = HttpTransport(server.url, token=token)
    await transport.request("GET", "/", timeout_s=30)
    assert server.seen[0].headers.get("Authorization") == sent
    await transport.close()


def test_a_file_of_certificates_that_is_none_is_named(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    with pytest.raises(FileNotFoundError, match=r"nothing\.pem"):
        HttpTransport("https://127.0.0.1", ca=nothing)
    nothing.write_text("no certificate")
    with pytest.raises(OSError, match=r"nothing\.pem', which holds no certificate"):
        HttpTransport("https://127.0.0.1", ca=nothing)


async def test_another_event_loop_is_refused(server: Server) -> None:
    transport = HttpTransport(server.url)
    await transport.request("GET", "/", timeout_s=30)
    for wrong in (transport.request("GET", "/", timeout_s=30), transport.close()):
        with pytest.raises(RuntimeError, match="has been used on another event loop"):
            await asyncio.to_thread(asyncio.run, wrong)
    await transport.close()


async def test_an_authority_can_be_named(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = Server()
    await server.start(context)
    trusting, careful = HttpTransport(server.url, ca=tmp_path / "ca.pem"), HttpTransport(server.url)
    assert (await trusting.request("GET", "/", timeout_s=30)).status == 200
    with pytest.raises(HubUnavailableError, match=r"cannot be reached: its certificate is not good: [a-z -]*; .*--ca"):
        await careful.request("GET", "/", timeout_s=30)
    await trusting.close()
    await careful.close()
    await server.stop()


async def test_tls_on_one_side_alone_is_said_with_the_address_that_would_be_right(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    secured, plain = Server(), Server()
    await secured.start(context)
    await plain.start()
    for url, other in (
        (secured.url.replace("https", "http"), f"if the hub wants TLS, write {secured.url}"),
        (plain.url.replace("http", "https"), f"if the hub has no TLS, write {plain.url}"),
    ):
        transport = HttpTransport(url)
        with pytest.raises(HubUnavailableError) as caught:
            await transport.request("GET", "/", timeout_s=30)
        assert caught.value.remedy.startswith(other)
        await transport.close()
    await secured.stop()
    await plain.stop()


async def test_a_hub_that_dies_after_it_has_answered_is_not_taken_for_one_with_tls(server: Server) -> None:
    transport = HttpTransport(server.url)
    await transport.request("GET", "/", timeout_s=30)
    with pytest.raises(HubUnavailableError) as caught:
        await transport.request("POST", "/abort", timeout_s=30)
    assert caught.value.remedy == ""
    await transport.close()
