"""What was assigned to a node on its way to its connection: sent while there is room, else fetched when there is.

A push is sent on the connection that it was made for, or not at all: the reconcile of the next connection finds what
did not arrive, whether it was sent or only waited here. So nothing of this outlives a connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Raw

from hub.decisions import effects as does
from hub.decisions.backlog import Backlog, room_bytes
from hub.decisions.core_state import CoreState
from hub.decisions.effects import ConnectionId, Effect
from hub.decisions.sessions import Session
from hub.store.assignments import Assignment, Fetch, Fetched
from protocol import frames
from protocol.frames import AttemptKey


class Pushes:
    """Sends tasks. It owns the ``backlog`` of each session that is open."""

    def __init__(self, state: CoreState) -> None:
        self._state = state

    def begin(self, session: Session, missing: Iterable[AttemptKey]) -> list[Effect]:
        """Begin on a connection whose node lacks these, which are assigned to it."""
        session.backlog = Backlog(room_bytes(self._state.settings.backlog_bytes_max, self._state.roster.fleet_size))
        session.backlog.keep(missing)
        return self._fetch_next(session)

    def push(self, session: Session, assigned: Sequence[Assignment]) -> list[Effect]:
        """Send assignments that are committed, as far as there is room; what is left waits in the store."""
        return self._send(session, session.backlog.admit(assigned))

    def withdraw(self, session: Session, keys: Iterable[AttemptKey]) -> list[Effect]:
        """Have those freed that were cancelled and not sent yet; give the others a `cancel`."""
        connection = session.connection
        if connection is None or not session.is_ready:
            return []
        kept = session.backlog.kept
        told: list[Effect] = []
        unsent: list[AttemptKey] = []
        for key in keys:
            if key in kept:
                unsent.append(key)
            else:
                stop = frames.Cancel(task_id=key[0], attempt=key[1], reason="cancelled")
                told.append(does.Send(connection, [stop]))
        if unsent:
            told.append(_fetch(session, connection, unsent, bytes_max=0))
        return told

    def mark_left(self, session: Session) -> list[Effect]:
        """What was sent before the mark has left: fetch more, if more is kept."""
        session.backlog.mark_left()
        return [*self._mark(session), *self._fetch_next(session)]

    def fetched(self, ticket: does.FetchTicket, answer: Fetched) -> list[Effect]:
        """What was kept is read, as far as it is still this node's: send it."""
        session = self._state.roster.get(ticket.node_id)
        if session is None or session.connection != ticket.connection:
            return []
        backlog = session.backlog
        if ticket.is_slice:
            backlog.is_fetching = False
        session.held.difference_update(answer.gone)
        sent = backlog.release(answer.assignments, answer.gone)
        return [*self._send(session, sent), *self._fetch_next(session)]

    def _send(self, session: Session, sent: Sequence[Assignment]) -> list[Effect]:
        if not sent or session.connection is None:
            return []
        return [does.Send(session.connection, list(map(task_frame, sent))), *self._mark(session)]

    def _mark(self, session: Session) -> list[Effect]:
        if session.connection is None or not session.backlog.set_mark():
            return []
        return [does.Mark(session.connection)]

    def _fetch_next(self, session: Session) -> list[Effect]:
        # A hub that stops pushes nothing more: the next one finds what was not sent.
        if session.connection is None or self._state.is_stopping:
            return []
        keys = session.backlog.next_keys()
        if not keys:
            return []
        session.backlog.is_fetching = True
        return [_fetch(session, session.connection, keys, bytes_max=session.backlog.slice_bytes)]


def _fetch(session: Session, connection: ConnectionId, keys: Sequence[AttemptKey], *, bytes_max: int) -> Effect:
    operation = Fetch(node_id=session.node_id, instance_id=session.instance_id, keys=keys, bytes_max=bytes_max)
    ticket = does.FetchTicket(node_id=session.node_id, connection=connection, is_slice=bytes_max > 0)
    return does.Persist(operation, ticket)


def task_frame(assignment: Assignment) -> frames.Task:
    """Give the frame that carries an assignment to its node."""
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
