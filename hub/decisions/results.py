"""Results of attempts: taken in, put to the store, and acked once they are committed.

What waits for the store is bounded: past that the connections that bring it are not read (`hub.decisions.intake`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UnsetType
from msgspec.structs import replace

from hub.decisions import effects as does
from hub.decisions.core_state import CoreState
from hub.decisions.effects import ConnectionId, Effect
from hub.decisions.intake import Intake, size_bytes
from hub.decisions.offers import Offers
from hub.decisions.sessions import Session
from hub.store.attempts import AttemptResult, Record, Recorded
from hub.store.now import Now
from protocol import frames
from protocol.codec import check_json
from protocol.errors import BadFrameError, OutOfTurnError
from protocol.frames import AttemptKey, TaskError
from protocol.limits import SLOTS_MAX, is_identifier

# Results of one node on their way to the store: its slots' twice over.
RESULTS_UNDER_WAY_MAX = 2 * SLOTS_MAX

# What stands for a NUL: the replacement character of Unicode.
NUL_SHOWN = "\ufffd"


class Results:
    """Takes results in. What a session has on its way to the store, its ``settling``, is changed here while it is
    open.
    """

    def __init__(self, state: CoreState, offers: Offers) -> None:
        self._state = state
        self._offers = offers
        self._intake = Intake(state.settings.intake)
        self._unread: dict[ConnectionId, Session] = {}

    @property
    def waiting_bytes(self) -> int:
        """What waits for the store, roughly."""
        return self._intake.waiting_bytes

    @property
    def unread(self) -> int:
        """How many connections are not read until that is less."""
        return len(self._unread)

    def settle(self, session: Session, results: Sequence[frames.Result], now: Now) -> list[Effect]:
        """Put results to the store, and with them the slots that they free. A result that is on its way already is
        dropped: its ack comes with the first.

        Raises:
            OutOfTurnError: too many are on their way.
            BadFrameError: a value is not JSON or too large. For both: close the connection.
        """
        fresh = [frame for frame in results if (frame.task_id, frame.attempt) not in session.settling]
        if not fresh:
            return []
        if len(session.settling) + len(fresh) > RESULTS_UNDER_WAY_MAX:
            raise OutOfTurnError("result", f"at most {RESULTS_UNDER_WAY_MAX} results that are not acked")
        limit = self._state.settings.limits.result_bytes_max
        settled = [_attempt_result(session.node_id, frame, limit, now) for frame in fresh]
        keys = [(frame.task_id, frame.attempt) for frame in fresh]
        waiting_bytes = size_bytes(settled)
        freed = len(session.held.intersection(keys))
        session.settling.update(keys)
        offers, aside = self._offers.take_freed(session, freed)
        operation = Record(results=settled, offers=offers, luck=self._state.luck())
        ticket = does.RecordTicket(
            node_id=session.node_id, instance_id=session.instance_id, keys=keys, size_bytes=waiting_bytes, aside=aside
        )
        self._intake.add(session.node_id, waiting_bytes)
        return [does.Persist(operation, ticket), *self._stop_reading(session)]

    def _stop_reading(self, session: Session) -> list[Effect]:
        """Leave what a node says unread if enough of its results wait."""
        connection = session.connection
        if connection is None or not self._intake.is_full(session.node_id):
            return []
        session.is_unread = True
        self._unread[connection] = session
        self._state.counts["reads_stopped"] += 1
        return [does.StopReading(connection)]

    def _read_on(self) -> list[Effect]:
        """Read again where there is room now."""
        told: list[Effect] = []
        for connection, session in list(self._unread.items()):
            if session.connection != connection:
                # It is gone, or not of this session any more: it was closed.
                del self._unread[connection]
            elif not self._intake.is_full(session.node_id):
                del self._unread[connection]
                session.is_unread = False
                told.append(does.ReadOn(connection))
        return told

    def recorded(self, ticket: does.RecordTicket, answer: Recorded) -> list[Effect]:
        """Results are committed: free their slots, ack them."""
        session = self._state.roster.get(ticket.node_id)
        self._intake.take_off(ticket.node_id, ticket.size_bytes)
        self._state.roster.end_progress(ticket.keys)
        counts = self._state.counts
        told = self._read_on() if self._unread else []
        foreign = 0
        acked: list[AttemptKey] = []
        for key, verdict in zip(ticket.keys, answer.verdicts, strict=True):
            counts[f"results_{verdict}"] += 1
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
            self._offers.give(session.node_id, freed)
            if acked:
                told.append(does.Send(session.connection, [frames.Ack(attempts=acked)]))
        return told

    def failed(self, ticket: does.RecordTicket) -> list[Effect]:
        """Results could not be recorded. They are not acked: the node keeps them and brings them with its next
        connect.
        """
        self._intake.take_off(ticket.node_id, ticket.size_bytes)
        session = self._state.roster.get(ticket.node_id)
        if session is not None:
            session.settling.difference_update(ticket.keys)
        return self._read_on()


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
        error=None if frame.error is None else _without_nul(frame.error),
        wait_s=frame.wait_s,
        run_s=frame.run_s,
        ended_at=now.wall_s - frame.age_s,
    )


def _without_nul(error: TaskError) -> TaskError:
    """Replace NULs: a search ends at the first of them. What a handler raises is told, whatever it holds."""
    if not any("\0" in text for text in (error.kind, error.type, error.message, error.traceback)):
        return error
    return replace(
        error,
        kind=error.kind.replace("\0", NUL_SHOWN),
        type=error.type.replace("\0", NUL_SHOWN),
        message=error.message.replace("\0", NUL_SHOWN),
        traceback=error.traceback.replace("\0", NUL_SHOWN),
    )
