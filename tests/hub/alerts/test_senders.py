"""One try on each kind of channel, with real sockets and processes: taken or not, within its time, and why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web

from hub.alerts import senders
from hub.alerts.channels import AppriseChannel, CommandChannel, WebhookChannel
from hub.alerts.messages import HubName, trial_message
from hub.alerts.senders import SAID_BYTES_MAX, AppriseSender, CommandSender, Sent, WebhookSender, senders_for
from hub.errors import SettingsError
from tests.hub.alerts.receiver import Receiver
from tests.waiting import until

MESSAGE = trial_message(HubName(id="hub-1", version="1"), "ops", "m1", 1.0)


async def post(url: str, **more: Any) -> Sent:
    sender = WebhookSender(WebhookChannel(name="ops", url=url, **more), "1.2.3")
    try:
        return await sender.send(MESSAGE)
    finally:
        await sender.close()
        await sender.close()


# --- webhook ---------------------------------------------------------------------------------------------------------


async def test_a_message_is_posted_and_signed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    (tmp_path / "secret").write_text("s3cret\n")
    async with Receiver("s3cret") as receiver:
        for secret in ({"secret": "s3cret"}, {"secret_env": "HOOK_SECRET"}, {"secret_file": tmp_path / "secret"}):
            assert await post(receiver.url, **secret) == Sent(is_taken=True, detail="HTTP 200 so it is")
        assert [message["id"] for message in receiver.taken] == ["m1"] * 3


@pytest.mark.parametrize(
    ("status", "is_refused"), [(400, True), (413, True), (422, True), (401, False), (404, False), (500, False)]
)
async def test_what_a_receiver_refuses_for_good_is_told_apart(status: int, is_refused: bool) -> None:
    async with Receiver() as receiver:
        receiver.status = status
        sent = await post(receiver.url)
        assert sent == Sent(is_taken=False, detail=f"HTTP {status} so it is", is_refused=is_refused)


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver() as receiver:
        receiver.status = 307
        assert (await post(receiver.url)).detail == "HTTP 307 so it is"
        assert receiver.tries == 1


async def test_nobody_there_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        sent = await post(f"http://127.0.0.1:{taken.getsockname()[1]}/hook")
    assert not sent.is_taken
    assert not sent.is_refused
    assert "Cannot connect" in sent.detail


async def test_a_receiver_that_does_not_answer_is_given_up_after_its_time() -> None:
    left = asyncio.Event()

    async def listen_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()
        await writer.wait_closed()
        left.set()

    async with asyncio.timeout(10), await asyncio.start_server(listen_only, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sent = await post(f"http://127.0.0.1:{port}/hook", timeout_s=0.1)
        await left.wait()
    assert sent == Sent(is_taken=False, detail="no answer within 0.1 s")


@pytest.mark.parametrize(
    "answer", [b"\x16\x03\x01 what is this\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n"]
)
async def test_what_is_no_answer_is_a_failure_that_does_not_show_the_address(answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sent = await post(f"http://127.0.0.1:{port}/hooks/s3cret")
    assert not sent.is_taken
    assert sent.detail
    assert "s3cret" not in sent.detail


async def test_an_address_of_another_kind_is_a_failure_that_does_not_show_it() -> None:
    assert await post("ftp://host/hooks/s3cret") == Sent(is_taken=False, detail="the url cannot be used")


async def test_of_a_long_answer_a_little_is_kept_and_it_is_harmless() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, text="\x1b[31mred\n" + "x" * 1_000_000)

    application = web.Application()
    application.router.add_post("/hook", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sent = await post(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
    await runner.cleanup()
    assert sent.detail.startswith("HTTP 500 [31mred xxx")
    assert len(sent.detail) < 250


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"secret_env": "NOT_SET"}, "secret_env names NOT_SET"),
        ({"secret_file": Path("/nowhere")}, "secret_file /nowhere cannot be read: No such file.*openssl rand"),
        ({"ca": Path("/nowhere")}, "ca cannot be used: No such file"),
    ],
)
def test_what_a_webhook_names_must_be_there(settings: dict[str, Any], message: str) -> None:
    channel = WebhookChannel(name="ops", url="http://a", **settings)
    with pytest.raises(SettingsError, match=rf"\[channel\.ops\] {message}"):
        senders_for({"ops": channel}, "1")


def test_an_address_that_is_none_is_refused_and_not_shown() -> None:
    channel = WebhookChannel(name="ops", url="http://[secret")
    with pytest.raises(SettingsError) as refused:
        senders_for({"ops": channel}, "1")
    assert str(refused.value) == "[channel.ops] url is none; https://host/path"


# --- command ---------------------------------------------------------------------------------------------------------


async def command(code: str, timeout_s: float = 10.0) -> Sent:
    channel = CommandChannel(name="ops", argv=(sys.executable, "-c", code), timeout_s=timeout_s)
    sender = CommandSender(channel)
    sent = await sender.send(MESSAGE)
    await sender.close()
    return sent


async def test_a_command_is_given_the_json_on_its_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "said"
    sent = await command(f"import sys; open({str(path)!r}, 'w').write(sys.stdin.read()); print('thanks')")
    assert sent == Sent(is_taken=True, detail="exit status 0 thanks")
    assert json.loads(path.read_text())["id"] == "m1"


async def test_a_command_that_reads_nothing_and_prints_much_is_bounded() -> None:
    sent = await command(f"import sys; sys.stdin.close(); print('x' * {100 * SAID_BYTES_MAX}); sys.exit(3)")
    assert not sent.is_taken
    assert sent.detail.startswith("exit status 3 xxx")
    assert len(sent.detail) < 250


def test_a_command_that_has_ended_before_it_is_given_its_input_is_taken() -> None:
    """On uvloop, which the hub uses: it takes offence where asyncio does not."""

    async def run() -> None:
        process = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        await process.wait()
        await until(process.stdin.is_closing)
        await senders._write(process, b"{}")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_a_command_past_its_time_is_killed_with_what_it_started(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(path)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    sending = asyncio.create_task(command(code, timeout_s=3.0))
    sent = await sending
    assert sent == Sent(is_taken=False, detail="not done within 3 s, killed")
    pid = path.read_text()
    async with asyncio.timeout(10):
        while _runs(pid):
            await asyncio.sleep(0.01)


def _runs(pid: str) -> bool:
    """Tell whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


