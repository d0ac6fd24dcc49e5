from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from dashboards.installation.processes import ManagedProcess, ProcessDiedError, ProcessTooSlowError, held_ports
from tests.waiting import PATIENCE_S, until

PATIENT = "import time; print('ready', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
FAILING = "import sys; print('the disk is full', file=sys.stderr); sys.exit(3)"


def make(tmp_path: Path, code: str) -> ManagedProcess:
    return ManagedProcess(
        "dummy",
        [sys.executable, "-c", code],
        folder=tmp_path,
        log_path=tmp_path / "dummy.log",
        environment={"PATH": os.environ["PATH"]},
    )


def is_alive(pid: int | None) -> bool:
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_starts_says_its_words_and_is_dead_when_kill_returns(tmp_path: Path) -> None:
    process = make(tmp_path, PATIENT)
    assert (process.pid, process.is_running) == (None, False)
    await process.start()
    await process.wait_for_words("ready", within_s=20)
    process.check_alive()
    pid = process.pid
    before_at = time.time()
    dead_at = await process.kill()
    assert before_at <= dead_at <= time.time()
    assert not is_alive(pid)
    assert not process.is_running


async def test_it_can_be_started_again_and_words_from_before_do_not_count(tmp_path: Path) -> None:
    process = make(tmp_path, PATIENT)
    await process.start()
    await process.wait_for_words("ready", within_s=20)
    await process.kill()
    assert "ready" in process.last_words()
    await process.start()
    await process.wait_for_words("ready", within_s=20)
    await process.stop()
    assert (tmp_path / "dummy.log").read_text() == "ready\nready\n"


async def test_stopping_asks_first_and_kills_what_does_not_listen(tmp_path: Path) -> None:
    process = make(tmp_path, STUBBORN)
    await process.start()
    await process.wait_for_words("ready", within_s=20)
    await process.stop(within_s=0.1)
    assert not is_alive(process.pid)
    await process.stop()


async def test_a_process_that_dies_says_why(tmp_path: Path) -> None:
    process = make(tmp_path, FAILING)
    await process.start()
    with pytest.raises(ProcessDiedError, match="dummy ended with status 3; its last words:\nthe disk is full"):
        await process.wait_for_words("ready", within_s=20)


async def test_a_process_that_is_too_slow_is_named(tmp_path: Path) -> None:
    process = make(tmp_path, PATIENT)
    await process.start()
    try:
        with pytest.raises(ProcessTooSlowError, match=r"dummy did not say 'never' within 0.1 s"):
            await process.wait_for_words("never", within_s=0.1)
    finally:
        await process.kill()


async def test_what_cannot_wait_kills_at_once(tmp_path: Path) -> None:
    process = make(tmp_path, PATIENT)
    process.kill_now()
    await process.start()
    process.kill_now()
    await process.kill()
    process.kill_now()
    assert not is_alive(process.pid)


def test_a_process_that_was_never_started_is_not_alive(tmp_path: Path) -> None:
    process = make(tmp_path, PATIENT)
    with pytest.raises(ProcessDiedError, match="status None"):
        process.check_alive()


def test_held_ports_are_all_different_and_refuse_until_somebody_listens_on_them() -> None:
    with held_ports(10) as ports:
        assert len(set(ports)) == 10
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", ports[0]))
        for _ in range(2):
            # Reused as asyncio and uvloop do it.
            with socket.create_server(("127.0.0.1", ports[0])), socket.create_connection(("127.0.0.1", ports[0])):
                pass
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", ports[0]))


# Starts a process that stands still with a port open, says which one, and waits to be killed.
PARENT = """
import asyncio, os, sys
from pathlib import Path
from dashboards.installation.processes import ManagedProcess

CODE = (
    "import os, signal, socket; s = socket.create_server(('127.0.0.1', 0)); "
    "print('port', s.getsockname()[1], 'ready', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
)

async def main():
    log = Path(sys.argv[1]) / "log"
    process = ManagedProcess("it", [sys.executable, "-c", CODE], folder=log.parent, log_path=log, environment={})
    await process.start()
    await process.wait_for_words("ready", 40)
    print(log.read_text(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
async def test_it_does_not_outlive_a_command_that_is_killed_even_if_it_stands_still(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert parent.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        port = int((await parent.stdout.readline()).split()[1])
    parent.kill()
    await parent.wait()

    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    await until(is_closed)
