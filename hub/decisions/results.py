"""Results of attempts: taken in, put to the store, and acked once they are committed."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UnsetType

from hub.decisions import effects as does
from hub.decisions.core_state import CoreState
from hub.decisions.effects import Effect
from hub.decisions.offers import Offers
from hub.decisions.sessions import Session
from hub.store.attempts import AttemptResult, Record, Recorded
from hub.store.now import Now
from protocol import frames
from protocol.codec import check_json
from protocol.errors import BadFrameError, OutOfTurnError
from protocol.frames import AttemptKey
from protocol.limits import SLOTS_MAX, is_identifier

# Results of one node on their way to the store: its slots' twice over.
RESULTS_UNDER_WAY_MAX = 2 * SLOTS_MAX


class Results:
    """Takes results in. What a session has on its way to the store, its ``settling``, is changed here while it is
    open.
    """

    def __init__(self, state: CoreState, offers: Offers) -> None:
        self._state = state
        self._offers = offers

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
        freed = len(session.held.intersection(keys))
        session.settling.update(keys)
        offers, aside = self._offers.take_freed(session, freed)
        operation = Record(results=settled, offers=offers, luck=self._state.luck())
        ticket = does.RecordTicket(node_id=session.node_id, instance_id=session.instance_id, keys=keys, aside=aside)
        return [does.Persist(operation, ticket)]

    def recorded(self, ticket: does.RecordTicket, answer: Recorded) -> list[Effect]:
        """Results are committed: free their slots, ack them."""
        session = self._state.roster.get(ticket.node_id)
        self._state.roster.end_progress(ticket.keys)
        counts = self._state.counts
        told: list[Effect] = []
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

    def failed(self, ticket: does.RecordTicket) -> None:
        """Results could not be recorded. They are not acked: the node keeps them and brings them with its next
        connect.
        """
        session = self._state.roster.get(ticket.node_id)
        if session is not None:
            session.settling.difference_update(ticket.keys)


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