LEAVES_A_CHILD = (
    "import subprocess, sys, time\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(6)'], start_new_session=True)\n"
)


async def test_a_command_that_ends_well_is_taken_whatever_it_leaves_running() -> None:
    began_s = asyncio.get_running_loop().time()
    sent = await command(f"{LEAVES_A_CHILD}print('told', flush=True)", timeout_s=30.0)
    assert sent == Sent(is_taken=True, detail="exit status 0 told")
    assert asyncio.get_running_loop().time() - began_s < 5, "it waited for what was left running"


async def test_a_command_past_its_time_holds_nobody_up_by_what_left_its_group() -> None:
    began_s = asyncio.get_running_loop().time()
    sent = await command(f"{LEAVES_A_CHILD}time.sleep(600)", timeout_s=1.0)
    assert sent == Sent(is_taken=False, detail="not done within 1 s, killed")
    assert asyncio.get_running_loop().time() - began_s < 5, "it waited for what had left"


async def test_a_command_that_is_not_there_is_a_failure() -> None:
    sent = await CommandSender(CommandChannel(name="ops", argv=("/nowhere/tell",))).send(MESSAGE)
    assert not sent.is_taken
    assert sent.detail.startswith("/nowhere/tell cannot be run: ")


# --- apprise ---------------------------------------------------------------------------------------------------------


# The library asks for a module that a later Python has no more.
LIBRARY = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@LIBRARY
async def test_apprise_tells_a_service_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        said.append(await request.json())
        return web.Response(status=200)

    application = web.Application()
    application.router.add_post("/notify", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("MORE_URLS", f"json://127.0.0.1:{runner.addresses[0][1]}/notify")
    sender = AppriseSender(AppriseChannel(name="mail", urls_env="MORE_URLS"))
    sent = await sender.send(MESSAGE)
    await sender.close()
    await runner.cleanup()
    assert sent == Sent(is_taken=True, detail="told")
    assert said[0]["title"] == "[moorline hub-1] test"
    assert "this is a test" in said[0]["message"]


@LIBRARY
async def test_a_service_that_is_not_there_is_a_failure() -> None:
    sender = AppriseSender(AppriseChannel(name="mail", urls=("json://127.0.0.1:9/notify",)))
    sent = await sender.send(MESSAGE)
    await sender.close()
    assert sent == Sent(is_taken=False, detail="apprise could not tell all")


DRIPS = """
import asyncio, socket, sys, threading, time
from hub.alerts.channels import AppriseChannel
from hub.alerts.messages import HubName, trial_message
from hub.alerts.senders import AppriseSender

listener = socket.create_server(("127.0.0.1", 0))

def drip():
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=drip_on, args=(connection,), daemon=True).start()

def drip_on(connection):
    connection.sendall(b"HTTP/1.1 200 OK\\r\\n")
    while True:
        connection.sendall(b"X: y\\r\\n")
        time.sleep(1)

async def tell():
    url = f"json://127.0.0.1:{listener.getsockname()[1]}/"
    sender = AppriseSender(AppriseChannel(name="mail", urls=(url,), timeout_s=3.0))
    message = trial_message(HubName(id="h", version="1"), "mail", "m", 0.0)
    print((await sender.send(message)).detail)
    print((await sender.send(message)).detail)
    await sender.close()

threading.Thread(target=drip, daemon=True).start()
asyncio.run(tell())
"""


async def test_a_service_that_never_ends_its_answer_does_not_keep_the_process_from_ending() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DRIPS, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    try:
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert said.decode().splitlines() == ["not done within 3 s, killed"] * 2
    assert process.returncode == 0


@LIBRARY
def test_a_url_that_apprise_does_not_know_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as refused:
        AppriseSender(AppriseChannel(name="mail", urls=("carrier-pigeon://user:password@loft",)))
    assert "url number 1" in refused.value.message
    assert "password" not in str(refused.value)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Python itself takes for "not there".
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"\[channel\.mail\] needs apprise; pip install 'moorline\[notify\]'"):
        AppriseSender(AppriseChannel(name="mail", urls=("json://a",)))
