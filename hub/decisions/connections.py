"""The sockets of nodes: which are open, whose session each carries, and what follows when one is lost.

A session outlives its connection, and so does everything that its node runs: losing one frees nothing.
"""

from __future__ import annotations

from collections import deque

from hub.decisions import effects as does
from hub.decisions.core_state import CoreState
from hub.decisions.departures import departure
from hub.decisions.effects import ConnectionId, Effect
from hub.decisions.leases import is_silent
from hub.decisions.offers import Offers
from hub.decisions.sessions import REMEMBERED_S, Session
from hub.store.nodes import HUB_STOPPED, NodeLeft
from hub.store.now import Now
from protocol.close_codes import CloseCode

# A connection that has not registered by then is closed: a node registers in its first message.
REGISTER_WITHIN_S = 10.0

# Departures that are kept until somebody asks: two of each node of a fleet of 5,000.
DEPARTURES_MAX = 10_000


class Connection:
    """A socket of a node: when it was opened, what its token allows, and whose session it carries.

    ``allowed_node``: the only node id that its token may use; None: any. ``session`` is None until it has registered
    or resumed one.
    """

    __slots__ = ("allowed_node", "id", "opened_s", "session")

    def __init__(self, connection: ConnectionId, opened_s: float, allowed_node: str | None) -> None:
        self.id = connection
        self.opened_s = opened_s
        self.allowed_node = allowed_node
        self.session: Session | None = None


class Connections:
    """The open connections of this hub. It takes sessions from them; `hub.decisions.reception` gives sessions to
    them.
    """

    def __init__(self, state: CoreState, offers: Offers) -> None:
        self._state = state
        self._offers = offers
        self._open: dict[ConnectionId, Connection] = {}
        self._departures: deque[str] = deque(maxlen=DEPARTURES_MAX)

    def open(self, connection: ConnectionId, allowed_node: str | None, now: Now) -> None:
        """Note that a socket was accepted."""
        self._open[connection] = Connection(connection, now.steady_s, allowed_node)

    def get(self, connection: ConnectionId) -> Connection | None:
        """Give an open connection, or None."""
        return self._open.get(connection)

    def close(self, connection: ConnectionId, reason: str) -> list[Effect]:
        """Note that a socket is gone, for whatever reason."""
        closed = self._open.pop(connection, None)
        session = closed.session if closed is not None else None
        if session is None or session.connection != connection:
            return []
        return self.lose(session, reason)

    def lose(self, session: Session, reason: str, *, gone: bool = False, sent_away: bool = False) -> list[Effect]:
        """Take a session's connection from it. The session stays, and so does everything the node runs.

        Args:
            session: it has a connection.
            reason: a sentence for the node's record.
            gone: the node has said `bye`.
            sent_away: somebody here wanted it.
        """
        is_stopping = self._state.is_stopping
        session.connection = None
        session.is_ready = False
        self._offers.close(session.node_id)
        if not (gone or sent_away or is_stopping):
            self._departures.append(session.node_id)
        self._state.absences.begin((session.node_id, session.instance_id), session.heard_s)
        self._state.counts[f"disconnects_{departure(reason, stopping=is_stopping)}"] += 1
        left = NodeLeft(
            node_id=session.node_id,
            instance_id=session.instance_id,
            session_id=session.session_id,
            reason=HUB_STOPPED if is_stopping else reason[:200],
            gone=gone,
        )
        return [does.Persist(left)]

    def supersede(self, previous: Session | None) -> list[Effect]:
        """Take a session from the connection that still carries it, if any."""
        if previous is None or previous.connection is None:
            return []
        old = previous.connection
        told = self.lose(previous, "superseded by a newer connection")
        return [*told, does.Close(old, CloseCode.SUPERSEDED, "superseded by a newer connection")]

    def close_late(self, now_s: float) -> list[Effect]:
        """Close sockets that never registered and sessions that fell silent; forget sessions that stayed away."""
        told: list[Effect] = []
        for number, connection in list(self._open.items()):
            if connection.session is None and now_s - connection.opened_s > REGISTER_WITHIN_S:
                del self._open[number]
                told.append(does.Close(number, CloseCode.TOO_SLOW, f"no `register` within {REGISTER_WITHIN_S:.0f} s"))
        for session in list(self._state.roster):
            if session.is_unread and session.connection is not None:
                # It is this hub that does not listen.
                session.heard_s = now_s
            silent_s = now_s - session.heard_s
            if session.connection is None:
                if silent_s > REMEMBERED_S:
                    self._state.roster.forget(session)
            elif session.is_ready and is_silent(silent_s, self._state.settings.heartbeat_s):
                number = session.connection
                told += self.lose(session, f"silent for {silent_s:.0f} s")
                told.append(does.Close(number, CloseCode.TOO_SLOW, f"silent for {silent_s:.0f} s"))
        return told

    def take_departures(self) -> list[str]:
        """Give the ids of nodes that lost their connection since the last call, once for each time; not of those that
        said `bye` or were sent away.
        """
        taken = list(self._departures)
        self._departures.clear()
        return taken
