"""`moorline top` on a real terminal, with a real hub and real nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from moorline import SyncClient, TaskFailed
from tests.end_to_end.processes import Fleet, fleet_in, until
from tests.pseudo_terminal import PseudoTerminal, on_terminal

TOP = (sys.executable, "-m", "moorline.cli", "top")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with fleet_in(tmp_path_factory.mktemp("top")) as fleet:
        fleet.hub.start()
        for node_id in ("berlin-1", "berlin-2"):
            fleet.add_node(node_id, "--label", "site=berlin", slots=2)
        with SyncClient(fleet.hub.url) as client:
            until(lambda: len(client.nodes()) == 2, "two nodes")
            for handle in client.submit_many("fail", [{"message": f"broken {number}"} for number in range(3)]):
                with pytest.raises(TaskFailed):
                    handle.result()
        yield fleet


@pytest.fixture
def top(fleet: Fleet) -> Iterator[PseudoTerminal]:
    with on_terminal(*TOP, environment={"MOORLINE_URL": fleet.hub.url}) as terminal:
        terminal.wait_for("OK", "1 Overview")
        yield terminal


def test_keys_lead_through_the_views(top: PseudoTerminal) -> None:
    top.press("2")
    top.wait_for("SLOTS", "berlin-1", "berlin-2")
    top.press("3")
    top.wait_for("failed", "RuntimeError: broken")
    top.press("\r")
    top.wait_for("attempts", "Traceback")
    top.press("\x1b")
    top.wait_for("STATE", without="Traceback")
    top.press("5")
    top.wait_for("failed", "TIME (UTC)")
    top.press("q")
    assert top.wait() == 0


def test_keys_that_come_in_pieces_are_keys(top: PseudoTerminal) -> None:
    top.press("2")
    top.wait_for("SLOTS", "berlin-1")
    for byte in b"\x1b[B\r":
        top.press(bytes([byte]))
    top.wait_for("node=berlin-2")


def test_the_terminal_is_given_back_as_it_was(top: PseudoTerminal) -> None:
    assert top.modes_now != top.modes
    top.press("q")
    assert top.wait() == 0
    assert top.modes_now == top.modes
    assert top.written.rstrip().endswith(b"\x1b[?1049l")
    assert b"\x1b[?25h" in top.written


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
def test_a_signal_gives_the_terminal_back_too(top: PseudoTerminal, number: signal.Signals, status: int) -> None:
    top.process.send_signal(number)
    assert top.wait() == status
    assert top.modes_now == top.modes
    assert b"\x1b[?1049l" in top.written


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(fleet: Fleet) -> None:
    environment = {"MOORLINE_URL": fleet.hub.url, "PS1": "prompt> "}
    with on_terminal("bash", "--norc", "--noprofile", "-i", environment=environment) as shell:
        shell.wait_for("prompt>")
        shell.press(f"{' '.join(TOP)}\n")
        shell.wait_for("1 Overview", "OK")
        shell.press("\x1a")
        shell.wait_for("Stopped", "prompt>", without="1 Overview")
        shell.press("echo it says $((20 + 3))\n")
        shell.wait_for("it says 23")
        shell.press("fg\n")
        shell.wait_for("1 Overview", "OK", without="prompt>")
        shell.press("2")
        shell.wait_for("SLOTS", "berlin-1")
        shell.press("q")
        shell.wait_for("prompt>", without="1 Overview")


def test_ctrl_s_does_not_hold_the_picture(top: PseudoTerminal) -> None:
    top.press("\x13")
    top.press("2")
    top.wait_for("SLOTS", "berlin-1")
    top.process.send_signal(signal.SIGTERM)
    assert top.wait() == 0


def test_a_new_size_is_filled(top: PseudoTerminal) -> None:
    top.press("2")
    top.wait_for("SLOTS", without="LABELS")
    top.resize(200, 30)
    top.process.send_signal(signal.SIGWINCH)
    top.wait_for("LABELS", "site=berlin")


def test_nothing_is_written_that_has_not_changed(top: PseudoTerminal) -> None:
    top.press("?")
    top.wait_for("leave; the fleet goes on")
    before = len(top.written)
    top.press("\x1b?")
    top.wait_for("leave; the fleet goes on")
    top.read(0.3)
    # Help, the overview, help again: some screens, and not one for each second.
    assert len(top.written) - before < 40_000


def test_a_hub_that_is_away_is_told_and_it_comes_back_by_itself(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as fleet:
        fleet.hub.start()
        with on_terminal(*TOP, environment={"MOORLINE_URL": fleet.hub.url}) as top:
            top.wait_for("OK", "data <2s old")
            fleet.hub.kill()
            top.wait_for("HUB AWAY", "Connection refused")
            assert "tasks" in top.text
            fleet.hub.start()
            top.wait_for("OK", "data <2s old", without="HUB AWAY")


def test_drain_asks_and_then_drains(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as fleet:
        fleet.hub.start()
        node = fleet.add_node("leaver")
        with on_terminal(*TOP, "--view", "nodes", environment={"MOORLINE_URL": fleet.hub.url}) as top:
            top.wait_for("SLOTS", "leaver")
            top.press("d")
            top.wait_for("Drain 1 node, leaver")
            top.press("n")
            top.wait_for("drain", without="Drain 1 node")
            top.press("dy")
            node.wait_for_death()


def test_on_a_pipe_one_plain_picture_is_printed(fleet: Fleet) -> None:
    done = subprocess.run(
        [*TOP, "--url", fleet.hub.url, "--view", "nodes"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "berlin-1" in done.stdout
    assert "\x1b" not in done.stdout
    assert "quit" not in done.stdout


def test_a_dumb_terminal_gets_one_plain_picture(fleet: Fleet) -> None:
    with on_terminal(*TOP, environment={"MOORLINE_URL": fleet.hub.url, "TERM": "dumb"}) as terminal:
        assert terminal.wait() == 0
        assert "1 Overview" in terminal.text
        assert b"\x1b" not in terminal.written


def test_json_is_one_document(fleet: Fleet) -> None:
    done = subprocess.run([*TOP, "--url", fleet.hub.url, "--json"], capture_output=True, check=True, timeout=60)
    document = json.loads(done.stdout)
    assert document["stats"]["nodes"]["online"] == 2
    assert {node["id"] for node in document["nodes"]} == {"berlin-1", "berlin-2"}


def test_svg_is_a_picture(fleet: Fleet, tmp_path: Path) -> None:
    path = tmp_path / "top.svg"
    subprocess.run([*TOP, "--url", fleet.hub.url, "--svg", str(path)], check=True, timeout=60)
    assert ET.parse(path).getroot().tag.endswith("svg")
    assert "url(http" not in path.read_text()


def test_a_hub_that_is_not_there_is_an_error_on_a_pipe() -> None:
    done = subprocess.run(
        [*TOP, "--url", "http://127.0.0.1:9"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr


def test_no_colour_means_none_and_ascii_means_ascii(fleet: Fleet) -> None:
    environment = {"MOORLINE_URL": fleet.hub.url, "NO_COLOR": "1"}
    with on_terminal(*TOP, "--ascii", environment=environment) as top:
        top.wait_for("* 2 online")
        assert top.text.isascii()
        codes = {code for part in top.written.split(b"\x1b[")[1:] if b"m" in part for code in [part.split(b"m")[0]]}
        assert codes <= {b"0", b"1", b"2", b"7", b"1;7", b"1;2", b"2;7"} | {code for code in codes if b"?" in code}


def test_a_token_that_is_refused_is_told(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as fleet:
        create = [sys.executable, "-m", "moorline.cli", "token", "create", "--role", "admin", "--state"]
        subprocess.run([*create, str(fleet.hub.state)], check=True, capture_output=True, timeout=60)
        fleet.hub.start()
        environment = {"MOORLINE_URL": fleet.hub.url, "MOORLINE_TOKEN": "moor_wrong"}
        with on_terminal(*TOP, environment=environment) as top:
            top.wait_for("REFUSED", "token")
            top.press("q")
            assert top.wait() == 0


def test_it_leaves_nothing_running(top: PseudoTerminal) -> None:
    top.press("q")
    top.wait()
    with pytest.raises(ProcessLookupError):
        os.killpg(top.process.pid, 0)
