from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from click.testing import CliRunner, Result

from moorline.cli import cli
from moorline.health import ask, read, words_of


class Probed:
    """A server that says of itself what the test wants."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        probed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = probed.answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def says(self, path: str, status: int, **document: Any) -> None:
        self.answers[path] = (status, json.dumps(document).encode())


@pytest.fixture
def probed() -> Iterator[Probed]:
    probed = Probed()
    thread = threading.Thread(target=probed.server.serve_forever, args=(0.01,))
    thread.start()
    yield probed
    probed.server.shutdown()
    probed.server.server_close()
    thread.join()


def health(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["health", *arguments])


def test_what_is_ready_ends_with_0(probed: Probed) -> None:
    probed.says("/readyz", 200, ready=True, reasons=[])
    result = health("--url", probed.url)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "ready\n", "")


def test_what_is_not_ready_ends_with_1_and_says_why(probed: Probed) -> None:
    probed.says("/readyz", 503, ready=False, reasons=["the disk is full", "it stops\x1b[2J"])
    result = health("--url", probed.url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "the disk is full; it stops" in result.stderr
    assert "\x1b" not in result.stderr


def test_what_is_not_ready_may_be_live(probed: Probed) -> None:
    probed.says("/livez", 200, ready=True, reasons=[])
    result = health("--url", probed.url, "--live")
    assert (result.exit_code, result.stdout) == (0, "live\n")


def test_what_was_said_can_be_had_as_a_document(probed: Probed) -> None:
    probed.says("/readyz", 503, ready=False, reasons=["x"], running=3)
    result = health("--url", probed.url, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"ready": False, "reasons": ["x"], "running": 3}


def test_who_says_not_why_is_not_ready_all_the_same(probed: Probed) -> None:
    probed.says("/readyz", 503, ready=False, reasons=[])
    assert "not why" in health("--url", probed.url).stderr


@pytest.mark.parametrize("body", [b"", b"[]", b'{"ready": 1}', b"<html>", b'{"ready": true, "reasons": 3}'])
def test_another_service_on_the_port_is_not_healthy(probed: Probed, body: bytes) -> None:
    probed.answers["/readyz"] = (200, body)
    answer = ask(probed.url, "/readyz", None, 5.0)
    assert not answer.is_good
    assert "neither a hub nor a node" in answer.reasons[0]


def test_nobody_on_the_port_is_not_healthy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = health("--url", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert result.exit_code == 1
    assert "does not answer" in result.stderr


def test_who_does_not_answer_in_time_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        answer = ask(url, "/readyz", None, 0.05)
    assert not answer.is_good
    assert "timed out" in answer.reasons[0]


def test_a_file_that_is_fresh_says_how_the_node_is(tmp_path: Path) -> None:
    file = tmp_path / "health"
    file.write_text(json.dumps({"ready": True, "reasons": [], "at": time.time()}))
    assert health("--file", str(file)).exit_code == 0
    file.write_text(json.dumps({"ready": False, "reasons": ["the node drains"], "at": time.time()}))
    assert "the node drains" in health("--file", str(file)).stderr
    assert health("--file", str(file), "--live").exit_code == 0


def test_a_file_that_is_old_was_left_by_the_dead(tmp_path: Path) -> None:
    file = tmp_path / "health"
    file.write_text(json.dumps({"ready": True, "reasons": [], "at": 100.0}))
    assert read(file, 30.0, 130.0, live=True).is_good
    old = read(file, 30.0, 131.0, live=True)
    assert not old.is_good
    assert "31 s old" in old.reasons[0]


def test_no_file_is_no_node(tmp_path: Path) -> None:
    result = health("--file", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "no node runs" in result.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (URLError(ConnectionRefusedError(111, "Connection refused")), "nothing listens there"),
        (
            URLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong (_ssl.c:1)")),
            "if it has no TLS, write http://hub:1",
        ),
        (RemoteDisconnected("Remote end closed"), "if it wants TLS, write https://hub:1"),
        (URLError(socket.gaierror(-2, "Name or service not known")), "Name or service not known"),
        (BadStatusLine("x"), "x"),
    ],
)
def test_why_there_is_no_answer_is_said_in_words(error: OSError | HTTPException, words: str) -> None:
    url = "http://hub:1" if isinstance(error, RemoteDisconnected) else "https://hub:1"
    said = words_of(error, url)
    assert words in said
    assert "_ssl.c" not in said
    assert "Errno" not in said


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no")
    answer = ask("https://127.0.0.1:1", "/readyz", tmp_path / "no.pem", 1.0)
    assert answer.reasons == [f"--ca {tmp_path / 'no.pem'} holds no certificates in PEM form"]
