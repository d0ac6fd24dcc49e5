from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from moorline.checks import (
    ANSWER_BYTES_MAX,
    SUBPROTOCOL,
    Answer,
    Check,
    Target,
    accept_of,
    judge_certificate,
    judge_clock,
    judge_disk,
    judge_ready,
    judge_token,
    judge_upgrade,
    judge_version,
    look_at_api,
    look_at_disk,
    look_at_sessions,
)
from moorline.cli import cli
from moorline.doctor import guessed, node_address, worst
from moorline.version import installed_version
from tests.moorline.raw_server import RawServer

NOW_S = 1_900_000_000.0
GIB = 1024**3


def verdicts(checks: Iterator[Check]) -> dict[str, str]:
    return {check.name: check.verdict for check in checks}


# --- judging ---------------------------------------------------------------------------------------------------------


class TestJudging:
    def test_a_hub_that_is_ready_is_well(self) -> None:
        assert judge_ready(200, {"ready": True}).verdict == "ok"

    def test_a_hub_that_is_not_ready_says_why(self) -> None:
        check = judge_ready(503, {"ready": False, "reasons": ["disk full"]})
        assert (check.verdict, "disk full" in check.detail) == ("fail", True)
        assert "503" in judge_ready(503, {"ready": False}).detail

    @pytest.mark.parametrize("document", [None, {}, {"ready": "yes"}])
    def test_what_is_no_hub_is_recognised(self, document: dict[str, object] | None) -> None:
        assert "no hub" in judge_ready(200, document).detail

    @pytest.mark.parametrize(
        ("away_s", "verdict", "words"),
        [(0, "ok", "same"), (-4, "ok", "same"), (5, "ok", "same"), (-60, "warn", "behind"), (60, "warn", "ahead of")],
    )
    def test_clocks_may_differ_by_what_the_header_cannot_tell(self, away_s: float, verdict: str, words: str) -> None:
        check = judge_clock(formatdate(NOW_S + away_s, usegmt=True), NOW_S, NOW_S + 0.1)
        assert check.verdict == verdict
        assert words in check.detail

    @pytest.mark.parametrize("date", [None, "", "yesterday"])
    def test_without_a_date_the_clock_is_not_judged(self, date: str | None) -> None:
        assert judge_clock(date, NOW_S, NOW_S).verdict == "skip"

    @pytest.mark.parametrize(
        ("status", "has_token", "verdict", "words"),
        [
            (200, True, "ok", "is good"),
            (200, False, "ok", "none is needed"),
            (401, True, "fail", "unknown, revoked or expired"),
            (401, False, "fail", "wants one"),
            (403, True, "fail", "role"),
            (500, True, "fail", "status 500"),
        ],
    )
    def test_a_token_is_judged_by_the_answer(self, status: int, has_token: bool, verdict: str, words: str) -> None:
        check = judge_token(status, has_token=has_token)
        assert check.verdict == verdict
        assert words in check.detail
        assert bool(check.remedy) == (verdict == "fail")

    @pytest.mark.parametrize(
        ("document", "verdict"),
        [
            ({"hub": {"version": "1"}}, "ok"), ({"hub": {"version": "2"}}, "warn"), ({"hub": {}}, "skip"),
            ({"hub": 3}, "skip"), (None, "skip"),
        ],
    )  # fmt: skip
    def test_versions_should_be_the_same(self, document: dict[str, object] | None, verdict: str) -> None:
        assert judge_version(document, "1").verdict == verdict

    def test_the_proof_of_a_handshake_is_that_of_the_rfc(self) -> None:
        assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    def test_a_handshake_needs_its_proof_and_its_subprotocol(self) -> None:
        proof = {"sec-websocket-accept": accept_of("k")}
        good = Answer(status=101, headers={**proof, "sec-websocket-protocol": SUBPROTOCOL})
        assert judge_upgrade(good, "k", has_token=False).verdict == "ok"
        assert "speak" in judge_upgrade(Answer(status=101, headers=proof), "k", has_token=False).detail
        assert "in its place" in judge_upgrade(Answer(status=101), "k", has_token=False).detail

    @pytest.mark.parametrize(
        ("status", "has_token", "words"),
        [
            (401, False, "wants a token"), (401, True, "unknown, revoked or expired"), (403, True, "has another role"),
            (404, False, "no /v1/node"), (429, False, "as many connections"), (426, False, "status 426"),
            (200, False, "status 200"),
        ],
    )  # fmt: skip
    def test_a_refused_handshake_says_what_to_do(self, status: int, has_token: bool, words: str) -> None:
        check = judge_upgrade(Answer(status=status), "k", has_token=has_token)
        assert check.verdict == "fail"
        assert words in check.detail
        assert check.remedy

    def test_a_hub_that_is_busy_is_a_warning(self) -> None:
        assert judge_upgrade(Answer(status=503), "k", has_token=False).verdict == "warn"

    @pytest.mark.parametrize(("days", "verdict"), [(90, "ok"), (14, "ok"), (13, "warn"), (0, "warn")])
    def test_a_certificate_that_ends_soon_is_a_warning(self, days: int, verdict: str) -> None:
        assert judge_certificate(NOW_S + days * 86400, NOW_S).verdict == verdict

    @pytest.mark.parametrize(
        ("free_bytes", "verdict"), [(2 * GIB, "ok"), (GIB - 1, "warn"), (100 * 1024**2 - 1, "fail"), (0, "fail")]
    )
    def test_a_disk_wants_room(self, free_bytes: int, verdict: str) -> None:
        assert judge_disk(Path("x"), free_bytes).verdict == verdict

    def test_the_worst_counts_and_what_was_skipped_is_well(self) -> None:
        def checks(*given: str) -> list[Check]:
            return [Check(name="x", verdict=verdict, detail="") for verdict in given]  # type: ignore[arg-type]

        assert worst(checks("ok", "skip")) == "ok"
        assert worst(checks("ok", "warn")) == "warn"
        assert worst(checks("warn", "fail", "ok")) == "fail"

    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("http://h:8780", "ws://h:8765"),
            ("https://hub.example/base", "wss://hub.example:8765"),
            ("http://[::1]:8780", "ws://[::1]:8765"),
        ],
    )
    def test_nodes_connect_to_the_same_host(self, url: str, address: str) -> None:
        assert node_address(url) == address


