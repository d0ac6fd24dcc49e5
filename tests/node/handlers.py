"""Tasks of all kinds, for tests."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

from moorline import Context, task


@task
def echo(value: object = None) -> object:
    return value


@task
async def echo_async(value: object = None) -> object:
    await asyncio.sleep(0)
    return value


@task(isolation="process")
def echo_process(value: object = None) -> object:
    print("a handler that prints must not disturb anything")
    # So must not a program that reads and writes what it inherits.
    subprocess.run([sys.executable, "-c", "import sys; print(sys.stdin.read()); print(1, file=sys.stderr)"], check=True)
    return value


@task
def fail(message: str = "no luck") -> None:
    raise ValueError(message)


@task
async def fail_async(message: str = "no luck") -> None:
    raise ValueError(message)


@task(isolation="process")
def fail_process(message: str = "no luck") -> None:
    raise ValueError(message)


@task
def leave() -> None:
    sys.exit(3)


@task
async def leave_async() -> None:
    sys.exit(3)


@task
async def leave_in_a_task() -> str:
    async def stray() -> None:
        sys.exit(3)

    asyncio.get_running_loop().create_task(stray())
    await asyncio.sleep(0.01)
    return "still here"


@task(isolation="process")
def leave_process() -> None:
    sys.exit(3)


class UnspeakableError(Exception):
    """Ends whoever asks for its text."""

    def __str__(self) -> str:
        raise SystemExit(3)


@task
def raise_unspeakable() -> None:
    raise UnspeakableError


@task
async def raise_unspeakable_async() -> None:
    raise UnspeakableError


@task(isolation="process")
def raise_unspeakable_process() -> None:
    raise UnspeakableError


@task
async def stop_the_loop() -> str:
    asyncio.get_running_loop().stop()
    return "stopped"


@task
async def cancel_everything() -> None:
    """Cancel every task there is, as programs do at their end."""
    for other in asyncio.all_tasks():
        other.cancel()
    await asyncio.sleep(600)


def _copied() -> int:
    with warnings.catch_warnings():
        # From Python 3.12 on: it may deadlock where there are threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


@task
def come_back_twice() -> int:
    return _copied()


@task
async def come_back_twice_async() -> int:
    return _copied()


@task(isolation="process")
def come_back_twice_process() -> int:
    copy = _copied()
    if copy:
        # The copy is first, if it comes back at all.
        os.waitpid(copy, 0)
    return copy


@task(isolation="process")
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task
def wait(context: Context, began: str = "") -> str:
    """Wait to be cancelled, in a thread."""
    if began:
        Path(began).touch()
    while not context.cancelled:
        time.sleep(0.002)
    return f"cancelled with {context.remaining_s} left"


@task
def wait_and_raise(context: Context, began: str = "") -> None:
    Path(began).touch()
    while not context.cancelled:
        time.sleep(0.002)
    raise RuntimeError("stopped half-way")


@task
async def sleep_async(began: str = "") -> None:
    if began:
        Path(began).touch()
    await asyncio.sleep(600)


@task
async def refuse_to_stop(began: str = "") -> str:
    Path(began).touch()
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        return "finished all the same"
    return ""


@task
async def cancel_itself() -> None:
    raise asyncio.CancelledError


@task
def block(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


@task
def stay(until: str, began: str = "") -> None:
    """Return when there is a file, and not a moment before; leave one to say that it began."""
    if began:
        Path(began).touch()
    while not Path(until).exists():
        time.sleep(0.002)


@task
async def block_the_loop(seconds: float) -> str:
    time.sleep(seconds)
    return "done"


@task
async def block_in_a_thread(seconds: float, began: str) -> None:
    """Wait for a thread of its own, which no cancellation reaches."""
    Path(began).touch()
    await asyncio.to_thread(time.sleep, seconds)


@task
async def block_the_loop_until(there: str) -> None:
    """Block its event loop until there is a file."""
    while not Path(there).exists():
        time.sleep(0.002)


@task(isolation="process")
def sleep_process(began: str = "", pids: str = "") -> None:
    """Sleep, together with a child of its own."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if pids:
        draft = Path(f"{pids}.new")
        draft.write_text(f"{os.getpid()} {child.pid}")
        draft.replace(pids)
    if began:
        Path(began).touch()
    time.sleep(600)


@task
def talk(context: Context) -> str:
    context.progress(1, 2, "half")
    context.logger.info("from a %s", "thread")
    return f"{context.name} {context.fencing_token} {context.node_id} {context.instance_id}"


@task(isolation="process")
def talk_process(context: Context) -> list[object]:
    context.progress(1, 2, "half")
    context.logger.warning("from a %s", "process")
    return [context.name, context.fencing_token, context.cancelled, (context.remaining_s or 0) > 500]


@task
def bad_result() -> object:
    return {1, 2}
