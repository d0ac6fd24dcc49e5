"""A hub that is started on a terminal shows the fleet there, and gives the terminal back whatever happens."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from websockets import ConnectionClosed, Subprotocol
from websockets.sync.client import connect

from hub.own_terminal import address
from moorline import SyncClient
from tests.end_to_end.processes import free_port, until
from tests.pseudo_terminal import PseudoTerminal, on_terminal

# Without MOORLINE_… of whoever runs the tests.
PLAIN = {"MOORLINE_URL": "", "MOORLINE_TOKEN": ""}


def hub_in(folder: Path, *arguments: str) -> tuple[str, ...]:
    ports = ("--node-port", str(free_port()), "--http-port", str(free_port()))
    return (sys.executable, "run_hub.py", "--state", str(folder), *ports, *arguments)


def child_of(process: int) -> int:
    """Give the one child of a process."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def assert_given_back(terminal: PseudoTerminal) -> None:
    assert terminal.modes_now == terminal.modes
    assert b"\x1b[?1049l" in terminal.written


def test_the_picture_is_shown_and_ctrl_c_stops_the_hub_in_order(tmp_path: Path) -> None:
    with on_terminal(*hub_in(tmp_path), environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        terminal.press("\x03")
        assert terminal.wait() == 0
        assert_given_back(terminal)
        assert "Traceback" not in terminal.text


def test_leaving_the_picture_leaves_the_hub_running_with_its_log(tmp_path: Path) -> None:
    with on_terminal(*hub_in(tmp_path), environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        terminal.press("q")
        terminal.wait_for("The picture is closed; the hub goes on")
        assert_given_back(terminal)
        terminal.press("\x03")
        assert terminal.wait() == 0


def test_a_hub_whose_window_is_closed_goes_on_if_it_may_and_ends_in_order(tmp_path: Path) -> None:
    # What `nohup` does.
    ignoring = ("bash", "-c", 'trap "" HUP; exec "$@"', "bash")
    command = hub_in(tmp_path)
    with on_terminal(*ignoring, *command, environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        picture = child_of(terminal.process.pid)
        terminal.hang_up()
        until(lambda: not Path(f"/proc/{picture}").exists(), "the end of the picture")
        with SyncClient(f"http://127.0.0.1:{command[command.index('--http-port') + 1]}") as client:
            assert client.stats().verdict.level == "ok"
        terminal.process.terminate()
        assert terminal.process.wait(timeout=40) == 0


def test_a_hub_whose_log_cannot_be_kept_aside_shows_no_picture_and_runs(tmp_path: Path) -> None:
    (tmp_path / "hub.log").mkdir()
    with on_terminal(*hub_in(tmp_path), width=160, environment=PLAIN) as terminal:
        terminal.wait_for("hub ready", "the picture cannot be shown")
        terminal.press("\x03")
        assert terminal.wait() == 0


def test_a_hub_that_is_killed_leaves_the_terminal_in_order(tmp_path: Path) -> None:
    with on_terminal(*hub_in(tmp_path), environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        child = child_of(terminal.process.pid)
        terminal.process.kill()
        assert terminal.wait() == -signal.SIGKILL
        until(lambda: terminal.read(0) or b"\x1b[?1049l" in terminal.written, "the terminal given back")
        until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text(), "its end")
        assert_given_back(terminal)


def test_a_picture_that_is_killed_leaves_the_hub_running_and_the_terminal_in_order(tmp_path: Path) -> None:
    with on_terminal(*hub_in(tmp_path), environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        os.kill(child_of(terminal.process.pid), signal.SIGKILL)
        terminal.wait_for("has ended with status -9; the hub goes on")
        assert_given_back(terminal)
        terminal.process.terminate()
        assert terminal.wait() == 0


def test_a_hub_with_tokens_shows_itself_without_being_given_one(tmp_path: Path) -> None:
    with on_terminal(*hub_in(tmp_path), environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        create = (sys.executable, "-m", "moorline.cli", "token", "create", "--role", "read", "--state", str(tmp_path))
        with on_terminal(*create) as made:
            assert made.wait() == 0
        terminal.press("2")
        terminal.wait_for("No node has registered yet")
        # The hub knows of its tokens within half a second; the picture goes on.
        for _ in range(3):
            terminal.press("1")
            terminal.wait_for("queued", "data <2s old")
            terminal.press("2")
            terminal.wait_for("No node has registered yet", "data <2s old")


@pytest.mark.parametrize("arguments", [("--no-dashboard",)])
def test_without_it_the_log_goes_to_the_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with on_terminal(*hub_in(tmp_path, *arguments), environment=PLAIN) as terminal:
        terminal.wait_for("hub ready")
        terminal.press("\x03")
        assert terminal.wait() == 0
        assert b"\x1b[?1049h" not in terminal.written
        assert not (tmp_path / "hub.log").exists()


def test_a_hub_in_the_background_goes_on_and_leaves_the_terminal_to_the_shell(tmp_path: Path) -> None:
    command = hub_in(tmp_path)
    url = f"http://127.0.0.1:{command[command.index('--http-port') + 1]}"
    with on_terminal("bash", "--norc", "--noprofile", "-i", environment={**PLAIN, "PS1": "prompt> "}) as shell:
        shell.wait_for("prompt>")
        shell.press(f"{' '.join(command)}\n")
        shell.wait_for("1 Overview", "OK")
        shell.press("\x1a")
        shell.wait_for("Stopped", "prompt>", without="1 Overview")
        shell.press("bg\n")
        shell.press("echo the shell says $((20 + 3))\n")
        shell.wait_for("the shell says 23")
        with SyncClient(url) as client:
            assert client.stats().hub.degraded is None
        shell.press("fg\n")
        shell.wait_for("1 Overview", "OK", without="prompt>")
        shell.press("\x03")
        shell.wait_for("prompt>", without="1 Overview")


def test_a_hub_that_begins_in_the_background_shows_no_picture(tmp_path: Path) -> None:
    with on_terminal("bash", "--norc", "--noprofile", "-i", environment={**PLAIN, "PS1": "prompt> "}) as shell:
        shell.wait_for("prompt>")
        shell.press(f"{' '.join(hub_in(tmp_path))} &\n")
        shell.wait_for("hub ready")
        shell.press("kill -TERM $!; wait $!; echo it ended with $?\n")
        shell.wait_for("it ended with 0")
        assert b"\x1b[?1049h" not in shell.written


def test_what_is_logged_meanwhile_is_kept_aside_and_shown_in_the_end(tmp_path: Path) -> None:
    command = hub_in(tmp_path)
    with on_terminal(*command, environment=PLAIN) as terminal:
        terminal.wait_for("1 Overview", "OK")
        port = command[command.index("--node-port") + 1]
        with connect(f"ws://127.0.0.1:{port}/v1/node", subprotocols=[Subprotocol("moorline.v1")]) as stranger:
            stranger.send("this is no frame")
            with pytest.raises(ConnectionClosed):
                stranger.recv(timeout=20)
        until(lambda: "closed" in (tmp_path / "hub.log").read_text(), "a line of the log")
        terminal.press("q")
        terminal.wait_for("Logged meanwhile, in", "closed")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("10.0.0.7", "http://10.0.0.7:1"),
        ("localhost", "http://localhost:1"),
    ],
)
def test_the_hub_is_reached_from_its_own_machine(host: str, url: str) -> None:
    assert address(host, 1) == url
