"""The hub's decisions: what follows from a frame, a commit, a call or the passing of time.

No I/O, no clock, no asyncio: each method is handed the time and returns effects in order (`hub.effects`). The shell
(`hub.service`) carries them out; a simulation does the same with a network and a store of its own.

Memory is a cache of the store. What it decides alone is only what to *try*: which slots to offer, whom to push to.
Whether a task is assigned, settled or freed is decided in the store's transaction, whoever else writes there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Raw, Struct, UnsetType

from hub import effects as does
from hub.absences import Absences, Holder
from hub.admission import is_outdated, spread_s
from hub.departures import departure
from hub.effects import Aside, ConnectionId, Effect, RequestId, Ticket
from hub.leases import is_silent
from hub.scheduling import SlotPool
from hub.sessions import REMEMBERED_S, Fleet, LiveNode, Session, succession
from hub.store.assignments import Assignment, Claim, Claimed, Offer
from hub.store.attempts import AttemptResult, Record, Recorded, Release, Released
from hub.store.logs import AppendLogs
from hub.store.node_views import NodeView
from hub.store.nodes import HUB_STOPPED, Inherited, NodeLeft, NodeSeen, Reconciled, RegisterNode
from hub.store.now import Now
from hub.store.submissions import Broadcast, Submit, Submitted
from hub.store.sweeps import Sweep, Swept
from hub.store.tasks import WEEK_S, NewTask, TaskClass, class_of
from hub.store.wishes import Cancel, Cancelled, NodeWish, Revive
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.codec import check_json
from protocol.errors import BadFrameError, OutOfTurnError
from protocol.frames import AttemptKey, Frame, HubLimits, NodeFrame, frame_type
from protocol.limits import SLOTS_MAX, is_identifier

# A connection that has not registered by then is closed: a node registers in its first message.
REGISTER_WITHIN_S = 10.0

# How often the store is asked for due tasks, for what was queued by others, and told who was heard of.
SWEEP_EVERY_S = 0.5
CLAIM_EVERY_S = 2.0
SEEN_EVERY_S = 10.0

# How often it is looked who is late: a look at each connection, and what is late is so by seconds.
LATE_EVERY_S = 2.0

# Ticks are at most half a second apart. A longer gap than this means that the hub itself was stopped.
STOOD_STILL_S = 5.0

# Nodes whose slots one periodic claim offers: a full turn of 1,000 nodes takes a minute, and a claim stays short.
CLAIM_NODES_MAX = 32

# Of one node, on their way to the store: its slots' results twice over; and log frames, which are lossy.
RESULTS_UNDER_WAY_MAX = 2 * SLOTS_MAX
LOGS_UNDER_WAY_MAX = 16

# When leases are looked at again that could not be looked at for a reason of the store's own.
RELEASE_AGAIN_S = 5.0

# Departures that are kept until somebody asks: two of each node of a fleet of 5,000.
DEPARTURES_MAX = 10_000

# A clock that is off by more, 300 years, is as wrong as one can be.
SKEW_S_MAX = 1e10

# A node that is in conflict with a live instance comes back after this, plus up to as much again.
CONFLICT_RETRY_S = 30.0


class CoreSettings(Struct, frozen=True, kw_only=True):
    """What the core must know of how the hub is run."""

    hub_id: str
    version: str = ""
    heartbeat_s: float = 10.0
    admissions_per_s: float = 300.0
    limits: HubLimits = HubLimits()
    retention_s: float = WEEK_S
    retention_count: int = 1_000_000
    gone_after_s: float = 3600.0


class _Connection:
    """A socket of a node: when it was opened, what its token allows, and whose session it carries."""

    __slots__ = ("allowed_node", "opened_s", "session")

    def __init__(self, opened_s: float, allowed_node: str | None) -> None:
        self.opened_s = opened_s
        self.allowed_node = allowed_node
        self.session: Session | None = None


class HubCore:
    """One hub's sessions, offers and decisions.

    Args:
        settings: how the hub is run.
        new_id: gives a new identifier for a session.
        luck: gives a number drawn evenly from 0 to 1. Both are handed in so that a run can be repeated.
    """

    def __init__(self, settings: CoreSettings, *, new_id: Callable[[], str], luck: Callable[[], float]) -> None:
        self._settings = settings
        self._new_id = new_id
        self._luck = luck
        self._connections: dict[ConnectionId, _Connection] = {}
        self._sessions: dict[str, Session] = {}
        self._by_session_id: dict[str, Session] = {}
        self._pool = SlotPool()
        self._absences = Absences()
        # Of attempts that nodes hold, so bounded by all slots.
        self._progress: dict[str, frames.Progress] = {}
        self._seen: set[Holder] = set()
        self._degraded: str | None = None
        self._stopping = False
        self._suspicious = False
        self._sweeping = False
        # Nodes that were at the hub before this process: the fleet, until they have had the time to come.
        self._nodes_inherited = 0
        self._inherited_until_s = 0.0
        self._ticked_s: float | None = None
        self._late_at_s = 0.0
        self._sweep_at_s = 0.0
        self._claim_at_s = 0.0
        self._seen_at_s = 0.0
        self.counts: Counter[str] = Counter()
        """What happened so far, by name; for `/metrics`. Starts at 0 with the process."""
        self._departures: deque[str] = deque(maxlen=DEPARTURES_MAX)

    # --- what the shell may ask -----------------------------------------------------------------------------------

    @property
    def degraded(self) -> str | None:
        """Why the store takes no commits, or None."""
        return self._degraded

    @property
    def suspicious(self) -> bool:
        """Whether so many nodes are silent at once that the fault may be here."""
        return self._suspicious

    @property
    def sessions_live(self) -> int:
        """How many sessions have a connection and are reconciled."""
        return sum(1 for session in self._sessions.values() if session.is_ready)

    def fleet(self) -> Fleet:
        """Add up what the live sessions hold."""
        ready = [session for session in self._sessions.values() if session.is_ready]
        return Fleet(
            sessions=len(ready),
            slots=sum(session.registration.slots for session in ready),
            slots_in_use=sum(len(session.held) for session in ready),
            outbox=sum(session.heartbeat.outbox for session in ready),
        )

    def live(self, node_id: str) -> LiveNode | None:
        """Give what only a live session knows of this node, or None if it has none."""
        session = self._sessions.get(node_id)
        if session is None or not session.is_ready:
            return None
        heartbeat = session.heartbeat
        return LiveNode(
            slots_in_use=len(session.held),
            outbox=heartbeat.outbox,
            load=heartbeat.load,
            loop_lag_ms=heartbeat.loop_lag_ms,
            round_trip_ms=heartbeat.round_trip_ms,
            draining=session.leaving or session.draining,
            heard_s=session.heard_s,
        )

    def live_nodes(self) -> dict[str, LiveNode]:
        """Give what only live sessions know, by node id."""
        found = ((node_id, self.live(node_id)) for node_id in self._sessions)
        return {node_id: live for node_id, live in found if live is not None}

    def sessions(self) -> list[Session]:
        """Give the sessions that have a connection and are reconciled; to look at, not to change."""
        return [session for session in self._sessions.values() if session.is_ready]

    def take_departures(self) -> list[str]:
        """Give the ids of nodes that lost their connection since the last call, once for each time; not of those that
        said `bye` or were sent away.
        """
        taken = list(self._departures)
        self._departures.clear()
        return taken

    def progress(self, task_id: str) -> frames.Progress | None:
        """Give the latest progress of a task that runs, or None."""
        return self._progress.get(task_id)

    def handles(self, name: str) -> bool:
        """Tell whether any node whose session is remembered handles this name."""
        return any(name in session.profile.handlers for session in self._sessions.values())

    # --- the hub as a whole ---------------------------------------------------------------------------------------

    def started(self, inherited: Inherited, now: Now) -> None:
        """Take note of what the store holds: a hub that starts counts every lease as renewed."""
        for holder in inherited.holders:
            self._absences.begin(holder, now.steady_s)
        self._nodes_inherited = inherited.nodes
        self._inherited_until_s = now.steady_s + REMEMBERED_S

    def stop(self) -> list[Effect]:
        """Push nothing more and ask every node to come back later; results are still taken and acked."""
        self._stopping = True
        spread = self._spread_s()
        told: list[Effect] = []
        for session in self._sessions.values():
            self._pool.close(session.node_id)
            if session.connection is not None and session.is_ready:
                away = frames.GoAway(action="reconnect", spread_s=spread, reason="the hub stops")
                told.append(does.Send(session.connection, [away]))
        return told

    def store_degraded(self, reason: str) -> list[Effect]:
        """The store takes no commits: accept nothing new, keep every session, drop nothing."""
        self._degraded = reason
        return []

    def store_recovered(self, now: Now) -> list[Effect]:
        """The store takes commits again."""
        self._degraded = None
        # Whoever lost its connection meanwhile was refused, with its results, and whoever was to be registered waited.
        self._count_silence_anew(now.steady_s)
        return self.tick(now)

    # --- connections ----------------------------------------------------------------------------------------------

    def opened(self, connection: ConnectionId, allowed_node: str | None, now: Now) -> None:
        """A socket was accepted. ``allowed_node``: the only node id that its token may use; None: any."""
        self._connections[connection] = _Connection(now.steady_s, allowed_node)

    def closed(self, connection: ConnectionId, reason: str) -> list[Effect]:
        """A socket is gone, for whatever reason. The session stays, and so does everything the node runs."""
        state = self._connections.pop(connection, None)
        session = state.session if state is not None else None
        if session is None or session.connection != connection:
            return []
        return self._lose_connection(session, reason)

    def _lose_connection(
        self, session: Session, reason: str, *, gone: bool = False, sent_away: bool = False
    ) -> list[Effect]:
        session.connection = None
        session.is_ready = False
        self._pool.close(session.node_id)
        if not (gone or sent_away or self._stopping):
            self._departures.append(session.node_id)
        self._absences.begin((session.node_id, session.instance_id), session.heard_s)
        self.counts[f"disconnects_{departure(reason, stopping=self._stopping)}"] += 1
        left = NodeLeft(
            node_id=session.node_id,
            instance_id=session.instance_id,
            session_id=session.session_id,
            reason=HUB_STOPPED if self._stopping else reason[:200],
            gone=gone,
        )
        return [does.Persist(left)]

    def received(self, connection: ConnectionId, message: Sequence[NodeFrame], now: Now) -> list[Effect]:
        """Act on the frames of one message; frames of a superseded connection are dropped.

        Raises:
            OutOfTurnError: a frame that this moment of the conversation does not allow.
            BadFrameError: a result whose value is not JSON or too large. For both: close the connection.
        """
        state = self._connections.get(connection)
        if state is None:
            return []
        session = state.session
        if session is None:
            return self._greet(connection, state, message, now)
        if session.connection != connection:
            return []
        if not session.is_ready:
            raise OutOfTurnError(frame_type(message[0]), "nothing before `registered` or `resumed`")
        session.heard_s = now.steady_s
        return self._listen(session, connection, message, now)

    def _listen(
        self, session: Session, connection: ConnectionId, message: Sequence[NodeFrame], now: Now
    ) -> list[Effect]:
        """Act on the frames of a session that is open, results together in one operation."""
        told: list[Effect] = []
        results: list[frames.Result] = []
        bye: frames.Bye | None = None
        for frame in message:
            match frame:
                case frames.Result():
                    results.append(frame)
                case frames.Heartbeat():
                    session.heartbeat = frame
                    session.skew_s = _skew_s(frame, now.wall_s)
                    self._seen.add((session.node_id, session.instance_id))
                    told.append(does.Send(connection, [self._beat_back(session, frame)]))
                case frames.Progress():
                    told += self._note_progress(session, frame)
                case frames.Log():
                    told += self._note_log(session, frame)
                case frames.Drain():
                    session.leaving = True
                    self._pool.close(session.node_id)
                case frames.Bye():
                    bye = frame
                case _:
                    raise OutOfTurnError(frame_type(frame), "frames of an open session")
        if results:
            told += self._settle(session, results, now)
        # Last: a message that is refused must not leave half a farewell behind.
        if bye is not None:
            told += self._bid_farewell(session, connection, bye)
        return told

    # --- registering ------------------------------------------------------------------------------------------------

    def _greet(
        self, connection: ConnectionId, state: _Connection, message: Sequence[NodeFrame], now: Now
    ) -> list[Effect]:
        """Act on the first message of a connection: exactly one `register` or `resume`."""
        frame = message[0]
        if len(message) > 1 or not isinstance(frame, frames.Register | frames.Resume):
            wrong = message[1] if isinstance(frame, frames.Register | frames.Resume) else frame
            raise OutOfTurnError(frame_type(wrong), "one `register` or `resume` first, and its answer")
        if self._stopping:
            return self._refuse(connection, "stopping", "this hub stops", retry_after_s=1.0)
        if self._degraded is not None:
            return self._refuse(connection, "degraded", f"the store takes no commits: {self._degraded}", 5.0)
        if isinstance(frame, frames.Resume):
            return self._resume(connection, state, frame, now)
        return self._register(connection, state, frame, now)

    def _refuse(
        self,
        connection: ConnectionId,
        code: str,
        message: str,
        retry_after_s: float | None = None,
        *,
        remedy: str = "",
        fatal: bool = False,
    ) -> list[Effect]:
        self.counts[f"refused_{code}"] += 1
        refused = frames.Refused(code=code, message=message, remedy=remedy, retry_after_s=retry_after_s, fatal=fatal)
        return [does.Send(connection, [refused]), does.Close(connection, CloseCode.REFUSED, message)]

    def _register(self, connection: ConnectionId, state: _Connection, frame: frames.Register, now: Now) -> list[Effect]:
        if state.allowed_node is not None and state.allowed_node != frame.node_id:
            message = f"the token is for node {state.allowed_node}, not for {frame.node_id}"
            remedy = "use a token that was made for this node, or for any node"
            return self._refuse(connection, "not_allowed", message, remedy=remedy, fatal=True)
        previous = self._sessions.get(frame.node_id)
        verdict = succession(previous, frame, self._settings.heartbeat_s, now.steady_s)
        if verdict == "conflict":
            return self._refuse_conflict(connection, frame)
        if verdict == "same_instance" and _is_overtaken(previous, connection):
            return self._drop_overtaken(connection)
        told = self._supersede(previous)
        session = Session(frame, self._new_id(), connection, now.steady_s)
        if previous is not None:
            self._forget(previous)
        self._sessions[frame.node_id] = session
        self._by_session_id[session.session_id] = session
        self.counts["registrations"] += 1
        told.append(self._open_session(session, connection, state, frame, frame.predecessors, resumed=False))
        return told

    def _refuse_conflict(self, connection: ConnectionId, frame: frames.Register) -> list[Effect]:
        message = f"another live process is node {frame.node_id}"
        retry_after_s = CONFLICT_RETRY_S * (1 + self._luck())
        remedy = "give each node its own --node-id, or stop the other process"
        alarm = does.Alarm(kind="instance_conflict", node_id=frame.node_id, message=f"{message}; refused a second")
        return [alarm, *self._refuse(connection, "instance_conflict", message, retry_after_s, remedy=remedy)]

    def _drop_overtaken(self, connection: ConnectionId) -> list[Effect]:
        """Drop a greeting that was long on its way: the node has left this connection, and its inventory is old."""
        return [does.Close(connection, CloseCode.SUPERSEDED, "superseded by a newer connection")]

    def _resume(self, connection: ConnectionId, state: _Connection, frame: frames.Resume, now: Now) -> list[Effect]:
        session = self._by_session_id.get(frame.session_id)
        allowed = state.allowed_node
        if (
            session is None
            or session.instance_id != frame.instance_id
            or (allowed is not None and allowed != session.node_id)
        ):
            self.counts["unknown_sessions"] += 1
            unknown = frames.UnknownSession(session_id=frame.session_id)
            return [
                does.Send(connection, [unknown]),
                does.Close(connection, CloseCode.UNKNOWN_SESSION, "unknown session; register again"),
            ]
        if _is_overtaken(session, connection):
            return self._drop_overtaken(connection)
        told = self._supersede(session)
        session.connection = connection
        session.heard_s = now.steady_s
        self.counts["resumptions"] += 1
        told.append(self._open_session(session, connection, state, frame, (), resumed=True))
        return told

    def _supersede(self, previous: Session | None) -> list[Effect]:
        """Take a session from the connection that still carries it, if any."""
        if previous is None or previous.connection is None:
            return []
        old = previous.connection
        told = self._lose_connection(previous, "superseded by a newer connection")
        return [*told, does.Close(old, CloseCode.SUPERSEDED, "superseded by a newer connection")]

    def _open_session(
        self,
        session: Session,
        connection: ConnectionId,
        state: _Connection,
        frame: frames.Register | frames.Resume,
        predecessors: Sequence[str],
        *,
        resumed: bool,
    ) -> Effect:
        state.session = session
        # It is heard of: a release that is asked for from here on must not find its old silence.
        self._absences.end((session.node_id, session.instance_id))
        session.settling.clear()
        session.aside = 0
        operation = RegisterNode(
            node_id=session.node_id,
            instance_id=session.instance_id,
            predecessors=predecessors,
            inventory=frame.inventory,
            session_id=session.session_id,
            # A resumed node has not changed; but the store must not depend on who told it first.
            registration=session.registration,
            luck=self._luck(),
        )
        return does.Persist(
            operation, does.RegisterTicket(node_id=session.node_id, connection=connection, resumed=resumed)
        )

    def _registered(self, ticket: does.RegisterTicket, answer: Reconciled) -> list[Effect]:
        """The registration is committed: tell the node, push again what did not arrive, offer what is free."""
        session = self._sessions.get(ticket.node_id)
        if session is None or session.connection != ticket.connection:
            return []
        for task_id, _ in session.held.difference(answer.held):
            self._progress.pop(task_id, None)
        session.held = set(answer.held)
        session.cordoned, session.draining = answer.cordoned, answer.draining
        session.is_ready = True
        self._absences.end((session.node_id, session.instance_id))
        told: list[Effect] = [does.Send(ticket.connection, self._welcome(session, answer, resumed=ticket.resumed))]
        if answer.unknown:
            first = answer.unknown[0]
            message = f"{len(answer.unknown)} attempts that this store does not know, first {first[0]}/{first[1]}; kept"
            told.append(does.Alarm(kind="unknown_attempts", node_id=session.node_id, message=message))
        return [*told, *self._offer_all(session)]

    def _welcome(self, session: Session, answer: Reconciled, *, resumed: bool) -> list[Frame]:
        settings = self._settings
        kind = frames.Resumed if resumed else frames.Registered
        session.spread_s = self._spread_s()
        said: list[Frame] = [
            kind(
                session_id=session.session_id,
                hub_id=settings.hub_id,
                version=settings.version,
                heartbeat_s=settings.heartbeat_s,
                spread_s=session.spread_s,
                limits=settings.limits,
            )
        ]
        if answer.keep or answer.stop or answer.forget:
            said.append(frames.Verdicts(keep=answer.keep, stop=answer.stop, forget=answer.forget))
        said += [frames.Cancel(task_id=key[0], attempt=key[1], reason="cancelled") for key in answer.cancel]
        said += map(_task_frame, answer.push)
        if session.draining:
            said.append(frames.GoAway(action="drain", reason="an operator asked for it"))
        return said

    def _spread_s(self) -> float:
        """Give the time over which the whole fleet can come back."""
        return spread_s(max(len(self._sessions), self._nodes_inherited), self._settings.admissions_per_s)

    def _beat_back(self, session: Session, beat: frames.Heartbeat) -> Frame:
        """Acknowledge a heartbeat, and with it tell a spread that has changed."""
        spread = self._spread_s()
        if not is_outdated(session.spread_s, spread):
            return frames.HeartbeatAck(sequence=beat.sequence)
        session.spread_s = spread
        return frames.HeartbeatAck(sequence=beat.sequence, spread_s=spread)

    def _bid_farewell(self, session: Session, connection: ConnectionId, frame: frames.Bye) -> list[Effect]:
        told = self._lose_connection(session, f"bye: {frame.reason}" if frame.reason else "bye", gone=True)
        self._forget(session)
        wish = NodeWish(node_id=session.node_id, draining=False)
        return [*told, does.Persist(wish, does.LeaveTicket(connection=connection))]

    def _forget(self, session: Session) -> None:
        if self._sessions.get(session.node_id) is session:
            del self._sessions[session.node_id]
        self._by_session_id.pop(session.session_id, None)
        for task_id, _ in session.held:
            self._progress.pop(task_id, None)

    # --- results ----------------------------------------------------------------------------------------------------

    def _settle(self, session: Session, results: Sequence[frames.Result], now: Now) -> list[Effect]:
        """Put results to the store, and with them the slots that they free. A result that is on its way already is
        dropped: its ack comes with the first.
        """
        fresh = [frame for frame in results if (frame.task_id, frame.attempt) not in session.settling]
        if not fresh:
            return []
        if len(session.settling) + len(fresh) > RESULTS_UNDER_WAY_MAX:
            raise OutOfTurnError("result", f"at most {RESULTS_UNDER_WAY_MAX} results that are not acked")
        limit = self._settings.limits.result_bytes_max
        settled = [_attempt_result(session.node_id, frame, limit, now) for frame in fresh]
        keys = [(frame.task_id, frame.attempt) for frame in fresh]
        freed = len(session.held.intersection(keys))
        session.settling.update(keys)
        offers, aside = self._offer_freed(session, freed)
        operation = Record(results=settled, offers=offers, luck=self._luck())
        ticket = does.RecordTicket(node_id=session.node_id, instance_id=session.instance_id, keys=keys, aside=aside)
        return [does.Persist(operation, ticket)]

    def _offer_freed(self, session: Session, freed: int) -> tuple[list[Offer], Aside]:
        """Offer the slots that these results free, and what is free besides, for the same commit."""
        if self._stopping or not session.takes_work or session.connection is None:
            return [], {}
        free = self._pool.free(session.node_id)
        besides = max(0, free)
        # Below 0 the node holds more than it has slots for: what is freed pays that back first.
        offered = freed + free
        if offered <= 0:
            return [], {}
        self._pool.give(session.node_id, -besides)
        session.aside += besides
        offer = Offer(profile=session.profile, instance_id=session.instance_id, free=offered)
        # Only what was taken from the pool goes back to it; freed slots enter it when the results are committed.
        return [offer], {session.node_id: does.Put(session.connection, besides)}

    def _recorded(self, ticket: does.RecordTicket, answer: Recorded) -> list[Effect]:
        """Results are committed: free their slots, ack them."""
        session = self._sessions.get(ticket.node_id)
        told: list[Effect] = []
        foreign = 0
        acked: list[AttemptKey] = []
        for key, verdict in zip(ticket.keys, answer.verdicts, strict=True):
            self._progress.pop(key[0], None)
            self.counts[f"results_{verdict}"] += 1
            if verdict == "foreign":
                foreign += 1
            else:
                acked.append(key)
        if foreign:
            message = f"{foreign} results for attempts of other nodes; refused"
            told.append(does.Alarm(kind="foreign_result", node_id=ticket.node_id, message=message))
        if session is None or session.instance_id != ticket.instance_id:
            return told
        session.settling.difference_update(ticket.keys)
        freed = len(session.held.intersection(acked))
        session.held.difference_update(acked)
        if session.is_ready and session.connection is not None:
            self._pool.give(session.node_id, freed)
            if acked:
                told.append(does.Send(session.connection, [frames.Ack(attempts=acked)]))
        return told

    def _note_progress(self, session: Session, frame: frames.Progress) -> list[Effect]:
        if (frame.task_id, frame.attempt) not in session.held:
            return []
        self._progress[frame.task_id] = frame
        return [does.Tell(session.node_id, frame)]

    def _note_log(self, session: Session, frame: frames.Log) -> list[Effect]:
        self.counts["log_lines_dropped"] += frame.dropped
        lines = [line for line in frame.lines if (line.task_id, line.attempt) in session.held]
        if not lines or self._degraded is not None:
            return []
        if session.logs_under_way >= LOGS_UNDER_WAY_MAX:
            self.counts["log_lines_dropped"] += len(lines)
            return [does.Tell(session.node_id, frames.Log(lines=lines))]
        session.logs_under_way += 1
        append = AppendLogs(
            node_id=session.node_id, lines=lines, lines_max=self._settings.limits.log_lines_per_task_max
        )
        told = does.Tell(session.node_id, frames.Log(lines=lines))
        return [does.Persist(append, does.LogTicket(node_id=session.node_id)), told]

    # --- offers and assignments ---------------------------------------------------------------------------------------

    def _offer_all(self, session: Session) -> list[Effect]:
        """Offer all free slots of a node that has just become ready for work."""
        if self._stopping or not session.takes_work:
            return []
        free = session.slots_free
        self._pool.open(session.profile, session.instance_id, free)
        return self._claim(self._pool.take_node(session.node_id, free))

    def _claim(self, offers: Sequence[Offer]) -> list[Effect]:
        if not offers:
            return []
        return [does.Persist(Claim(offers=offers), Ticket(aside=self._aside(offers)))]

    def _aside(self, offers: Iterable[Offer]) -> Aside:
        aside: dict[str, does.Put] = {}
        for offer in offers:
            node_id = offer.profile.node_id
            session = self._sessions[node_id]
            session.aside += offer.free
            before = aside[node_id].count if node_id in aside else 0
            # A node in the pool has a live connection: both begin and end together.
            aside[node_id] = does.Put(session.connection or 0, before + offer.free)
        return aside

    def _push(self, ticket: Ticket, assignments: Sequence[Assignment]) -> list[Effect]:
        """Assignments are committed: push them on the connections that they were offered for, give the rest back.

        A node whose connection has changed since is sent nothing: its reconcile stands behind this commit in the
        writer's queue, sees the assignments, and pushes them.
        """
        by_node: dict[str, list[Assignment]] = {}
        for assignment in assignments:
            by_node.setdefault(assignment.node_id, []).append(assignment)
        told: list[Effect] = []
        for node_id, put in ticket.aside.items():
            session = self._sessions.get(node_id)
            if session is None or session.connection != put.connection or not session.is_ready:
                continue
            session.aside -= put.count
            assigned = by_node.get(node_id, [])
            # May be negative where freed slots of the same operation were used: they entered the pool just before.
            self._pool.give(node_id, put.count - len(assigned))
            if assigned:
                session.held.update((item.task_id, item.attempt) for item in assigned)
                told.append(does.Send(put.connection, list(map(_task_frame, assigned))))
        return told

    # --- what the API asks --------------------------------------------------------------------------------------------

    def submit(self, request: RequestId, tasks: Sequence[NewTask], now: Now) -> list[Effect]:
        """Accept tasks, and offer them free slots in the same commit."""
        offers: list[Offer] = []
        if not self._stopping:
            wanted = Counter(class_of(task.name, task.options) for task in tasks)
            for task_class, count in wanted.items():
                offers += self._pool.take(task_class, count)
        waits_s = [_wait_s(task, now) for task in tasks if task.options.delay_s or task.options.not_before is not None]
        if waits_s:
            self._sweep_at_s = min(self._sweep_at_s, now.steady_s + max(0.0, min(waits_s)))
        operation = Submit(tasks=tasks, offers=offers)
        return [does.Persist(operation, Ticket(aside=self._aside(offers), request=request))]

    def broadcast(self, request: RequestId, template: NewTask) -> list[Effect]:
        """Accept one task for each node that matches."""
        return [does.Persist(Broadcast(template=template), Ticket(request=request))]

    def cancel(self, request: RequestId, task_ids: Sequence[str], reason: str) -> list[Effect]:
        """Cancel tasks; nodes are told once it is committed."""
        return [does.Persist(Cancel(task_ids=task_ids, reason=reason), Ticket(request=request))]

    def revive(self, request: RequestId, task_ids: Sequence[str]) -> list[Effect]:
        """Queue finished tasks again."""
        return [does.Persist(Revive(task_ids=task_ids), Ticket(request=request))]

    def wish(
        self, request: RequestId, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> list[Effect]:
        """Note an operator's wish about a node; the session follows once it is committed."""
        operation = NodeWish(node_id=node_id, cordoned=cordoned, draining=draining)
        return [does.Persist(operation, Ticket(request=request))]

    def disconnect(self, node_id: str) -> list[Effect]:
        """Close a node's connection and forget its session: it registers again. Empty if it has none."""
        session = self._sessions.get(node_id)
        if session is None or session.connection is None:
            return []
        connection = session.connection
        told = self._lose_connection(session, "disconnected by an operator", sent_away=True)
        self._forget(session)
        return [*told, does.Close(connection, CloseCode.DISCONNECTED, "disconnected by an operator")]

    def _cancelled(self, answer: Cancelled) -> list[Effect]:
        told: list[Effect] = []
        for row in answer.stop:
            session = self._sessions.get(row.node_id)
            if session is not None and session.is_ready and session.connection is not None:
                stop = frames.Cancel(task_id=row.task_id, attempt=row.attempt, reason="cancelled")
                told.append(does.Send(session.connection, [stop]))
        return told

    def _wished(self, view: NodeView | None) -> list[Effect]:
        session = self._sessions.get(view.id) if view is not None else None
        if view is None or session is None or not session.is_ready or session.connection is None:
            return []
        told: list[Effect] = []
        took_work = session.takes_work
        if view.draining and not session.draining:
            away = frames.GoAway(action="drain", reason="an operator asked for it")
            told.append(does.Send(session.connection, [away]))
        session.cordoned, session.draining = view.cordoned, view.draining
        if took_work and not session.takes_work:
            self._pool.close(session.node_id)
        elif session.takes_work and not took_work:
            told += self._offer_all(session)
        return told

    # --- time ---------------------------------------------------------------------------------------------------------

    def wake_at_s(self) -> float:
        """Give the steady time of the next `tick` that can matter; the shell ticks at least this soon."""
        return min(self._sweep_at_s, self._claim_at_s)

    def tick(self, now: Now) -> list[Effect]:
        """Do what the time asks for: late sockets, silent nodes, leases, due tasks, claims."""
        now_s = now.steady_s
        if self._ticked_s is not None and now_s - self._ticked_s > STOOD_STILL_S:
            # This process stood still: what was said to it meanwhile lies unread.
            self._count_silence_anew(now_s)
        self._ticked_s = now_s
        if now_s >= self._inherited_until_s:
            self._nodes_inherited = 0
        told: list[Effect] = []
        if now_s >= self._late_at_s:
            self._late_at_s = now_s + LATE_EVERY_S
            told += self._close_late(now_s)
        if self._degraded is not None:
            return told
        told += self._release(now_s)
        if now_s >= self._sweep_at_s and not self._sweeping:
            self._sweeping = True
            self._sweep_at_s = now_s + SWEEP_EVERY_S
            told.append(does.Persist(self._sweep()))
        if now_s >= self._claim_at_s and not self._stopping:
            self._claim_at_s = now_s + CLAIM_EVERY_S
            told += self._claim(self._pool.take_any(CLAIM_NODES_MAX))
        if now_s >= self._seen_at_s and self._seen:
            self._seen_at_s = now_s + SEEN_EVERY_S
            told.append(does.Persist(NodeSeen(nodes=sorted(self._seen))))
            self._seen.clear()
        return told

    def _count_silence_anew(self, now_s: float) -> None:
        """The hub could not hear, or not take, what was said to it: nobody has been silent."""
        for session in self._sessions.values():
            if session.connection is not None:
                session.heard_s = now_s
        self._absences.renew(now_s)

    def _sweep(self) -> Sweep:
        settings = self._settings
        return Sweep(
            retention_s=settings.retention_s,
            retention_count=settings.retention_count,
            gone_after_s=settings.gone_after_s,
        )

    def _close_late(self, now_s: float) -> list[Effect]:
        """Close sockets that never registered and sessions that fell silent; forget sessions that stayed away."""
        told: list[Effect] = []
        for number, connection in list(self._connections.items()):
            if connection.session is None and now_s - connection.opened_s > REGISTER_WITHIN_S:
                del self._connections[number]
                told.append(does.Close(number, CloseCode.TOO_SLOW, f"no `register` within {REGISTER_WITHIN_S:.0f} s"))
        for session in list(self._sessions.values()):
            silent_s = now_s - session.heard_s
            if session.connection is None:
                if silent_s > REMEMBERED_S:
                    self._forget(session)
            elif session.is_ready and is_silent(silent_s, self._settings.heartbeat_s):
                number = session.connection
                told += self._lose_connection(session, f"silent for {silent_s:.0f} s")
                told.append(does.Close(number, CloseCode.TOO_SLOW, f"silent for {silent_s:.0f} s"))
        return told

    def _release(self, now_s: float) -> list[Effect]:
        settings = self._settings
        suspicious = len(self._absences) > 0 and self._absences.is_suspicious(
            self.sessions_live, settings.heartbeat_s, settings.gone_after_s, now_s
        )
        told: list[Effect] = []
        if suspicious != self._suspicious:
            self._suspicious = suspicious
            told.append(_suspicion(len(self._absences), suspicious=suspicious))
        if suspicious:
            return told
        silences = self._absences.due(now_s)
        if silences:
            holders = [(silence.node_id, silence.instance_id) for silence in silences]
            operation = Release(silences=silences, luck=self._luck())
            told.append(does.Persist(operation, does.ReleaseTicket(holders=holders)))
        return told

    def _released(self, ticket: does.ReleaseTicket, answer: Released, now: Now) -> list[Effect]:
        self._absences.answer(ticket.holders, answer.next_due_s, now.steady_s)
        self.counts["leases_expired"] += len(answer.freed)
        told: list[Effect] = []
        for row in answer.freed:
            self._progress.pop(row.task_id, None)
            message = (
                f"attempt {row.attempt} of task {row.task_id} is freed: nothing heard of {row.node_id} for its lease"
            )
            told.append(
                does.Alarm(
                    kind="lease_expired",
                    node_id=row.node_id,
                    task_id=row.task_id,
                    attempt=row.attempt,
                    message=message,
                )
            )
        return told

    def _swept(self, answer: Swept, now: Now) -> None:
        self._sweeping = False
        if answer.more:
            self._sweep_at_s = now.steady_s
        elif answer.next_due_in_s is not None:
            self._sweep_at_s = min(self._sweep_at_s, now.steady_s + max(0.0, answer.next_due_in_s))

    # --- commits ------------------------------------------------------------------------------------------------------

    def committed(
        self, done: Iterable[tuple[Ticket, object]], waiting: Mapping[TaskClass, int], now: Now
    ) -> list[Effect]:
        """Go on after a commit.

        Args:
            done: each operation's ticket with its answer (an exception where that operation failed), in order.
            waiting: tasks that the commit put into the queue without a node, by class.
            now: the time.
        """
        told: list[Effect] = []
        for ticket, answer in done:
            if isinstance(ticket, does.LogTicket):
                session = self._sessions.get(ticket.node_id)
                if session is not None:
                    session.logs_under_way = max(0, session.logs_under_way - 1)
            told += self._follow(ticket, answer, now)
            if ticket.request is not None:
                told.append(does.Reply(ticket.request, answer))
        offers: list[Offer] = []
        if not self._stopping:
            for task_class, count in waiting.items():
                offers += self._pool.take(task_class, count)
        return told + self._claim(offers)

    def _follow(self, ticket: Ticket, answer: object, now: Now) -> list[Effect]:
        match answer, ticket:
            case Recorded(), does.RecordTicket():
                return self._recorded(ticket, answer) + self._push(ticket, answer.assignments)
            case ((Submitted() | Claimed()), _):
                return self._push(ticket, answer.assignments)
            case Reconciled(), does.RegisterTicket():
                return self._registered(ticket, answer)
            case Released(), does.ReleaseTicket():
                return self._released(ticket, answer, now)
            case Cancelled(), _:
                return self._cancelled(answer)
            case Swept(), _:
                self._swept(answer, now)
                return []
            case _, does.LeaveTicket():
                return [does.Close(ticket.connection, CloseCode.NORMAL, "bye")]
            case NodeView(), _:
                return self._wished(answer)
            case Exception(), _:
                return self._failed(ticket, answer, now)
            case _:
                return []

    def _failed(self, ticket: Ticket, error: Exception, now: Now) -> list[Effect]:
        """An operation failed for a reason of its own: nothing of it happened, so take back what was tried."""
        told = self._push(ticket, [])
        message = f"{type(ticket).__name__}: {type(error).__name__}: {error}"
        told.append(does.Alarm(kind="operation_failed", message=message))
        self._sweeping = False
        if isinstance(ticket, does.RecordTicket):
            # Not acked: the node keeps the results and brings them with its next connect.
            session = self._sessions.get(ticket.node_id)
            if session is not None:
                session.settling.difference_update(ticket.keys)
        if isinstance(ticket, does.ReleaseTicket):
            self._absences.answer(ticket.holders, [RELEASE_AGAIN_S] * len(ticket.holders), now.steady_s)
        if isinstance(ticket, does.RegisterTicket):
            told += self._refuse(ticket.connection, "internal", "the hub could not register this node", 30.0)
        return told


