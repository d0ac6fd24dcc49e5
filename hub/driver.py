"""The driver of the core: it hands in what happened and the time, and carries out the effects that come back, in order.

What happened comes from nodes (`hub.gateway`), from the store's writer, from the API (`hub.backend`), and from a timer
of its own. It holds no policy: what to do stands in `hub.decisions.core`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from hub.calls import Calls, expect
from hub.decisions import effects as does
from hub.decisions.core import HubCore
from hub.decisions.effects import ConnectionId, Effect, RequestId, Ticket
from hub.decisions.meter import Meter
from hub.errors import HubDegradedError, HubStoppingError
from hub.events.feed import EventFeed
from hub.metrics.instruments import Instruments
from hub.peers import Peers
from hub.store.contract import Committed, Operation, Store
from hub.store.nodes import HubStarted, Inherited
from hub.store.now import Now
from hub.store.writer import StoreWriter
from protocol.frames import NodeFrame
from protocol.logs import fields

logger = logging.getLogger(__name__)

# How long a stopping hub goes on taking and acking results before it closes its connections.
STOP_GRACE_S = 2.0

# A commit that takes longer is not coming: the disk hangs, as that of a network may, without a failure that would be
# told. Half of what callers wait; past it new ones are refused, before all that they bring has piled up.
STUCK_AFTER_S = 15.0

# At so many ticks it must have been so: a hub that was stopped itself finds its commit old when it wakes up.
STUCK_TICKS = 2

# The longest sleep between two ticks.
TICK_S_MAX = 0.5

# The shortest: a backlog of due tasks must leave room for everything else.
TICK_S_MIN = 0.005


class Driver:
    """Drives one core, on the event loop that it is made on.

    Args:
        core: what decides.
        store: where operations go.
        clock: the time.
        peers: where frames go.
        events: who follows what happens.
        meter, instruments: what counts the work.
        on_alarm: called with each alarm, once it is in the log.
    """

    def __init__(
        self,
        core: HubCore,
        store: Store,
        *,
        clock: Callable[[], Now],
        peers: Peers,
        events: EventFeed,
        meter: Meter,
        instruments: Instruments,
        on_alarm: Callable[[does.Alarm], None],
    ) -> None:
        self._core = core
        self._clock = clock
        self._peers = peers
        self._events = events
        self._meter = meter
        self._instruments = instruments
        self._on_alarm = on_alarm
        self._loop = asyncio.get_running_loop()
        self._tick_timer: asyncio.TimerHandle | None = None
        self._tick_at_s = 0.0
        self._stuck_ticks = 0
        self._idle = asyncio.Event()
        self.is_stopping = False
        self.calls = Calls()
        self.writer = StoreWriter(
            store,
            clock,
            loop=self._loop,
            on_committed=self._committed,
            on_degraded=self._degraded,
            on_recovered=self._recovered,
        )

    # --- starting and stopping --------------------------------------------------------------------------------------

    async def start(self, hub_id: str) -> Inherited:
        """Begin to commit, and take note of what the store holds; give it. Nothing is due before `begin_ticking`."""
        self.writer.start()
        inherited = expect(await self.perform(HubStarted(hub_id=hub_id)), Inherited)
        self._core.started(inherited, self._clock())
        return inherited

    def begin_ticking(self) -> None:
        """Do from now on what the time asks for."""
        self._tick()

    async def wind_down(self) -> None:
        """Push nothing more, tell the nodes, and commit and ack for a bounded time what still comes."""
        self.is_stopping = True
        self.apply(self._core.stop())
        await self._settle_down()
        if self._tick_timer is not None:
            self._tick_timer.cancel()

    async def _settle_down(self) -> None:
        """Wait until nothing is on its way to the store, for a bounded time."""
        if not self.writer.pending:
            return
        self._idle.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_GRACE_S):
                await self._idle.wait()

    async def stop(self) -> None:
        """Commit what is pending, for a bounded time, and end; whoever still waits is told. Twice is harmless."""
        self.is_stopping = True
        await asyncio.to_thread(self.writer.stop)
        self.calls.end()

    # --- carrying out effects ---------------------------------------------------------------------------------------

    def apply(self, effects: Sequence[Effect]) -> None:
        """Do what the core said, in order."""
        for effect in effects:
            match effect:
                case does.Persist():
                    self.writer.put(effect.operation, effect.ticket)
                case does.Send():
                    self._peers.send(effect.connection, effect.frames)
                case does.Mark():
                    self._peers.mark(effect.connection)
                case does.StopReading():
                    self._peers.stop_reading(effect.connection)
                case does.ReadOn():
                    self._peers.read_on(effect.connection)
                case does.Close():
                    self._peers.close(effect.connection, effect.code, effect.reason)
                case does.Reply():
                    self.calls.answer(effect.request, effect.answer)
                case does.Tell():
                    self._events.tell(effect.node_id, effect.frame, self._clock().wall_s)
                case does.Alarm():
                    about = fields(
                        node_id=effect.node_id, task_id=effect.task_id, attempt=effect.attempt, alarm=effect.kind
                    )
                    logger.warning("%s: %s", effect.kind, effect.message, extra=about)
                    self._on_alarm(effect)

    def _committed(self, done: list[tuple[Ticket, object]], committed: Committed) -> None:
        if self._stuck_ticks >= STUCK_TICKS:
            self._recovered()
        self._stuck_ticks = 0
        self._events.publish(committed.events, committed.values)
        now = self._clock()
        self._meter.take(committed, now.steady_s)
        self._instruments.committed(committed)
        self.apply(self._core.committed(done, committed.waiting, now))
        # A sweep says when the next task is due.
        self.wake_by()
        if not self.writer.pending:
            self._idle.set()

    def _degraded(self, reason: str) -> None:
        logger.error("degraded: %s; sessions are kept, nothing is sent or acked until the store takes commits", reason)
        self.apply(self._core.store_degraded(reason))

    def _recovered(self) -> None:
        self._stuck_ticks = 0
        logger.warning("recovered: the store takes commits again")
        self.apply(self._core.store_recovered(self._clock()))

    def _look_at_commit(self) -> None:
        """Notice a store that does not answer. One that fails says so itself."""
        commit_s = self.writer.commit_s
        if commit_s < STUCK_AFTER_S or self._core.degraded is not None:
            return
        self._stuck_ticks += 1
        if self._stuck_ticks == STUCK_TICKS:
            self._degraded(f"a commit has not come back for {commit_s:.0f} s")

    def _tick(self) -> None:
        if self._tick_timer is not None:
            self._instruments.ticked(self._loop.time() - self._tick_at_s)
        self._look_at_commit()
        now = self._clock()
        self.apply(self._core.tick(now))
        self._tick_after(min(TICK_S_MAX, max(TICK_S_MIN, self._core.wake_at_s() - now.steady_s)))

    def wake_by(self) -> None:
        """Tick sooner if something is due before the next tick."""
        if self.is_stopping:
            return
        delay_s = max(TICK_S_MIN, self._core.wake_at_s() - self._clock().steady_s)
        if self._tick_timer is not None and self._loop.time() + delay_s < self._tick_at_s:
            self._tick_timer.cancel()
            self._tick_after(delay_s)

    def _tick_after(self, delay_s: float) -> None:
        # The time is kept here: what uvloop gives for a delay of nothing does not know when it is due.
        self._tick_at_s = self._loop.time() + delay_s
        self._tick_timer = self._loop.call_later(delay_s, self._tick)

    # --- what the gateway tells -------------------------------------------------------------------------------------

    def node_opened(self, connection: ConnectionId, allowed_node: str | None) -> None:
        """A socket was accepted."""
        self._core.opened(connection, allowed_node, self._clock())

    def node_frames(self, connection: ConnectionId, message: Sequence[NodeFrame]) -> None:
        """Frames came. Raises ProtocolError if they came out of turn."""
        self.apply(self._core.received(connection, message, self._clock()))

    def mark_left(self, connection: ConnectionId) -> None:
        """All that was to be sent on a connection before its mark has left."""
        self.apply(self._core.mark_left(connection))

    def node_closed(self, connection: ConnectionId, reason: str) -> None:
        """A socket is gone."""
        self.apply(self._core.closed(connection, reason))

    # --- what others ask ----------------------------------------------------------------------------------------------

    async def call(self, ask: Callable[[RequestId], Sequence[Effect]]) -> object:
        """Carry out a call and wait for its commit.

        Cancelling the wait does not undo the call: it may still be committed.
        """
        self.check_open()
        request = self.calls.begin()
        self.apply(ask(request))
        return await self.calls.wait(request)

    def check_open(self) -> None:
        """Raise HubStoppingError or HubDegradedError if no more calls are taken."""
        if self.is_stopping:
            raise HubStoppingError
        degraded = self._core.degraded or self.calls.why_full
        if degraded is not None:
            raise HubDegradedError(degraded)

    async def perform(self, operation: Operation) -> object:
        """Put an operation to the store and wait for its commit; raises as the other calls do."""
        return await self.call(lambda request: [does.Persist(operation, Ticket(request=request))])

    def put(self, operation: Operation) -> asyncio.Future[object]:
        """Put an operation to the store, however long it takes; the future has its answer, or HubStoppingError."""
        request = self.calls.begin()
        self.writer.put(operation, Ticket(request=request))
        return self.calls.future(request)
