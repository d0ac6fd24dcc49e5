"""The real runner, with peers that are a few lines of Python."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import orjson
import pytest

from benchmarks.peers.environments import FOLDER, ROOT
from benchmarks.peers.figures import Figures
from benchmarks.peers.peer import Peer, Role
from benchmarks.peers.processes import ProgramError
from benchmarks.peers.run import Sizes, read, run

SIZES = Sizes(tasks=50, singles=4, warm_up=5)

# A server that counts what a worker gives it, and a client that asks for the count: all three must have run.
WHOLE = """
    import json, pathlib, socket, sys, time
    role, server, folder, *sizes = sys.argv[1:]
    host, port = server.split(":")
    if role == "prepare":
        pathlib.Path(folder, "prepared").touch()
    elif role == "server":
        with socket.create_server((host, int(port))) as listener:
            while True:
                listener.accept()[0].close()
    elif role == "worker":
        assert pathlib.Path(folder, "prepared").exists()
        pathlib.Path(folder, "working").touch()
        time.sleep(60)
    else:
        ends = time.monotonic() + 30
        while not pathlib.Path(folder, "working").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        tasks, singles, warm_up = map(int, sizes)
        assert warm_up == 5
        socket.create_connection((host, int(port)), timeout=5).close()
        print(json.dumps({"tasks": tasks, "seconds": 0.5, "times_ms": list(range(singles, 0, -1))}))
"""


def peer_of(folder: Path, text: str, *roles: Role) -> Peer:
    """Make a peer of a script's text; it has a server of its own if that is one of its roles."""
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    return Peer(
        name="fake",
        label="Fake",
        script=script,
        server="own" if "server" in roles else "none",
        on_submit="",
        on_result="",
        source="",
        settings="",
        roles=frozenset(roles),
        singles=3,
    )


def test_server_worker_and_client_do_their_work_and_are_ended(tmp_path: Path) -> None:
    done = run(peer_of(tmp_path, WHOLE, "server", "prepare", "worker", "client"), SIZES)
    assert (done.tasks, done.tasks_per_s) == (50, 100)
    # It takes no more of them one at a time than the peer is given.
    assert (done.singles, done.p50_ms, done.p99_ms) == (3, 2, 3)


def test_a_client_that_fails_is_told_of_with_its_last_words_and_the_workers(tmp_path: Path) -> None:
    text = """
        import sys, time
        if sys.argv[1] == "worker":
            print("no such queue", file=sys.stderr, flush=True)
            time.sleep(60)
        time.sleep(0.3)
        raise SystemExit("nobody works")
    """
    with pytest.raises(ProgramError, match=r"(?s)client ended with status 1: nobody works; worker said: ") as caught:
        run(peer_of(tmp_path, text, "worker", "client"), SIZES)
    assert "client" in str(caught.value)


def test_a_worker_that_ends_early_ends_the_round_at_once(tmp_path: Path) -> None:
    text = """
        import sys, time
        if sys.argv[1] == "worker":
            raise SystemExit("cannot work")
        time.sleep(60)
    """
    with pytest.raises(ProgramError, match="worker ended with status 1: cannot work"):
        run(peer_of(tmp_path, text, "worker", "client"), SIZES)


def test_a_server_that_never_listens_is_not_waited_for_once_it_has_ended(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="server ended with status 3"):
        run(peer_of(tmp_path, "raise SystemExit(3)", "server", "client"), SIZES)


def test_the_folder_of_a_run_is_on_the_projects_disk_and_gone_afterwards(tmp_path: Path) -> None:
    text = "import pathlib, sys; pathlib.Path(sys.argv[0]).with_name('where').write_text(sys.argv[3])"
    with pytest.raises(ProgramError, match="printed no figures"):
        run(peer_of(tmp_path, text, "client"), SIZES)
    folder = Path((tmp_path / "where").read_text())
    assert folder.parent == FOLDER
    assert not folder.exists()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Traceback",
        b"{}",
        b"[]",
        b'{"tasks": 1, "seconds": 0, "times_ms": [1]}',
        b'{"tasks": 1, "seconds": 1, "times_ms": []}',
        b'{"tasks": 1, "seconds": 1, "times_ms": ["x"]}',
    ],
)
def test_a_line_that_is_no_figures_is_refused(line: bytes) -> None:
    with pytest.raises(ProgramError, match="printed no figures"):
        read(line, load_before=0, load_after=0)


def test_figures_carry_the_load_before_and_after() -> None:
    line = b'{"tasks": 4, "seconds": 2, "times_ms": [3, 1]}'
    assert read(line, load_before=0.123, load_after=2) == Figures(
        tasks=4, tasks_per_s=2, p50_ms=1, p99_ms=3, singles=2, load_before=0.12, load_after=2
    )


def test_the_program_compares_moorline_with_a_floor_and_writes_what_came_of_it(tmp_path: Path) -> None:
    output = tmp_path / "peers.json"
    sizes = ("--rounds", "1", "--tasks", "20", "--singles", "3")
    command = [sys.executable, "-m", "benchmarks.peers", "--only", "sqlite", *sizes, "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "not measured" in done.stdout
    entries = {entry["name"]: entry for entry in orjson.loads(output.read_bytes())["entries"]}
    assert entries.keys() == {"moorline", "sqlite"}
    for entry in entries.values():
        assert entry["rounds"]["1"]["tasks"] == 20, entry
    assert "aiohttp" in entries["moorline"]["versions"]
