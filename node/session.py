"""The shell of the core: carries out its effects on the session's event loop, and tells it what has happened.

One loop, one thread, and no user code on it. Each thing that happens goes to the core with the time, and what it wants
done is done in its order before anything else happens.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from node import failpoints
from node.clock import steady_s
from node.connection import Connection, Dialer
from node.decisions.core import NodeCore, Profile, Vitals
from node.decisions.effects import (
    Close,
    Dial,
    Effect,
    Ended,
    Exit,
    Finished,
    Forget,
    Joined,
    Send,
    Start,
    Stop,
    Store,
)
from node.decisions.health import Connectedness, Holdings, NodeHealth, health_of
from node.decisions.link import Link
from node.errors import ConnectionLostError, DialError
from node.executor import Executor
from node.journal import Entry
from node.mailbox import Mailbox
from node.outbox import Outbox
from node.reports import Reports
from node.state_folder import StateFolder
from protocol.close_codes import CloseCode
from protocol.errors import ProtocolError
from protocol.frames import AttemptKey, NodeFrame
from protocol.logs import fields

logger = logging.getLogger(__name__)

# The loop wakes at least this often: its timers stand still while the machine is suspended, and leases do not.
TICK_EVERY_S: Final = 1.0

# A dial that goes on failing for the same reason is logged this often.
REPEAT_EVERY_S: Final = 60.0

# What a crash of the session itself gives as the process's exit code (EX_SOFTWARE).
EXIT_BUG: Final = 70


class Session:
    """A node's session, from `run` to its exit code.

    Args:
        profile: who the node is.
        dialer: connects to hubs.
        folder: the state folder, held.
        open_outbox: opens the outbox when it is told whom to tell.
        make_executor: makes the executor when it is told whom to tell.
        drain_timeout_s: how long a drain waits for handlers before it stops them; None: for ever.
        on_change: called when the node is connected or is no more, drains or ends.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        dialer: Dialer,
        folder: StateFolder,
        open_outbox: Callable[..., Outbox],
        make_executor: Callable[..., Executor],
        drain_timeout_s: float | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._profile = profile
        self._on_change = on_change
        self._connectedness = Connectedness(profile.hubs[0], time.time())
        self._dialer = dialer
        self._folder = folder
        self._drain_timeout_s = drain_timeout_s
        self._loop = asyncio.get_running_loop()
        self._stored: Mailbox[list[AttemptKey]] = Mailbox(self._loop, self._note_stored)
        self._wellness: Mailbox[bool] = Mailbox(self._loop, self._note_wellness)
        self._reports = Reports(self._loop, self._send_reports)
        self._outbox = open_outbox(
            on_stored=self._stored.put,
            on_failing=lambda _: self._wellness.put(False),
            on_recovered=lambda: self._wellness.put(True),
        )
        self._executor = make_executor(loop=self._loop, reports=self._reports, on_ended=self._note_ended)
        self._core = NodeCore(profile, luck=random.SystemRandom().random, results=self._inherited())

        self._exit: asyncio.Future[int] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._dial_timer: asyncio.TimerHandle | None = None
        self._tick_timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._tick_at_s = 0.0
        self._loop_lag_ms: float | None = None
        self._connection: Connection | None = None
        self._number = 0
        self._said = ("", float("-inf"))

    async def run(self) -> int:
        """Hold a session until the node is to exit; gives the exit code. Cancelling it drops the connection."""
        try:
            self._outbox.start()
            self._executor.start()
            self._perform(self._core.begin())
            return await self._exit
        finally:
            await self._close()

    def drain(self, reason: str) -> None:
        """Finish what runs, then leave; twice is harmless. On the session's loop."""
        if self._drain_timeout_s is not None and self._drain_timer is None:
            self._drain_timer = self._loop.call_later(
                self._drain_timeout_s, self.stop_handlers, "the drain took too long"
            )
        logger.warning("draining (%s): %d handlers run", reason, self._core.slots_in_use)
        self._perform(self._core.drain(reason, steady_s()))
        self._on_change()

    def stop_handlers(self, reason: str) -> None:
        """Stop what runs, then leave; twice is harmless. On the session's loop."""
        logger.warning("stopping handlers (%s): %d run", reason, self._core.slots_in_use)
        self._perform(self._core.stop_handlers(reason, steady_s()))
        self._on_change()

    def health(self) -> NodeHealth:
        """Say how the node is. On the session's loop."""
        core, profile = self._core, self._profile
        age_s = steady_s() - core.confirmed_s
        holdings = Holdings(
            draining=core.is_draining,
            confirmed_age_s=age_s if math.isfinite(age_s) else None,
            running=core.slots_in_use,
            slots=profile.slots,
            outbox=core.outbox,
            outbox_writes=core.is_outbox_well,
        )
        return health_of(
            self._connectedness,
            holdings,
            node_id=profile.node_id,
            instance_id=profile.instance_id,
            version=profile.version,
            pid=os.getpid(),
            at=time.time(),
        )

    def _inherited(self) -> list[Finished]:
        """Give what an earlier process left in the outbox."""
        ahead_s = steady_s() - time.time()
        return [Finished(result=entry.result, ended_s=entry.ended_at + ahead_s) for entry in self._outbox.load()]

    async def _close(self) -> None:
        for timer in (self._dial_timer, self._tick_timer, self._drain_timer):
            if timer is not None:
                timer.cancel()
        for task in self._tasks:
            if task.get_name() != "close":
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._executor.close()
        self._outbox.close()

    # --- what happens -----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._tick_timer = None
        now_s = steady_s()
        self._loop_lag_ms = max(0.0, now_s - self._tick_at_s) * 1000
        vitals = Vitals(load=os.getloadavg()[0], loop_lag_ms=self._loop_lag_ms, wall_at=time.time())
        self._perform(self._core.tick(now_s, vitals))

    def _note_ended(self, ended: list[Ended]) -> None:
        failpoints.after_end()
        self._perform(self._core.ended(ended, steady_s()))

    def _note_stored(self, batches: list[list[AttemptKey]]) -> None:
        self._perform(self._core.stored([key for keys in batches for key in keys], steady_s()))

    def _note_wellness(self, states: list[bool]) -> None:
        for is_well in states:
            now_s = steady_s()
            self._perform(self._core.outbox_recovered(now_s) if is_well else self._core.outbox_failing(now_s))
            self._on_change()

    def _send_reports(self, frames: list[NodeFrame]) -> bool:
        if self._core.link is not Link.OPEN or self._connection is None or self._connection.is_congested:
            return False
        self._perform(self._core.report(frames, steady_s()))
        return True

    # --- what is to be done -----------------------------------------------------------------------------------------

    def _perform(self, effects: Sequence[Effect]) -> None:
        """Carry out effects in their order, and see to it that the core is woken when it wants to be."""
        for effect in effects:
            self._perform_one(effect)
        self._plan_tick()

    def _perform_one(self, effect: Effect) -> None:
        match effect:
            case Send():
                if effect.connection == self._number and self._connection is not None:
                    self._connection.send(effect.frames)
            case Start():
                failpoints.around_start("before")
                self._executor.run(effect.tasks)
                failpoints.around_start("after")
            case Store():
                behind_s = time.time() - steady_s()
                self._outbox.put([Entry(item.result, item.ended_s + behind_s) for item in effect.results])
            case Forget():
                self._outbox.forget(effect.keys)
            case Stop():
                about = fields(task_id=effect.key[0], attempt=effect.key[1])
                logger.info("stopping task %s/%d: %s", *effect.key, effect.reason, extra=about)
                self._executor.stop(effect.key)
            case Close():
                if effect.connection == self._number and self._connection is not None:
                    self._own(self._connection.close(effect.code, effect.reason), "close")
                    self._connection = None
            case Dial():
                self._plan_dial(effect)
            case Joined():
                self._join(effect)
            case Exit():
                self._leave(effect)

    def _plan_tick(self) -> None:
        now_s = steady_s()
        at_s = min(self._core.wake_at_s(), now_s + TICK_EVERY_S)
        if self._tick_timer is not None:
            if self._tick_at_s <= at_s:
                return
            self._tick_timer.cancel()
        if not self._exit.done():
            self._tick_at_s = at_s
            self._tick_timer = self._loop.call_later(max(0.0, at_s - now_s), self._tick)

    def _plan_dial(self, dial: Dial) -> None:
        self._announce_loss(dial)
        self._connectedness.lost(dial, time.time())
        self._on_change()
        if self._dial_timer is not None:
            self._dial_timer.cancel()
        self._dial_timer = self._loop.call_later(
            dial.after_s, lambda: self._own(self._connect(dial.url), f"connection to {dial.url}")
        )

    def _join(self, joined: Joined) -> None:
        self._said = ("", float("-inf"))
        self._connectedness.joined(joined, time.time())
        self._on_change()
        self._executor.result_bytes_max = joined.limits.result_bytes_max
        how = "resumed" if joined.is_resumed else "registered"
        logger.info(
            "connected to hub %s at %s: %s, session %s",
            joined.hub_id,
            joined.url,
            how,
            joined.session_id,
            extra=fields(session_id=joined.session_id, hub=joined.url),
        )
        if not joined.is_resumed:
            try:
                self._folder.forget_predecessors()
            except OSError as error:
                # They are named once more to the next hub, which knows that they are dead.
                logger.warning("the state folder %s cannot be written: %s", self._folder.path, error.strerror)
        # What runs has something to say before its results come.
        self._loop.call_soon(self._reports.flush)

    def _leave(self, leaving: Exit) -> None:
        logger.log(logging.WARNING if leaving.code else logging.INFO, "the node ends: %s", leaving.reason)
        if not self._exit.done():
            self._exit.set_result(leaving.code)

    def _announce_loss(self, dial: Dial) -> None:
        """Say why there is no session, once, and again from time to time."""
        if not dial.reason:
            return
        reason, said_s = self._said
        now_s = steady_s()
        if dial.reason == reason and now_s < said_s + REPEAT_EVERY_S and not dial.is_parked:
            return
        self._said = (dial.reason, now_s)
        if dial.is_parked:
            logger.error(
                "parked, a person must act: %s; next try at %s in %.0f min, and what runs goes on",
                dial.reason,
                dial.url,
                dial.after_s / 60,
                extra=fields(hub=dial.url),
            )
        else:
            logger.warning(
                "no session with a hub: %s; next try at %s in %.1f s",
                dial.reason,
                dial.url,
                dial.after_s,
                extra=fields(hub=dial.url),
            )

    # --- connections ------------------------------------------------------------------------------------------------

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Start a task that ends before `run` does."""
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, url: str) -> None:
        """Dial, and carry the connection to its end."""
        try:
            connection = await self._dialer.dial(url)
        except DialError as error:
            self._fail(str(error), is_fatal=error.is_fatal, retry_after_s=error.retry_after_s)
            return
        except Exception as error:
            logger.exception("a dial to %s failed in a way that it should not", url, extra=fields(hub=url))
            self._fail(f"{type(error).__name__}: {error}")
            return
        self._number += 1
        number = self._number
        self._connection = connection
        code, reason = CloseCode.GOING_AWAY.value, "the node ends"
        try:
            self._perform(self._core.connected(number, steady_s(), hub_instance=connection.hub_instance))
            code, reason = await self._listen(number, connection)
        except Exception as error:
            logger.exception("the connection %d failed in a way that it should not", number)
            code, reason = CloseCode.BAD_FRAME.value, f"{type(error).__name__}: {error}"
        finally:
            await connection.close(CloseCode.GOING_AWAY, "the node ends")
        if self._number == number:
            self._connection = None
        self._perform(self._core.disconnected(number, code, reason, steady_s()))

    async def _listen(self, number: int, connection: Connection) -> tuple[int, str]:
        """Take messages until the connection ends; gives the code and the reason."""
        while True:
            try:
                message = await connection.receive()
            except ConnectionLostError as lost:
                return lost.code, str(lost)
            except ProtocolError as error:
                await connection.close(error.close_code, str(error))
                return CloseCode.BAD_FRAME, f"the hub sent what is not a frame: {error}"
            failpoints.after_receive(message)
            self._perform(self._core.received(number, message, steady_s()))

    def _fail(self, reason: str, *, is_fatal: bool = False, retry_after_s: float | None = None) -> None:
        self._perform(self._core.dial_failed(reason, steady_s(), is_fatal=is_fatal, retry_after_s=retry_after_s))