def _wait_s(task: NewTask, now: Now) -> float:
    """Give how long a task is to wait: of its two waits the one that ends later."""
    options = task.options
    return max(options.delay_s, 0.0 if options.not_before is None else options.not_before - now.wall_s)


def _skew_s(beat: frames.Heartbeat, wall_s: float) -> float | None:
    """Give how far a node's wall clock is ahead of ours, as far as half a round trip tells; None: it does not say."""
    if beat.at is None:
        return None
    skew_s = beat.at + (beat.round_trip_ms or 0.0) / 2000 - wall_s
    return max(-SKEW_S_MAX, min(SKEW_S_MAX, skew_s))


def _is_overtaken(session: Session | None, connection: ConnectionId) -> bool:
    """Tell whether a newer connection carries this session: a process opens one after the other."""
    return session is not None and session.connection is not None and connection < session.connection


def _task_frame(assignment: Assignment) -> frames.Task:
    payload = assignment.payload
    if b"\n" in payload or b"\r" in payload:
        # A frame is one line. Strings cannot hold a line end, so it is white space (RFC 8259, 2 and 7).
        payload = payload.replace(b"\n", b" ").replace(b"\r", b" ")
    return frames.Task(
        task_id=assignment.task_id,
        attempt=assignment.attempt,
        name=assignment.name,
        payload=Raw(payload),
        timeout_s=assignment.timeout_s,
        lease_s=assignment.lease_s,
    )


