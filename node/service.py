"""A node as a whole: puts the parts together, gives them their threads, and turns signals into drains."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType, TracebackType
from typing import Final

from node.app_loader import AnyTask, load_apps
from node.connection import Dialer
from node.decisions.core import Profile
from node.decisions.health import NodeHealth
from node.errors import NodeError
from node.event_loops import new_event_loop
from node.executor import Executor
from node.outbox import Outbox
from node.session import EXIT_BUG, Session
from node.settings import NodeSettings
from node.state_folder import StateFolder
from node.truth import Truth
from node.watchers import Watchers
from protocol.service_manager import ServiceManager, manager_of_this_process

logger = logging.getLogger(__name__)

# A signal that another thread takes, or that comes in the instant before the main thread begins to wait, does not
# interrupt its wait: it is seen when the next one begins.
SIGNALS_EVERY_S: Final = 0.5

# How long threads that user code left running may keep the process of a node that has ended.
THREADS_END_WITHIN_S: Final = 2.0


class NodeService:
    """One node in this process.

    `start` returns when its threads run, not when a hub was found: a node never ends because of a hub, nor fails to
    start. `stop` waits for the end; both may be called twice.

    Args:
        settings: how it is run.
        manager: who started this process and wants to hear of the node; None: nobody.
    """

    def __init__(self, settings: NodeSettings, *, manager: ServiceManager | None = None) -> None:
        self._settings = settings
        self._manager = ServiceManager() if manager is None else manager
        self._thread: threading.Thread | None = None
        self._is_up = threading.Event()
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: NodeError | None = None
        self._code = EXIT_BUG

    def start(self) -> None:
        """Start the node.

        Raises:
            NodeError: an app, the state folder, the outbox or a certificate cannot be used; the text says what to do.
        """
        if self._thread is not None:
            return
        # Apps first, in the caller's thread: user code may expect the main one, and nothing is to be undone if it fails
        # here.
        tasks = load_apps(self._settings.apps)
        dialer = _dialer(self._settings)
        folder = StateFolder(self._settings.resolved_state)
        self._is_up.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._turn, args=(tasks, dialer, folder), name="session", daemon=True)
        self._thread.start()
        self._is_up.wait()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self.wait()
            self._thread = None
            raise self._failure

    def _turn(self, tasks: dict[str, AnyTask], dialer: Dialer, folder: StateFolder) -> None:
        """Turn the session's loop until the node ends. In its thread."""
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                self._code = runner.run(self._hold(tasks, dialer, folder))
        except NodeError as error:
            self._failure = error
        except Exception:
            logger.critical("the session failed, which is a bug in Moorline; the node ends", exc_info=True)
        finally:
            folder.close()
            self._is_up.set()

    async def _hold(self, tasks: dict[str, AnyTask], dialer: Dialer, folder: StateFolder) -> int:
        """Put the parts together and hold the session."""
        settings = self._settings
        profile = _profile(settings, tasks, folder)
        with contextlib.closing(Truth(profile.node_id, profile.instance_id)) as truth:
            executor = partial(
                Executor,
                tasks,
                apps=settings.apps,
                node_id=profile.node_id,
                instance_id=profile.instance_id,
                folder=folder.path,
                slots=settings.slots,
                truth=truth,
            )
            watchers = Watchers(settings, self._manager, self._look)
            try:
                # Before there is anything to be closed.
                await watchers.start()
                self._session = Session(
                    profile,
                    dialer=dialer,
                    folder=folder,
                    open_outbox=partial(Outbox, folder.outbox_path),
                    make_executor=executor,
                    drain_timeout_s=settings.drain_timeout_s,
                    on_change=watchers.changed,
                )
                watchers.watch()
                self._loop = asyncio.get_running_loop()
                self._is_up.set()
                logger.info(
                    "node %s starts, instance %s: %d slots, handlers %s",
                    profile.node_id,
                    profile.instance_id,
                    profile.slots,
                    ", ".join(profile.handlers) or "none",
                )
                if not profile.handlers:
                    logger.warning(
                        "this node has no handlers, so it is given no tasks; start it with --app FILE.py or --app "
                        "package.module, whose functions are decorated with @moorline.task"
                    )
                return await self._session.run()
            finally:
                await watchers.stop()

    def _look(self) -> NodeHealth | None:
        return None if self._session is None else self._session.health()

    def drain(self, reason: str = "asked to drain") -> None:
        """Finish what runs, take nothing new, leave. Returns at once; twice is harmless."""
        self._call(lambda session: session.drain(reason))

    def stop_handlers(self, reason: str = "asked to stop") -> None:
        """Stop what runs, then leave. Returns at once; twice is harmless."""
        self._call(lambda session: session.stop_handlers(reason))

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end, and give the exit code; None if it has not come in time. Signals are handled meanwhile."""
        if self._thread is None:
            return self._code
        self._thread.join(timeout_s)
        return None if self._thread.is_alive() else self._code

    def stop(self) -> None:
        """Stop what runs, leave, and wait for the end; twice is harmless."""
        self.stop_handlers()
        self.wait()
        self._thread = None

    def __enter__(self) -> NodeService:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, what: Callable[[Session], None]) -> None:
        """Have the session's loop do something, if it still turns."""
        if self._loop is not None and self._session is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the node has ended
                self._loop.call_soon_threadsafe(what, self._session)


def run(settings: NodeSettings) -> int:
    """Run a node until it ends, and give the exit code with which this process is to end: within
    `THREADS_END_WITHIN_S` it does, whatever threads user code has left running.

    SIGTERM, SIGINT and a terminal that closes (SIGHUP, unless it is ignored) drain it; a second one stops what runs.
    Call it in the main thread.

    Raises:
        NodeError: it cannot start; the text says what to do.
    """
    service = NodeService(settings, manager=manager_of_this_process())
    service.start()
    signals = 0

    def end(number: int, _: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        name = signal.Signals(number).name
        if signals == 1:
            service.drain(name)
        else:
            service.stop_handlers(f"{name} again")

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Who starts it with nohup means it to outlive the terminal.
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        while (code := service.wait(SIGNALS_EVERY_S)) is None:
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    threading.Thread(target=_end_process, args=(code,), name="end", daemon=True).start()
    return code


def _end_process(code: int) -> None:
    """End this process, if it has not ended by itself by then. In a daemon thread.

    Python waits at its end for threads that are no daemons, and for those of `asyncio.to_thread`, however long they
    run. The state folder is free by now: whoever is next has what runs here run again.
    """
    time.sleep(THREADS_END_WITHIN_S)
    logger.warning("threads of user code do not end; the process ends without them")
    os._exit(code)


def _dialer(settings: NodeSettings) -> Dialer:
    return Dialer(
        token=settings.token,
        ca=settings.ca,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        proxy=settings.proxy,
        version=_version(),
    )


def _profile(settings: NodeSettings, tasks: dict[str, AnyTask], folder: StateFolder) -> Profile:
    return Profile(
        node_id=settings.resolved_node_id,
        instance_id=folder.instance_id,
        hubs=tuple(settings.hubs),
        slots=settings.slots,
        name=settings.name,
        labels=settings.labels,
        handlers=sorted(tasks),
        version=_version(),
        predecessors=tuple(folder.predecessors),
    )


def _version() -> str:
    try:
        return importlib.metadata.version("moorline")
    except importlib.metadata.PackageNotFoundError:
        # A bare checkout.
        return "0"