# --- looking ---------------------------------------------------------------------------------------------------------


def answer(status: str, document: object = None, headers: str = "") -> bytes:
    body = b"" if document is None else json.dumps(document).encode()
    date = formatdate(usegmt=True)
    return f"HTTP/1.1 {status}\r\nDate: {date}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def hub_answers(request: bytes) -> bytes:
    """Answer as a hub that knows the token `sesame`."""
    head = request.decode()
    path = head.split(" ")[1]
    if path == "/readyz":
        return answer("200 OK", {"ready": True, "reasons": []})
    if "Bearer sesame" not in head:
        return answer("401 Unauthorized", {"error": {"code": "unauthorized", "message": "no"}})
    if path == "/v1/me":
        return answer("200 OK", {"role": "admin", "name": "me"})
    if path == "/v1/stats":
        return answer("200 OK", {"hub": {"version": installed_version()}})
    assert path == "/v1/node"
    key = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    assert len(base64.b64decode(key)) == 16
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_of(key)}\r\n"
    return answer("101 Switching Protocols", None, f"{upgrade}Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n")


@pytest.fixture
def hub() -> Iterator[RawServer]:
    with RawServer(hub_answers) as server:
        yield server


class TestLooking:
    def test_a_hub_that_is_well_passes_every_check(self, hub: RawServer) -> None:
        api = look_at_api(Target(address=f"http://localhost:{hub.port}"), "sesame", installed_version())
        assert verdicts(api) == dict.fromkeys(["dns", "tcp", "hub", "clock", "token", "version"], "ok")
        nodes = look_at_sessions(Target(address=f"ws://127.0.0.1:{hub.port}"), "sesame")
        assert verdicts(nodes) == {"tcp": "ok", "session": "ok"}

    def test_a_wrong_token_fails_both(self, hub: RawServer) -> None:
        api = verdicts(look_at_api(Target(address=f"http://127.0.0.1:{hub.port}"), "wrong", "1"))
        assert (api["token"], "version" in api) == ("fail", False)
        assert verdicts(look_at_sessions(Target(address=f"ws://127.0.0.1:{hub.port}"), None))["session"] == "fail"

    def test_a_hub_behind_a_path_is_found(self) -> None:
        paths = []

        def note(request: bytes) -> bytes:
            paths.append(request.split(b" ")[1])
            return answer("404 Not Found")

        with RawServer(note) as server:
            list(look_at_api(Target(address=f"http://127.0.0.1:{server.port}/base/"), None, "1"))
        assert paths == [b"/base/readyz"]

    def test_nothing_is_asked_of_what_is_no_hub(self) -> None:
        with RawServer(lambda _: answer("200 OK", ["no hub"])) as server:
            checks = list(look_at_api(Target(address=f"http://127.0.0.1:{server.port}"), "sesame", "1"))
        assert [check.name for check in checks] == ["tcp", "hub"]
        assert "no hub" in checks[-1].detail

    @pytest.mark.parametrize("words", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"HTTP/1.1 two hundred\r\n\r\n"])
    def test_what_speaks_no_http_is_a_failure_with_a_remedy(self, words: bytes) -> None:
        with RawServer(lambda _: words) as server:
            checks = list(look_at_api(Target(address=f"http://127.0.0.1:{server.port}"), None, "1"))
        assert (checks[-1].name, checks[-1].verdict) == ("http", "fail")
        assert "https://" in checks[-1].remedy

    def test_an_endless_page_is_not_read_to_its_end(self) -> None:
        page = answer("200 OK", "x" * (4 * ANSWER_BYTES_MAX))
        with RawServer(lambda _: page) as server:
            checks = list(look_at_api(Target(address=f"http://127.0.0.1:{server.port}"), None, "1"))
        assert "no hub" in checks[-1].detail

    def test_a_port_that_nobody_has_is_a_failure(self, hub: RawServer) -> None:
        hub.close()
        checks = list(look_at_sessions(Target(address=f"ws://127.0.0.1:{hub.port}"), None))
        assert [check.name for check in checks] == ["tcp"]
        assert "nothing listens" in checks[0].detail

    def test_a_name_without_an_address_is_a_failure(self) -> None:
        checks = list(look_at_api(Target(address="http://nowhere.invalid:1"), None, "1"))
        assert [(check.name, check.verdict) for check in checks] == [("dns", "fail")]

    def test_a_name_that_is_none_is_a_failure(self) -> None:
        checks = list(look_at_api(Target(address=f"http://{'x' * 64}.invalid:1"), None, "1"))
        assert [(check.name, check.verdict) for check in checks] == [("dns", "fail")]

    def test_the_scheme_s_port_is_the_default(self) -> None:
        assert (Target(address="https://h").port, Target(address="ws://h").port) == (443, 80)

    def test_a_state_folder_elsewhere_is_skipped(self, tmp_path: Path) -> None:
        assert look_at_disk(tmp_path / "none").verdict == "skip"
        assert look_at_disk(tmp_path).name == "disk"


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def secured(self, authority: trustme.CA) -> Iterator[RawServer]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        with RawServer(hub_answers, context) as server:
            yield server

    @pytest.fixture
    def ca(self, authority: trustme.CA, tmp_path: Path) -> Path:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return path

    def test_with_its_authority_a_certificate_is_good(self, secured: RawServer, ca: Path) -> None:
        target = Target(address=f"https://localhost:{secured.port}", ca=ca)
        found = verdicts(look_at_api(target, "sesame", installed_version()))
        assert found["tls"] in {"ok", "warn"}
        assert found["hub"] == found["token"] == "ok"

    def test_without_its_authority_it_is_not(self, secured: RawServer) -> None:
        checks = list(look_at_sessions(Target(address=f"wss://localhost:{secured.port}"), None))
        assert (checks[-1].name, checks[-1].verdict) == ("tls", "fail")
        assert "--ca" in checks[-1].remedy

    def test_a_hub_without_tls_is_recognised(self, hub: RawServer) -> None:
        checks = list(look_at_api(Target(address=f"https://127.0.0.1:{hub.port}"), None, "1"))
        assert (checks[-1].name, checks[-1].verdict) == ("tls", "fail")
        assert "http://" in checks[-1].remedy


