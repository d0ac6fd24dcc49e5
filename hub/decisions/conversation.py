"""What a node says once its session is open: heartbeats, results, progress, log lines, and its farewell."""

from __future__ import annotations

from collections.abc import Sequence

from hub.decisions import effects as does
from hub.decisions.admission import is_outdated
from hub.decisions.connections import Connections
from hub.decisions.core_state import CoreState
from hub.decisions.effects import ConnectionId, Effect
from hub.decisions.offers import Offers
from hub.decisions.results import Results
from hub.decisions.sessions import Session
from hub.store.logs import AppendLogs
from hub.store.nodes import NodeLeaving
from hub.store.now import Now
from hub.store.wishes import NodeWish
from protocol import frames
from protocol.errors import OutOfTurnError
from protocol.frames import Frame, NodeFrame, frame_type

# Log frames of one node on their way to the store. They are lossy: past this they are told to who listens, and dropped.
LOGS_UNDER_WAY_MAX = 16

# A clock that is off by more, 300 years, is as wrong as one can be.
SKEW_S_MAX = 1e10


class Conversation:
    """Listens to the nodes whose sessions are open."""

    def __init__(self, state: CoreState, connections: Connections, offers: Offers, results: Results) -> None:
        self._state = state
        self._connections = connections
        self._offers = offers
        self._results = results

    def listen(
        self, session: Session, connection: ConnectionId, message: Sequence[NodeFrame], now: Now
    ) -> list[Effect]:
        """Act on the frames of one message, results together in one operation.

        Raises:
            OutOfTurnError: a frame that an open session does not say, or too many results.
            BadFrameError: a result whose value is not JSON or too large. For both: close the connection.
        """
        told: list[Effect] = []
        results: list[frames.Result] = []
        bye: frames.Bye | None = None
        for frame in message:
            match frame:
                case frames.Result():
                    results.append(frame)
                case frames.Heartbeat():
                    told.append(does.Send(connection, [self._beat_back(session, frame, now)]))
                case frames.Progress():
                    told += self._note_progress(session, frame)
                case frames.Log():
                    told += self._note_log(session, frame)
                case frames.Drain():
                    told += self._note_drain(session)
                case frames.Bye():
                    bye = frame
                case _:
                    raise OutOfTurnError(frame_type(frame), "frames of an open session")
        if results:
            told += self._results.settle(session, results, now)
        # Last: a message that is refused must not leave half a farewell behind.
        if bye is not None:
            told += self._bid_farewell(session, connection, bye)
        return told

    def _note_drain(self, session: Session) -> list[Effect]:
        """Offer nothing more to a node that drains by itself, and have everybody see that it does."""
        if session.leaving:
            return []
        session.leaving = True
        self._offers.close(session.node_id)
        leaving = NodeLeaving(node_id=session.node_id, instance_id=session.instance_id, session_id=session.session_id)
        return [does.Persist(leaving)]

    def _beat_back(self, session: Session, beat: frames.Heartbeat, now: Now) -> Frame:
        """Note a heartbeat and acknowledge it, and with it tell a spread that has changed."""
        session.heartbeat = beat
        session.skew_s = _skew_s(beat, now.wall_s)
        self._state.roster.note_seen(session)
        spread = self._state.roster.spread_s()
        if not is_outdated(session.spread_s, spread):
            return frames.HeartbeatAck(sequence=beat.sequence)
        session.spread_s = spread
        return frames.HeartbeatAck(sequence=beat.sequence, spread_s=spread)

    def _note_progress(self, session: Session, frame: frames.Progress) -> list[Effect]:
        if (frame.task_id, frame.attempt) not in session.held:
            return []
        self._state.roster.note_progress(frame)
        return [does.Tell(session.node_id, frame)]

    # --- log lines --------------------------------------------------------------------------------------------------

    def _note_log(self, session: Session, frame: frames.Log) -> list[Effect]:
        state = self._state
        state.counts["log_lines_dropped"] += frame.dropped
        lines = [line for line in frame.lines if (line.task_id, line.attempt) in session.held]
        if not lines or state.degraded is not None:
            return []
        if session.logs_under_way >= LOGS_UNDER_WAY_MAX:
            state.counts["log_lines_dropped"] += len(lines)
            return [does.Tell(session.node_id, frames.Log(lines=lines))]
        session.logs_under_way += 1
        append = AppendLogs(
            node_id=session.node_id, lines=lines, lines_max=state.settings.limits.log_lines_per_task_max
        )
        told = does.Tell(session.node_id, frames.Log(lines=lines))
        return [does.Persist(append, does.LogTicket(node_id=session.node_id)), told]

    def logged(self, ticket: does.LogTicket) -> None:
        """Log lines are in the store, or could not be put there: the next may be on their way."""
        session = self._state.roster.get(ticket.node_id)
        if session is not None:
            session.logs_under_way = max(0, session.logs_under_way - 1)

    # --- farewell ---------------------------------------------------------------------------------------------------

    def _bid_farewell(self, session: Session, connection: ConnectionId, frame: frames.Bye) -> list[Effect]:
        told = self._connections.lose(session, f"bye: {frame.reason}" if frame.reason else "bye", gone=True)
        self._state.roster.forget(session)
        wish = NodeWish(node_id=session.node_id, draining=False)
        return [*told, does.Persist(wish, does.LeaveTicket(connection=connection))]


def _skew_s(beat: frames.Heartbeat, wall_s: float) -> float | None:
    """Give how far a node's wall clock is ahead of ours, as far as half a round trip tells; None: it does not say."""
    if beat.at is None:
        return None
    skew_s = beat.at + (beat.round_trip_ms or 0.0) / 2000 - wall_s
    return max(-SKEW_S_MAX, min(SKEW_S_MAX, skew_s))