def _attempt_result(node_id: str, frame: frames.Result, bytes_max: int, now: Now) -> AttemptResult:
    """Take a result in: the one place where a value is looked at; afterwards it is bytes.

    Raises:
        BadFrameError: the value is not JSON, or larger than this hub takes. Nodes check both before they send.
    """
    if not is_identifier(frame.task_id):
        raise BadFrameError(f"frame `result` is wrong (`task_id` {frame.task_id[:40]!r}: no identifier)")
    value = b"null" if isinstance(frame.value, UnsetType) else bytes(frame.value)
    problem = check_json(value)
    if problem is None and len(value) > bytes_max:
        problem = f"it has {len(value)} bytes, at most {bytes_max} are allowed"
    if problem is not None:
        raise BadFrameError(f"frame `result` is wrong (the value of {frame.task_id}/{frame.attempt}: {problem})")
    return AttemptResult(
        task_id=frame.task_id,
        attempt=frame.attempt,
        node_id=node_id,
        outcome=frame.outcome,
        value=value if frame.outcome == "succeeded" else b"",
        error=frame.error,
        wait_s=frame.wait_s,
        run_s=frame.run_s,
        ended_at=now.wall_s - frame.age_s,
    )


def _suspicion(silent: int, *, suspicious: bool) -> Effect:
    if suspicious:
        message = (
            f"{silent} nodes are silent at once: the fault may be here; no lease is ended until they are back or gone"
        )
        return does.Alarm(kind="fleet_silent", message=message)
    return does.Alarm(kind="fleet_back", message="enough nodes are back: leases run again")
