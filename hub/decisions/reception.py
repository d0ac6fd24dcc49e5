"""How a node comes in: the first message of its connection, who may come, and what it is told once that is committed.

Every way in is a reconcile: `register` and `resume` both carry the inventory, and the store answers with verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.decisions import effects as does
from hub.decisions.connections import Connection, Connections
from hub.decisions.core_state import CoreState
from hub.decisions.effects import ConnectionId, Effect
from hub.decisions.offers import Offers
from hub.decisions.pushes import Pushes
from hub.decisions.sessions import Session, succession
from hub.store.nodes import Reconciled, RegisterNode
from hub.store.now import Now
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.errors import OutOfTurnError
from protocol.frames import Frame, NodeFrame, frame_type

# A node that is in conflict with a live instance comes back after this, plus up to as much again.
CONFLICT_RETRY_S = 30.0


class Reception:
    """Gives sessions to connections, or refuses.

    Args:
        state: what the core shares.
        connections: where a session that moves is taken from.
        pushes: what sends a node what it lacks when it has come in.
        offers: where its slots are offered then.
        new_id: gives a new identifier for a session.
    """

    def __init__(
        self,
        state: CoreState,
        connections: Connections,
        pushes: Pushes,
        offers: Offers,
        *,
        new_id: Callable[[], str],
    ) -> None:
        self._state = state
        self._connections = connections
        self._pushes = pushes
        self._offers = offers
        self._new_id = new_id

    def greet(self, connection: Connection, message: Sequence[NodeFrame], now: Now) -> list[Effect]:
        """Act on the first message of a connection: exactly one `register` or `resume`.

        Raises:
            OutOfTurnError: it is anything else. Close the connection.
        """
        frame = message[0]
        if len(message) > 1 or not isinstance(frame, frames.Register | frames.Resume):
            wrong = message[1] if isinstance(frame, frames.Register | frames.Resume) else frame
            raise OutOfTurnError(frame_type(wrong), "one `register` or `resume` first, and its answer")
        if self._state.is_stopping:
            return self.refuse(connection.id, "stopping", "this hub stops", retry_after_s=1.0)
        if self._state.degraded is not None:
            reason = f"the store takes no commits: {self._state.degraded}"
            return self.refuse(connection.id, "degraded", reason, retry_after_s=5.0)
        if isinstance(frame, frames.Resume):
            return self._resume(connection, frame, now)
        return self._register(connection, frame, now)

    # --- refusing -------------------------------------------------------------------------------------------------

    def refuse(
        self,
        connection: ConnectionId,
        code: str,
        message: str,
        retry_after_s: float | None = None,
        *,
        remedy: str = "",
        fatal: bool = False,
    ) -> list[Effect]:
        """Say why a node may not come in, and close its connection."""
        self._state.counts[f"refused_{code}"] += 1
        refused = frames.Refused(code=code, message=message, remedy=remedy, retry_after_s=retry_after_s, fatal=fatal)
        return [does.Send(connection, [refused]), does.Close(connection, CloseCode.REFUSED, message)]

    def _refuse_conflict(self, connection: ConnectionId, frame: frames.Register) -> list[Effect]:
        message = f"another live process is node {frame.node_id}"
        retry_after_s = CONFLICT_RETRY_S * (1 + self._state.luck())
        remedy = "give each node its own --node-id, or stop the other process"
        alarm = does.Alarm(kind="instance_conflict", node_id=frame.node_id, message=f"{message}; refused a second")
        return [alarm, *self.refuse(connection, "instance_conflict", message, retry_after_s, remedy=remedy)]

    def _drop_overtaken(self, connection: ConnectionId) -> list[Effect]:
        """Drop a greeting that was long on its way: the node has left this connection, and its inventory is old."""
        return [does.Close(connection, CloseCode.SUPERSEDED, "superseded by a newer connection")]

    # --- register and resume ----------------------------------------------------------------------------------------

    def _register(self, connection: Connection, frame: frames.Register, now: Now) -> list[Effect]:
        if connection.allowed_node is not None and connection.allowed_node != frame.node_id:
            message = f"the token is for node {connection.allowed_node}, not for {frame.node_id}"
            remedy = "use a token that was made for this node, or for any node"
            return self.refuse(connection.id, "not_allowed", message, remedy=remedy, fatal=True)
        previous = self._state.roster.get(frame.node_id)
        verdict = succession(previous, frame, self._state.settings.heartbeat_s, now.steady_s)
        if verdict == "conflict":
            return self._refuse_conflict(connection.id, frame)
        if verdict == "same_instance" and _is_overtaken(previous, connection.id):
            return self._drop_overtaken(connection.id)
        told = self._connections.supersede(previous)
        session = Session(frame, self._new_id(), connection.id, now.steady_s)
        self._state.roster.add(session)
        self._state.counts["registrations"] += 1
        told.append(self._open_session(session, connection, frame, frame.predecessors, resumed=False))
        return told

    def _resume(self, connection: Connection, frame: frames.Resume, now: Now) -> list[Effect]:
        session = self._state.roster.by_session_id(frame.session_id)
        allowed = connection.allowed_node
        if (
            session is None
            or session.instance_id != frame.instance_id
            or (allowed is not None and allowed != session.node_id)
        ):
            self._state.counts["unknown_sessions"] += 1
            unknown = frames.UnknownSession(session_id=frame.session_id)
            return [
                does.Send(connection.id, [unknown]),
                does.Close(connection.id, CloseCode.UNKNOWN_SESSION, "unknown session; register again"),
            ]
        if _is_overtaken(session, connection.id):
            return self._drop_overtaken(connection.id)
        told = self._connections.supersede(session)
        session.connection = connection.id
        session.heard_s = now.steady_s
        self._state.counts["resumptions"] += 1
        told.append(self._open_session(session, connection, frame, (), resumed=True))
        return told

    def _open_session(
        self,
        session: Session,
        connection: Connection,
        frame: frames.Register | frames.Resume,
        predecessors: Sequence[str],
        *,
        resumed: bool,
    ) -> Effect:
        connection.session = session
        # It is heard of: a release that is asked for from here on must not find its old silence.
        self._state.absences.end((session.node_id, session.instance_id))
        session.settling.clear()
        session.is_unread = False
        session.aside = 0
        operation = RegisterNode(
            node_id=session.node_id,
            instance_id=session.instance_id,
            predecessors=predecessors,
            inventory=frame.inventory,
            session_id=session.session_id,
            # A resumed node has not changed; but the store must not depend on who told it first.
            registration=session.registration,
            luck=self._state.luck(),
            leaving=session.leaving,
        )
        ticket = does.RegisterTicket(node_id=session.node_id, connection=connection.id, resumed=resumed)
        return does.Persist(operation, ticket)

    # --- once it is committed -----------------------------------------------------------------------------------------

    def registered(self, ticket: does.RegisterTicket, answer: Reconciled) -> list[Effect]:
        """The registration is committed: tell the node, push again what did not arrive, offer what is free."""
        session = self._state.roster.get(ticket.node_id)
        if session is None or session.connection != ticket.connection:
            return []
        self._state.roster.end_progress(session.held.difference(answer.held))
        session.held = set(answer.held)
        session.cordoned, session.draining = answer.cordoned, answer.draining
        session.is_ready = True
        self._state.absences.end((session.node_id, session.instance_id))
        told: list[Effect] = [does.Send(ticket.connection, self._welcome(session, answer, resumed=ticket.resumed))]
        if answer.unknown:
            first = answer.unknown[0]
            message = f"{len(answer.unknown)} attempts that this store does not know, first {first[0]}/{first[1]}; kept"
            told.append(does.Alarm(kind="unknown_attempts", node_id=session.node_id, message=message))
        # The answer first: what the node lacks may be more than can be read, or sent, in one go.
        return [*told, *self._pushes.begin(session, answer.push), *self._offers.open(session)]

    def _welcome(self, session: Session, answer: Reconciled, *, resumed: bool) -> list[Frame]:
        settings = self._state.settings
        kind = frames.Resumed if resumed else frames.Registered
        session.spread_s = self._state.roster.spread_s()
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
        if session.draining:
            said.append(frames.GoAway(action="drain", reason="an operator asked for it"))
        return said


def _is_overtaken(session: Session | None, connection: ConnectionId) -> bool:
    """Tell whether a newer connection carries this session: a process opens one after the other."""
    return session is not None and session.connection is not None and connection < session.connection