# --- the command -----------------------------------------------------------------------------------------------------


class TestCommand:
    @pytest.fixture(autouse=True)
    def _elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def arguments(self, hub: RawServer, *more: str) -> list[str]:
        addresses = ["--url", f"http://127.0.0.1:{hub.port}", "--hub", f"ws://127.0.0.1:{hub.port}"]
        return ["doctor", *addresses, *more]

    def test_all_well_ends_with_0(self, hub: RawServer) -> None:
        result = CliRunner().invoke(cli, self.arguments(hub, "--token", "sesame"))
        assert result.exit_code == 0, result.output
        assert "  ok    hub      is ready" in result.stdout
        assert "  skip  disk" in result.stdout
        assert result.stderr == "All is well.\n"

    def test_one_failure_ends_with_1_and_its_remedy(self, hub: RawServer) -> None:
        result = CliRunner().invoke(cli, self.arguments(hub))
        assert result.exit_code == 1
        lines = result.stdout.splitlines()
        line = lines.index("  fail  token    the hub wants one")
        assert lines[line + 1].strip() == "Give --token or MOORLINE_TOKEN."

    def test_a_warning_ends_with_0(self, hub: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("moorline.doctor.installed_version", lambda: "0.0.0")
        result = CliRunner().invoke(cli, self.arguments(hub, "--token", "sesame"))
        assert (result.exit_code, result.stderr) == (0, "It works; look at the warnings.\n")

    def test_json_is_one_document(self, hub: RawServer) -> None:
        result = CliRunner().invoke(cli, self.arguments(hub, "--json"))
        document = json.loads(result.stdout)
        assert document["verdict"] == "fail"
        assert {"about", "name", "verdict", "detail", "remedy"} == set(document["checks"][0])

    def test_with_the_address_for_nodes_alone_the_api_is_left_out(self, hub: RawServer) -> None:
        arguments = ["doctor", "--hub", f"ws://127.0.0.1:{hub.port}", "--token", "sesame"]
        result = CliRunner().invoke(cli, arguments)
        assert (result.exit_code, result.stderr) == (0, "All is well.\n")
        assert "API" not in result.stdout
        named = CliRunner().invoke(cli, arguments, env={"MOORLINE_URL": f"http://127.0.0.1:{hub.port}"})
        assert "API http://127.0.0.1" in named.stdout

    def test_a_token_of_the_api_is_told_what_it_may_and_what_a_node_needs(self) -> None:
        def as_to_an_admin(request: bytes) -> bytes:
            return answer("403 Forbidden") if b" /v1/node " in request else hub_answers(request)

        with RawServer(as_to_an_admin) as hub:
            result = CliRunner().invoke(cli, self.arguments(hub, "--token", "sesame"))
            as_a_node = CliRunner().invoke(cli, self.arguments(hub, "--token", "sesame", "--node-token", "other"))
            alone = ["doctor", "--hub", f"ws://127.0.0.1:{hub.port}", "--token", "sesame"]
            as_a_node_alone = CliRunner().invoke(cli, alone)
        assert "token    is good: it has the role admin, and may do all but open a node's session" in result.stdout
        assert "skip  session  the hub answers; a node needs a token of role node" in result.stdout
        assert "--node-token" in result.stdout
        assert (result.exit_code, result.stderr) == (0, "All is well.\n")
        for failed in (as_a_node, as_a_node_alone):
            assert (failed.exit_code, "fail  session" in failed.stdout) == (1, True)
            assert "moorline token create --role node" in failed.stdout

    def test_an_address_that_was_guessed_is_called_a_guess(self) -> None:
        fine = Check(name="tcp", verdict="ok", detail="")
        bad = Check(name="tcp", verdict="fail", detail="nothing listens", remedy="Start the hub.")
        assert list(guessed([fine])) == [fine]
        (told,) = guessed([bad])
        assert told.remedy.startswith("This port is a guess")
        assert told.remedy.endswith("--hub. Start the hub.")

    def test_a_node_s_token_may_be_another_one(self, hub: RawServer) -> None:
        result = CliRunner().invoke(cli, self.arguments(hub, "--token", "wrong", "--node-token", "sesame", "--json"))
        found = {check["name"]: check["verdict"] for check in json.loads(result.stdout)["checks"]}
        assert (found["token"], found["session"]) == ("fail", "ok")
