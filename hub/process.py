"""A hub as a process of its own: its event loop, its signals, what it asks of the system, and what tells of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Final

from hub.http.server import CONNECTIONS_MAX as HTTP_CONNECTIONS_MAX
from hub.own_terminal import OwnTerminal, address, is_here
from hub.service import HubService
from hub.settings import HubSettings
from hub.supervision import Supervision
from protocol.logs import announce
from protocol.service_manager import manager_of_this_process

logger = logging.getLogger(__name__)

# Values made and not freed before the collector looks for cycles: a batch or two, some megabytes.
COLLECTED_AFTER: Final = 50_000

# Descriptors beside those of connections: the database and its readers, the loop, what the libraries open.
DESCRIPTORS_SPARE: Final = 256


def run(settings: HubSettings) -> int:
    """Run a hub in this process until it is told to end; give the exit status."""
    # The loop and the writer hand the interpreter to each other for every task that comes alone. Waiting the usual 5 ms
    # for a busy thread to let go is longer than all the rest of a task's way.
    sys.setswitchinterval(0.0005)
    _ask_for_descriptors(settings.connections_max + HTTP_CONNECTIONS_MAX + DESCRIPTORS_SPARE)
    try:
        return _runner()(serve(settings))
    finally:
        _let_go_of_closed_terminal()


def _runner() -> Callable[[Coroutine[None, None, int]], int]:
    try:
        import uvloop  # noqa: PLC0415  # not on every platform; asyncio's own loop does the same at half the speed
    except ImportError:
        return asyncio.run
    return uvloop.run


async def serve(settings: HubSettings) -> int:
    """Run a hub until SIGTERM or SIGINT; give the exit status. SIGHUP has it read its certificate and its rules of
    alerts again; one that has a terminal is ended by it, for then the terminal has closed.

    Raises what `HubService.start` raises.
    """
    service = HubService(settings)
    supervision = Supervision(manager_of_this_process(), service.health)
    picture = _picture(settings)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if not _has_terminal():
        loop.add_signal_handler(signal.SIGHUP, _Reloads(service).begin)
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, ended.set)
    try:
        await service.start()
        _calm_collector()
        announce(logger, _ready_line(service))
        supervision.start()
        if picture is not None:
            await picture.start(address(settings.http_host, service.http_port), service.lend_token())
        await ended.wait()
        supervision.stopping()
    finally:
        await service.stop()
        supervision.stop()
        if picture is not None:
            await picture.stop()
    return 0


class _Reloads:
    """Reloads that were asked for by signals. One waits for the other; those that end last see the newest files."""

    def __init__(self, service: HubService) -> None:
        self._service = service
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reload(), name="reload")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        try:
            await self._service.reload()
        except Exception:
            # The top of the task: a fault here must not be silent.
            logger.exception("the settings could not be read again")


def _has_terminal() -> bool:
    """Tell whether this process has a terminal that it was started on, whatever its streams are."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _let_go_of_closed_terminal() -> None:
    """Have the interpreter end with our status where the terminal that it prints on has closed.

    It flushes both streams at its end, and makes 120 of the status if it cannot.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def _picture(settings: HubSettings) -> OwnTerminal | None:
    """Give what shows the fleet on this terminal; None where nobody would see it.

    With TLS the hub answers to the name in its certificate, and not to the loopback address that the picture would use.
    """
    is_shown = settings.dashboard and settings.tls_cert is None and is_here()
    return OwnTerminal(settings.state) if is_shown else None


def _ready_line(service: HubService) -> str:
    settings = service.settings
    secure = "s" if settings.tls_cert is not None else ""
    nodes = f"ws{secure}://{settings.node_host}:{service.node_port}"
    clients = f"http{secure}://{settings.http_host}:{service.http_port}"
    return f"hub ready: nodes {nodes} http {clients} id {service.hub_id}"


def _calm_collector() -> None:
    """Have the garbage collector look less often, and not at what was there at the start.

    A batch of a thousand tasks makes some ten thousand values that all live until its commit: every look at them on the
    way is in vain, and took a twentieth of the hub's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, 20, 50)


def _ask_for_descriptors(count: int) -> None:
    """Let this process open as many files as its connections may take, or as many as the system allows.

    Shells and service managers give 1,024 to who does not ask: a thousand sockets that say nothing would keep everybody
    else out until they are cut.
    """
    try:
        import resource  # noqa: PLC0415  # POSIX only
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
