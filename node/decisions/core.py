"""The node's decisions: what follows from a frame, a connection, a handler's end, or the passing of time.

No I/O, no clock, no asyncio: each method is handed the time (`node.clock.steady_s`) and returns effects in order
(`node.decisions.effects`). The shell (`node.session`) carries them out; a simulation does the same with a network of
its own.

Three rules stand above all others, and each method keeps them:

- Leases first. A process may have stood still for an hour between any two lines. Whatever wakes it, attempts whose
  lease has run out are stopped before anything is sent.
- Never in neither. An attempt is among the `Attempts` until its result is stored, and then among the `Deliveries` until
  it is acked.
- The hub decides. An attempt that was stopped reports what it came to, whatever the reason (`cancelled` if it came to
  nothing); only the hub's verdict `stop` takes its result away. If the hub has given the attempt up, it refuses the
  result as late; if it has not, it learns that the handler is dead and need not wait for the lease.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import UNSET, Raw, Struct

from node.decisions.attempts import Attempts, Held, Stage
from node.decisions.deliveries import Deliveries
from node.decisions.dialing import Dialing
from node.decisions.effects import (
    Close,
    ConnectionId,
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
    StopReason,
    Store,
)
from node.decisions.heartbeats import Heartbeats
from node.decisions.link import MOVES, Link, Step
from protocol import frames
from protocol.close_codes import CloseCode, is_fatal
from protocol.frames import AttemptKey, Counters, HubFrame, HubLimits, NodeFrame
from protocol.limits import PREDECESSORS_MAX, RESULT_BYTES_MAX

# A hub answers a registration after one commit. One that needs longer is in trouble, and another dial is as good.
GREET_WITHIN_S: Final = 30.0

# How long a node that drains waits for a hub to take its last results. They are safe in the outbox, and the next start
# on this state folder sends them.
FLUSH_WITHIN_S: Final = 30.0

# How long it waits for the hub to answer `bye`.
BYE_WITHIN_S: Final = 5.0

# How long handlers have to end once they are told that the process ends. A supervisor's patience is often 30 s or more.
STOP_WITHIN_S: Final = 10.0


class Profile(Struct, frozen=True, kw_only=True):
    """Who a node is, as `register` says it."""

    node_id: str
    instance_id: str
    hubs: Sequence[str]
    slots: int
    name: str = ""
    labels: dict[str, str] = {}
    handlers: Sequence[str] = ()
    version: str = ""
    predecessors: Sequence[str] = ()


class Vitals(Struct, frozen=True, kw_only=True):
    """How the machine and the session's loop are; the shell measures it, heartbeats carry it. ``wall_at``: its wall
    clock, at the moment of the tick that brings this.
    """

    load: float | None = None
    loop_lag_ms: float | None = None
    wall_at: float | None = None


class NodeCore:
    """One node's conversation with its hub, and what it holds.

    Args:
        profile: who the node is.
        results: what an earlier process left in the outbox, in the order in which it was stored.
        luck: gives a number drawn evenly from 0 to 1; handed in so that a run can be repeated.
    """

    def __init__(self, profile: Profile, *, luck: Callable[[], float], results: Iterable[Finished] = ()) -> None:
        self._profile = profile
        self._luck = luck
        self._dialing = Dialing(profile.hubs, luck)
        self._heartbeats = Heartbeats()
        self._attempts = Attempts(profile.slots)
        self._deliveries = Deliveries(results)
        self._predecessors = list(profile.predecessors)[-PREDECESSORS_MAX:]
        self._limits = HubLimits()
        self._vitals = Vitals()

        self._link = Link.OFFLINE
        self._connection: ConnectionId = 0
        self._session_id: str | None = None
        self._hub_instance = ""
        self._greeted_s = 0.0
        self._opened_s = 0.0
        self._lease_check_s = float("inf")

        self._is_outbox_well = True
        self._drain_reason: str | None = None
        self._flush_until_s: float | None = None
        self._bye_until_s = 0.0
        self._stop_until_s: float | None = None
        self._has_exited = False
        self._counts = dict.fromkeys(("started", "succeeded", "failed", "cancelled", "connects"), 0)
        self._run_s = 0.0

    # --- what the shell may ask -------------------------------------------------------------------------------------

    @property
    def link(self) -> Link:
        """Where the conversation with the hub is."""
        return self._link

    @property
    def inventory(self) -> frames.Inventory:
        """All that the node holds."""
        return frames.Inventory(running=self._attempts.keys, results=self._deliveries.keys)

    @property
    def slots_in_use(self) -> int:
        """How many handlers run."""
        return self._attempts.slots_in_use

    @property
    def outbox(self) -> int:
        """How many results no hub has acked yet."""
        return len(self._deliveries)

    @property
    def is_outbox_well(self) -> bool:
        """Whether the outbox can be written."""
        return self._is_outbox_well

    @property
    def is_draining(self) -> bool:
        """Whether the node is on its way out."""
        return self._drain_reason is not None

    @property
    def confirmed_s(self) -> float:
        """When that was sent which a hub confirmed last; minus infinity before the first time."""
        return self._heartbeats.confirmed_s

    @property
    def counters(self) -> Counters:
        """What was counted since this instance began."""
        return Counters(run_s=self._run_s, **self._counts)

    def wake_at_s(self) -> float:
        """Give the time by which `tick` must be called, if nothing else happens before."""
        if self._has_exited:
            return float("inf")
        due_s = self._lease_check_s
        if self._link is Link.GREETING:
            due_s = min(due_s, self._greeted_s + GREET_WITHIN_S)
        elif self._link is Link.OPEN:
            due_s = min(due_s, self._heartbeats.due_s, self._heartbeats.silent_at_s)
        elif self._link is Link.LEAVING:
            due_s = min(due_s, self._bye_until_s)
        until_s = self._stop_until_s if len(self._attempts) else self._flush_until_s
        return due_s if until_s is None else min(due_s, until_s)

    # --- connections ------------------------------------------------------------------------------------------------

    def begin(self) -> list[Effect]:
        """Begin: dial the first hub at once."""
        return [self._dialing.begin()]

    def connected(self, connection: ConnectionId, now_s: float, *, hub_instance: str = "") -> list[Effect]:
        """A connection is up: say who we are, and all that we hold.

        ``hub_instance``: which process of a hub it leads to, if that is known. Sessions end with the process: at
        another one there is nothing to resume, and to try would cost one more of the connections that it admits.
        """
        told = self._wake(now_s)
        if hub_instance and self._hub_instance and hub_instance != self._hub_instance:
            self._session_id = None
        self._hub_instance = hub_instance
        self._move(Step.CONNECT)
        self._connection = connection
        self._greeted_s = self._heartbeats.heard_s = now_s
        self._counts["connects"] += 1
        return [*told, Send(connection=connection, frames=[self._greeting()])]

    def dial_failed(
        self, reason: str, now_s: float, *, is_fatal: bool = False, retry_after_s: float | None = None
    ) -> list[Effect]:
        """A dial failed. ``is_fatal``: only a person can help."""
        dial = self._dialing.after_failure(reason, is_fatal=is_fatal, retry_after_s=retry_after_s)
        return [*self._wake(now_s), *self._dial(dial), *self._leave(now_s)]

    def disconnected(self, connection: ConnectionId, code: int, reason: str, now_s: float) -> list[Effect]:
        """A connection ended, whatever the code: come back later. A connection that was left before is not heard."""
        told = self._wake(now_s)
        if connection != self._connection or self._link is Link.OFFLINE:
            return told
        if self._link is Link.LEAVING:
            self._move(Step.LOSE)
            return told + self._exit(0, "drained")
        return [*told, *self._lose(reason, now_s, fatal=is_fatal(code)), *self._leave(now_s)]

    def received(self, connection: ConnectionId, message: Sequence[HubFrame], now_s: float) -> list[Effect]:
        """Act on the frames of one message; frames of a connection that was left are dropped."""
        told = self._wake(now_s)
        if connection != self._connection or self._link is Link.OFFLINE:
            return told
        self._heartbeats.heard_s = now_s
        for frame in message:
            told += self._take(frame, now_s) if self._link is Link.OPEN else self._take_answer(frame, now_s)
        self._heartbeats.hasten(self._attempts.shortest_lease_s)
        told += self._proceed(now_s)
        return told

    def tick(self, now_s: float, vitals: Vitals = Vitals()) -> list[Effect]:  # noqa: B008 - it is frozen
        """Do what is due."""
        self._vitals = vitals
        told = self._wake(now_s)
        if self._link is Link.GREETING and now_s >= self._greeted_s + GREET_WITHIN_S:
            told += self._abandon(f"no answer to the registration within {GREET_WITHIN_S:.0f} s", now_s)
        elif self._link is Link.OPEN and now_s >= self._heartbeats.silent_at_s:
            told += self._abandon(f"the hub said nothing for {now_s - self._heartbeats.heard_s:.0f} s", now_s)
        elif self._link is Link.OPEN and now_s >= self._heartbeats.due_s:
            told.append(self._beat(now_s))
        return [*told, *self._proceed(now_s)]

    # --- handlers and the outbox ------------------------------------------------------------------------------------

    def ended(self, ended: Sequence[Ended], now_s: float) -> list[Effect]:
        """Handlers have ended: their results go to the outbox, and their slots to the next."""
        return [*self._wake(now_s), *self._finish(ended), *self._proceed(now_s)]

    def stored(self, keys: Sequence[AttemptKey], now_s: float) -> list[Effect]:
        """Results are in the outbox: from now on they may be sent."""
        told = self._wake(now_s)
        unwanted: list[AttemptKey] = []
        for key in keys:
            held = self._attempts.drop(key)
            if held is None or held.finished is None:
                continue
            if held.is_wanted:
                self._deliveries.add(held.finished)
            else:
                unwanted.append(key)
        if unwanted:
            told.append(Forget(keys=unwanted))
        return [*told, *self._proceed(now_s)]

    def outbox_failing(self, now_s: float) -> list[Effect]:
        """The outbox cannot write: start nothing more until it can. What has finished it keeps in memory, and tells as
        `stored`: to send it is now the safest that can be done with it.
        """
        self._is_outbox_well = False
        return self._wake(now_s)

    def outbox_recovered(self, now_s: float) -> list[Effect]:
        """The outbox writes again."""
        self._is_outbox_well = True
        return [*self._wake(now_s), *self._proceed(now_s)]

    def report(self, reports: Sequence[NodeFrame], now_s: float) -> list[Effect]:
        """Send progress and log lines, if there is a session to send them on; else they are gone."""
        told = self._wake(now_s)
        if self._link is Link.OPEN and reports:
            told.append(self._send(reports))
        return told

    # --- the end of the node ----------------------------------------------------------------------------------------

    def drain(self, reason: str, now_s: float) -> list[Effect]:
        """Finish what is held, take nothing new, then leave; twice is harmless."""
        told = self._wake(now_s)
        if self._drain_reason is None:
            self._drain_reason = reason
            if self._link is Link.OPEN:
                told.append(self._send([frames.Drain(reason=reason)]))
        return [*told, *self._leave(now_s)]

    def stop_handlers(self, reason: str, now_s: float) -> list[Effect]:
        """Drain, and stop what runs instead of waiting for it; what cannot be stopped in time is abandoned."""
        told = self.drain(reason, now_s)
        if self._stop_until_s is None and not self._has_exited:
            self._stop_until_s = now_s + STOP_WITHIN_S
            told += [self._stop(held, "shutdown") for held in self._attempts.running() if held.stop_reason is None]
        return [*told, *self._proceed(now_s)]

    # --- time -------------------------------------------------------------------------------------------------------

    def _wake(self, now_s: float) -> list[Effect]:
        """Stop what has outlived its lease: before anything else, whatever it was that woke us."""
        if now_s < self._lease_check_s:
            return []
        told: list[Effect] = [self._stop(held, "lease") for held in self._attempts.run_out(now_s, self.confirmed_s)]
        self._plan_lease_check()
        return told

    def _plan_lease_check(self) -> None:
        due_s = (self.confirmed_s + held.task.lease_s for held in self._attempts.running() if held.stop_reason is None)
        self._lease_check_s = min(due_s, default=float("inf"))

    def _beat(self, now_s: float) -> Effect:
        beat = frames.Heartbeat(
            sequence=self._heartbeats.send(now_s, self._attempts.shortest_lease_s),
            slots_in_use=self._attempts.slots_in_use,
            outbox=len(self._deliveries),
            load=self._vitals.load,
            loop_lag_ms=self._vitals.loop_lag_ms,
            round_trip_ms=self._heartbeats.round_trip_ms,
            counters=self.counters,
            at=self._vitals.wall_at,
        )
        return self._send([beat])

    # --- what comes in ----------------------------------------------------------------------------------------------

    def _take_answer(self, frame: HubFrame, now_s: float) -> list[Effect]:
        """Take the answer to `register` or `resume`; whatever else comes before it is ignored."""
        if self._link is not Link.GREETING:
            return []
        match frame:
            case frames.Registered() | frames.Resumed():
                return self._join(frame, now_s)
            case frames.UnknownSession():
                self._session_id = None
                reason = "the hub does not know the session; registering again"
                return self._hang_up(self._dialing.after_unknown_session(reason))
            case frames.Refused():
                reason = f"refused ({frame.code}): {frame.message}" + (f"; {frame.remedy}" if frame.remedy else "")
                dial = self._dialing.after_failure(reason, is_fatal=frame.fatal, retry_after_s=frame.retry_after_s)
                return self._hang_up(dial, "refused")
        return []

    def _join(self, frame: frames.Registered | frames.Resumed, now_s: float) -> list[Effect]:
        self._move(Step.WELCOME)
        is_resumed = isinstance(frame, frames.Resumed)
        self._session_id = frame.session_id
        self._limits = frame.limits
        self._dialing.welcomed(frame.spread_s)
        self._opened_s = now_s
        self._heartbeats.begin(frame.heartbeat_s, now_s, self._attempts.shortest_lease_s, self._luck)
        self._heartbeats.confirm(self._greeted_s)
        self._plan_lease_check()
        self._deliveries.begin_again()
        if not is_resumed:
            self._predecessors.clear()
        told: list[Effect] = [
            Joined(
                hub_id=frame.hub_id,
                session_id=frame.session_id,
                url=self._dialing.url,
                limits=frame.limits,
                is_resumed=is_resumed,
            )
        ]
        if self._drain_reason is not None:
            told.append(self._send([frames.Drain(reason=self._drain_reason)]))
        return told

    def _take(self, frame: HubFrame, now_s: float) -> list[Effect]:
        """Take a frame of an open session."""
        match frame:
            case frames.Task():
                return self._hold(frame, now_s)
            case frames.Ack():
                return self._forget(frame.attempts)
            case frames.HeartbeatAck():
                if self._heartbeats.acked(frame.sequence, now_s):
                    self._plan_lease_check()
                if frame.spread_s is not None:
                    self._dialing.spread_named(frame.spread_s)
            case frames.Cancel():
                return self._cancel((frame.task_id, frame.attempt), now_s)
            case frames.Verdicts():
                return self._judge(frame)
            case frames.GoAway(action="reconnect"):
                # Nothing changes until the hub closes: it still takes results.
                self._dialing.sent_away(frame.spread_s)
            case frames.GoAway():
                return self.drain(frame.reason or "the hub asked for it", now_s)
            case _:
                # A second answer to a registration. Nothing hangs on it.
                pass
        return []

    def _hold(self, task: frames.Task, now_s: float) -> list[Effect]:
        key = (task.task_id, task.attempt)
        if key in self._deliveries or not self._attempts.hold(task, now_s):
            return []
        held = self._attempts.get(key)
        if held is not None and self._attempts.is_over(key):
            # The hub has lost its memory of how this attempt ended. It must not start twice; the hub may start another.
            return self._finish([_never_started(held, now_s)])
        return []

    def _cancel(self, key: AttemptKey, now_s: float) -> list[Effect]:
        held = self._attempts.get(key)
        if held is None or held.stage is Stage.ENDED or held.stop_reason is not None:
            return []
        if held.stage is Stage.WAITING:
            return self._finish([_never_started(held, now_s)])
        return [self._stop(held, "cancelled")]

    def _judge(self, verdicts: frames.Verdicts) -> list[Effect]:
        """Act on verdicts. There is nothing to do for `keep`: what runs goes on, and what waits is sent anyway."""
        told: list[Effect] = []
        for key in verdicts.stop:
            told += self._give_up(key)
        return told + self._forget([*verdicts.forget, *verdicts.stop])

    def _give_up(self, key: AttemptKey) -> list[Effect]:
        """Stop an attempt whose result nobody wants."""
        held = self._attempts.get(key)
        if held is None:
            return []
        held.is_wanted = False
        if held.stage is Stage.RUNNING:
            return [] if held.stop_reason is not None else [self._stop(held, "unwanted")]
        if held.stage is Stage.WAITING:
            self._attempts.end(key)
            self._attempts.drop(key)
        return []

    def _forget(self, keys: Sequence[AttemptKey]) -> list[Effect]:
        known = self._deliveries.forget(keys)
        return [Forget(keys=known)] if known else []

    def _stop(self, held: Held, reason: StopReason) -> Effect:
        held.stop_reason = reason
        return Stop(key=(held.task.task_id, held.task.attempt), reason=reason)

    def _finish(self, ended: Iterable[Ended]) -> list[Effect]:
        """Make results of what has ended, and have them stored."""
        finished: list[Finished] = []
        for item in ended:
            held = self._attempts.end(item.key)
            if held is None:
                continue
            self._counts[item.outcome] += 1
            if item.started_s is not None:
                self._run_s += max(0.0, item.ended_s - item.started_s)
            if held.is_wanted:
                held.finished = _finished(held, item)
                finished.append(held.finished)
            else:
                self._attempts.drop(item.key)
        return [Store(results=finished)] if finished else []

    # --- what goes out ----------------------------------------------------------------------------------------------

    def _proceed(self, now_s: float) -> list[Effect]:
        """Start and send what can be now."""
        told: list[Effect] = []
        if self._stop_until_s is not None:
            told += self._finish([_never_started(held, now_s) for held in self._attempts.waiting()])
        elif self._is_outbox_well:
            started = self._attempts.start(now_s, self.confirmed_s)
            if started:
                self._counts["started"] += len(started)
                shortest_s = min(task.lease_s for task in started)
                self._lease_check_s = min(self._lease_check_s, self.confirmed_s + shortest_s)
                told.append(Start(tasks=started))
        if self._link is Link.OPEN:
            results = self._deliveries.take(now_s, min(self._limits.result_bytes_max, RESULT_BYTES_MAX))
            if results:
                told.append(self._send(results))
        return told + self._leave(now_s)

    def _leave(self, now_s: float) -> list[Effect]:
        """Go one step further on the way out, if we are on it."""
        if self._drain_reason is None or self._has_exited:
            return []
        if self._link is Link.LEAVING:
            return self._exit(0, "drained; the hub did not answer") if now_s >= self._bye_until_s else []
        if len(self._attempts):
            self._flush_until_s = None
            if self._stop_until_s is not None and now_s >= self._stop_until_s:
                return self._exit(1, f"{len(self._attempts)} attempts did not stop in time")
            return []
        if len(self._deliveries):
            return self._flush(now_s)
        if self._link is Link.OPEN:
            self._move(Step.FAREWELL)
            self._bye_until_s = now_s + BYE_WITHIN_S
            return [self._send([frames.Bye(reason=self._drain_reason)])]
        return self._exit(0, "drained") if self._link is Link.OFFLINE else []

    def _flush(self, now_s: float) -> list[Effect]:
        if self._flush_until_s is None:
            self._flush_until_s = now_s + (FLUSH_WITHIN_S if self._stop_until_s is None else STOP_WITHIN_S)
        if now_s < self._flush_until_s:
            return []
        count = len(self._deliveries)
        return self._exit(0, f"drained; {count} results wait in the outbox for the next start on this state folder")

    def _exit(self, code: int, reason: str) -> list[Effect]:
        self._has_exited = True
        told: list[Effect] = []
        if self._link is not Link.OFFLINE:
            told.append(self._close(CloseCode.GOING_AWAY, "the node ends"))
            self._move(Step.LOSE)
        return [*told, Exit(code=code, reason=reason)]

    def _send(self, what: Sequence[NodeFrame]) -> Effect:
        return Send(connection=self._connection, frames=what)

    def _greeting(self) -> NodeFrame:
        profile = self._profile
        if self._session_id is not None:
            return frames.Resume(session_id=self._session_id, instance_id=profile.instance_id, inventory=self.inventory)
        return frames.Register(
            node_id=profile.node_id,
            instance_id=profile.instance_id,
            name=profile.name,
            labels=profile.labels,
            slots=profile.slots,
            handlers=list(profile.handlers),
            version=profile.version,
            inventory=self.inventory,
            predecessors=self._predecessors,
            draining=self._drain_reason is not None,
        )

    # --- losing a connection ----------------------------------------------------------------------------------------

    def _move(self, step: Step) -> None:
        self._link = MOVES[self._link, step]

    def _close(self, code: CloseCode, reason: str) -> Effect:
        return Close(connection=self._connection, code=code, reason=reason)

    def _abandon(self, reason: str, now_s: float) -> list[Effect]:
        """Leave a connection that is of no use."""
        return [self._close(CloseCode.GOING_AWAY, reason), *self._lose(reason, now_s)]

    def _lose(self, reason: str, now_s: float, *, fatal: bool = False) -> list[Effect]:
        """Plan the next dial after a connection has ended."""
        was_open = self._link is Link.OPEN
        self._move(Step.LOSE)
        if fatal or not was_open:
            return self._dial(self._dialing.after_failure(reason, is_fatal=fatal))
        return self._dial(self._dialing.after_session(reason, now_s - self._opened_s))

    def _hang_up(self, dial: Dial, reason: str = "") -> list[Effect]:
        """Close the connection in peace, and come back as it is planned."""
        told = [self._close(CloseCode.NORMAL, reason or dial.reason)]
        self._move(Step.LOSE)
        return [*told, *self._dial(dial)]

    def _dial(self, dial: Dial) -> list[Effect]:
        return [] if self._has_exited else [dial]


def _never_started(held: Held, now_s: float) -> Ended:
    key = (held.task.task_id, held.task.attempt)
    return Ended(key=key, outcome="cancelled", ended_s=now_s)


def _finished(held: Held, ended: Ended) -> Finished:
    began_s = ended.ended_s if ended.started_s is None else ended.started_s
    result = frames.Result(
        task_id=held.task.task_id,
        attempt=held.task.attempt,
        outcome=ended.outcome,
        value=Raw(ended.value) if ended.value else UNSET,
        error=ended.error,
        wait_s=max(0.0, began_s - held.pushed_s),
        run_s=max(0.0, ended.ended_s - began_s),
    )
    return Finished(result=result, ended_s=ended.ended_s)
