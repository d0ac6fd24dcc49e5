from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme

from examples.diagnosis import certificate_check, http_check, look_up_name, tcp_check
from tests.examples.diagnosis.servers import closed_port, closing, saying, serving, silent

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def kind_of(result: dict[str, object]) -> str | None:
    failure: Any = result["failure"]
    return None if failure is None else failure["kind"]


class TestTcpCheck:
    async def test_an_open_port_is_reachable_with_timings(self) -> None:
        async with serving(silent) as port:
            result = await tcp_check("127.0.0.1", port)
        assert result["is_reachable"] is True
        assert result["address"] == "127.0.0.1"
        assert isinstance(result["connect_ms"], float)
        assert result["failure"] is None

    async def test_a_closed_port_is_a_result_and_no_error(self) -> None:
        result = await tcp_check("127.0.0.1", closed_port())
        assert result["is_reachable"] is False
        assert kind_of(result) == "refused"
        assert result["connect_ms"] is None

    async def test_a_port_that_does_not_answer_ends_at_its_deadline(self) -> None:
        # A listener whose backlog is full drops the handshake, as a firewall would.
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for client in (first, second):
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            result = await tcp_check("127.0.0.1", listener.getsockname()[1], within_s=0.2)
        assert kind_of(result) == "timeout"

    async def test_an_unknown_name_is_a_result(self) -> None:
        result = await tcp_check("no-such-host.invalid", 80)
        assert kind_of(result) in {"name_unknown", "timeout"}
        assert result["address"] is None

    async def test_an_address_that_cannot_be_reached_is_a_result(self) -> None:
        # 255.255.255.255 is refused by the kernel at once: no route, no permission.
        result = await tcp_check("255.255.255.255", 80, within_s=1)
        assert kind_of(result) == "unreachable"

    async def test_cancelling_it_leaves_no_socket_behind(self) -> None:
        async with serving(silent) as port:
            check = asyncio.ensure_future(tcp_check("127.0.0.1", port))
            check.cancel()
            with pytest.raises(asyncio.CancelledError):
                await check

    @pytest.mark.parametrize(("argument", "value"), [("host", "a b"), ("port", 0), ("port", "80"), ("within_s", 1e9)])
    async def test_nonsense_is_refused(self, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"host": "127.0.0.1", "port": 80, argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            await tcp_check(**arguments)


class TestHttpCheck:
    async def test_an_answer_comes_back_with_its_timings(self) -> None:
        async with serving(saying(OK)) as port:
            result = await http_check(f"http://127.0.0.1:{port}/health?x=1")
        assert (result["status"], result["reason"], result["body_bytes"]) == (200, "OK", 5)
        assert result["has_answered"] is True
        assert result["is_body_complete"] is True
        assert result["tls_ms"] is None
        for key in ("look_up_ms", "connect_ms", "first_byte_ms", "total_ms"):
            assert isinstance(result[key], float), key

    async def test_the_request_names_host_and_target(self) -> None:
        seen: list[bytes] = []

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)

        async with serving(talk) as port:
            await http_check(f"http://localhost:{port}/a?b=c", method="GET")
        assert seen[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
        assert f"Host: localhost:{port}\r\n".encode() in seen[0]

    @pytest.mark.parametrize(
        ("answer", "body_bytes", "is_complete"),
        [
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 5, True),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n30\r\n" + b"x" * 48 + b"\r\n0\r\n\r\n", 10, False),
            (b"HTTP/1.0 200 OK\r\n\r\nto the end", 10, True),
            (b"HTTP/1.0 200 OK\r\n\r\nmore than was asked for", 10, False),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100, 10, False),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 0, True),
            (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 5, True),
            (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 0, True),
        ],
    )
    async def test_bodies_of_every_kind_are_counted_and_bounded(
        self, answer: bytes, body_bytes: int, is_complete: bool
    ) -> None:
        async with serving(saying(answer)) as port:
            result = await http_check(f"http://127.0.0.1:{port}/", body_bytes_max=10)
        assert kind_of(result) is None
        assert (result["body_bytes"], result["is_body_complete"]) == (body_bytes, is_complete)

    async def test_a_head_request_waits_for_no_body(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
        async with serving(saying(answer, and_close=False)) as port:
            result = await http_check(f"http://127.0.0.1:{port}/", method="HEAD")
        assert (result["body_bytes"], result["is_body_complete"]) == (0, True)

    async def test_a_redirect_is_reported_and_not_followed(self) -> None:
        answer = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n"
        async with serving(saying(answer)) as port:
            result = await http_check(f"http://127.0.0.1:{port}/")
        assert (result["status"], result["location"]) == (302, "http://elsewhere.invalid/")

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (b"SSH-2.0-OpenSSH_9.6\r\n", "not_http"),
            (b"HTTP/1.1 100 Continue\r\n\r\n" * 9, "not_http"),
            (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n", "not_http"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "not_http"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", "not_http"),
            (b"HTTP/1.1 200 OK\r\nContent-Le", "disconnected"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "disconnected"),
        ],
    )
    async def test_what_is_no_answer_is_named(self, answer: bytes, kind: str) -> None:
        async with serving(saying(answer)) as port:
            result = await http_check(f"http://127.0.0.1:{port}/")
        assert kind_of(result) == kind

    async def test_a_server_that_hangs_up_or_is_silent_is_a_result(self) -> None:
        async with serving(closing) as port:
            assert kind_of(await http_check(f"http://127.0.0.1:{port}/")) == "disconnected"
        async with serving(silent) as port:
            result = await http_check(f"http://127.0.0.1:{port}/", within_s=0.2)
        assert kind_of(result) == "timeout"
        assert result["connect_ms"] is not None
        assert result["has_answered"] is False

    async def test_https_checks_the_certificate_against_the_given_authority(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with serving(saying(OK), server_context(authority, "127.0.0.1")) as port:
            url = f"https://127.0.0.1:{port}/"
            trusted = await http_check(url, ca_path=str(tmp_path / "ca.pem"))
            stranger = await http_check(url)
        assert trusted["status"] == 200
        assert isinstance(trusted["tls_ms"], float)
        assert kind_of(stranger) == "certificate"

    async def test_https_to_a_server_without_tls_is_a_result(self) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        async with serving(plain) as port:
            assert kind_of(await http_check(f"https://127.0.0.1:{port}/")) == "tls"
        async with serving(closing) as port:
            assert kind_of(await http_check(f"https://127.0.0.1:{port}/")) == "tls"

    async def test_a_ca_file_without_certificates_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing")
        with pytest.raises(ValueError, match=r"^ca_path is .*PEM"):
            await http_check("https://127.0.0.1/", ca_path=str(tmp_path / "ca.pem"))

    @pytest.mark.parametrize(
        ("argument", "value"),
        [("url", "gopher://x"), ("within_s", 0), ("method", "POST"), ("body_bytes_max", -1), ("ca_path", "/none")],
    )
    async def test_nonsense_is_refused(self, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"url": "https://127.0.0.1/", argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            await http_check(**arguments)


def server_context(authority: trustme.CA, name: str, **options: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **options).configure_cert(context)
    return context


class TestCertificateCheck:
    async def test_a_trusted_certificate_is_described(self, tmp_path: Path) -> None:
        authority = trustme.CA(organization_name="Harbour Ltd")
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with serving(silent, server_context(authority, "127.0.0.1", common_name="pier")) as port:
            result = await certificate_check("127.0.0.1", port, ca_path=str(tmp_path / "ca.pem"))
        assert result["is_trusted"] is True
        assert result["names"] == ["127.0.0.1"]
        assert "CN=pier" in str(result["subject"])
        assert "Harbour Ltd" in str(result["issuer"])
        assert isinstance(result["days_left"], float)
        assert result["days_left"] > 1
        assert str(result["tls_version"]).startswith("TLS")

    async def test_a_stranger_is_shown_and_not_trusted(self) -> None:
        async with serving(silent, server_context(trustme.CA(), "127.0.0.1")) as port:
            result = await certificate_check("127.0.0.1", port)
        assert result["has_certificate"] is True
        assert result["is_trusted"] is False
        assert "certificate" in str(result["distrust"])
        assert result["failure"] is None

    async def test_a_wrong_name_and_an_expired_one_are_told_apart(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        past = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
        expired = server_context(authority, "127.0.0.1", not_before=past - dt.timedelta(days=1), not_after=past)
        async with serving(silent, server_context(authority, "other.example")) as port:
            wrong = await certificate_check("127.0.0.1", port, ca_path=str(tmp_path / "ca.pem"))
            named = await certificate_check(
                "127.0.0.1", port, server_name="other.example", ca_path=str(tmp_path / "ca.pem")
            )
        async with serving(silent, expired) as port:
            old = await certificate_check("127.0.0.1", port, ca_path=str(tmp_path / "ca.pem"))
        assert "IP address mismatch" in str(wrong["distrust"])
        assert named["is_trusted"] is True
        assert "expired" in str(old["distrust"])
        assert isinstance(old["days_left"], float)
        assert old["days_left"] < 0

    async def test_a_port_that_is_closed_silent_or_plain_is_a_result(self) -> None:
        assert kind_of(await certificate_check("127.0.0.1", closed_port())) == "refused"
        async with serving(silent) as port:
            assert kind_of(await certificate_check("127.0.0.1", port, within_s=0.2)) == "timeout"
        async with serving(closing) as port:
            result = await certificate_check("127.0.0.1", port)
        assert kind_of(result) == "tls"
        assert result["has_certificate"] is False
        assert result["days_left"] is None

    @pytest.mark.parametrize(("argument", "value"), [("port", -1), ("server_name", "a b"), ("within_s", None)])
    async def test_nonsense_is_refused(self, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"host": "127.0.0.1", argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            await certificate_check(**arguments)


class TestLookUpName:
    async def test_localhost_is_known(self) -> None:
        result = await look_up_name("localhost", family="ipv4")
        assert result["is_known"] is True
        assert result["ipv4"] == ["127.0.0.1"]
        assert result["ipv6"] == []
        assert isinstance(result["look_up_ms"], float)

    async def test_ipv6_stands_apart(self) -> None:
        result = await look_up_name("::1")
        assert result["ipv6"] == ["::1"]

    async def test_an_unknown_name_is_a_result(self) -> None:
        result = await look_up_name("no-such-host.invalid")
        assert result["is_known"] is False
        assert kind_of(result) in {"name_unknown", "timeout"}

    async def test_a_resolver_that_is_silent_ends_at_the_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        released = threading.Event()

        def never(*arguments: object) -> Any:
            released.wait(30)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", never)
        try:
            result = await look_up_name("slow.example", within_s=0.1)
        finally:
            released.set()
        assert kind_of(result) == "timeout"

    async def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"^family is 'ipx'; give one of any, ipv4, ipv6"):
            await look_up_name("localhost", family="ipx")
