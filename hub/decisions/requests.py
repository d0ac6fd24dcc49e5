"""What the API asks: to take tasks, to cancel and to run them again, and what an operator wants of a node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hub.decisions import effects as does
from hub.decisions.connections import Connections
from hub.decisions.core_state import CoreState
from hub.decisions.effects import Effect, RequestId, Ticket
from hub.decisions.offers import Offers
from hub.decisions.pushes import Pushes
from hub.decisions.timetable import Timetable
from hub.store.node_views import NodeView
from hub.store.now import Now
from hub.store.submissions import Broadcast, Submit
from hub.store.tasks import NewTask, class_of
from hub.store.wishes import Cancel, Cancelled, NodeWish, Revive
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.frames import AttemptKey


class Requests:
    """Puts calls to the store, and tells the nodes whom they concern once they are committed."""

    def __init__(
        self, state: CoreState, connections: Connections, pushes: Pushes, offers: Offers, timetable: Timetable
    ) -> None:
        self._state = state
        self._connections = connections
        self._pushes = pushes
        self._offers = offers
        self._timetable = timetable

    # --- tasks ------------------------------------------------------------------------------------------------------

    def submit(self, request: RequestId, tasks: Sequence[NewTask], now: Now) -> list[Effect]:
        """Accept tasks, and offer them free slots in the same commit."""
        offers, aside = self._offers.take(Counter(class_of(task.name, task.options) for task in tasks))
        waits_s = [_wait_s(task, now) for task in tasks if task.options.delay_s or task.options.not_before is not None]
        if waits_s:
            self._timetable.sweep_by(now.steady_s + max(0.0, min(waits_s)))
        operation = Submit(tasks=tasks, offers=offers)
        return [does.Persist(operation, Ticket(aside=aside, request=request))]

    def broadcast(self, request: RequestId, template: NewTask) -> list[Effect]:
        """Accept one task for each node that matches."""
        return [does.Persist(Broadcast(template=template), Ticket(request=request))]

    def cancel(self, request: RequestId, task_ids: Sequence[str], reason: str) -> list[Effect]:
        """Cancel tasks; nodes are told once it is committed."""
        return [does.Persist(Cancel(task_ids=task_ids, reason=reason), Ticket(request=request))]

    def cancelled(self, answer: Cancelled) -> list[Effect]:
        """Tasks are cancelled: tell the nodes that run them. Who is away hears it with its next connect."""
        by_node: dict[str, list[AttemptKey]] = {}
        for row in answer.stop:
            by_node.setdefault(row.node_id, []).append(row.key)
        told: list[Effect] = []
        for node_id, keys in by_node.items():
            session = self._state.roster.get(node_id)
            if session is not None:
                told += self._pushes.withdraw(session, keys)
        return told

    def revive(self, request: RequestId, task_ids: Sequence[str]) -> list[Effect]:
        """Queue finished tasks again."""
        return [does.Persist(Revive(task_ids=task_ids), Ticket(request=request))]

    # --- nodes ------------------------------------------------------------------------------------------------------

    def wish(
        self, request: RequestId, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> list[Effect]:
        """Note an operator's wish about a node; the session follows once it is committed."""
        operation = NodeWish(node_id=node_id, cordoned=cordoned, draining=draining)
        return [does.Persist(operation, Ticket(request=request))]

    def wished(self, view: NodeView) -> list[Effect]:
        """A wish is noted: let the node's session follow it, if it has one."""
        session = self._state.roster.get(view.id)
        if session is None or not session.is_ready or session.connection is None:
            return []
        told: list[Effect] = []
        took_work = session.takes_work
        if view.draining and not session.draining:
            away = frames.GoAway(action="drain", reason="an operator asked for it")
            told.append(does.Send(session.connection, [away]))
        session.cordoned, session.draining = view.cordoned, view.draining
        if took_work and not session.takes_work:
            self._offers.close(session.node_id)
        elif session.takes_work and not took_work:
            told += self._offers.open(session)
        return told

    def disconnect(self, node_id: str) -> list[Effect]:
        """Close a node's connection and forget its session: it registers again. Empty if it has none."""
        session = self._state.roster.get(node_id)
        if session is None or session.connection is None:
            return []
        connection = session.connection
        told = self._connections.lose(session, "disconnected by an operator", sent_away=True)
        self._state.roster.forget(session)
        return [*told, does.Close(connection, CloseCode.DISCONNECTED, "disconnected by an operator")]


def _wait_s(task: NewTask, now: Now) -> float:
    """Give how long a task is to wait: of its two waits the one that ends later."""
    options = task.options
    return max(options.delay_s, 0.0 if options.not_before is None else options.not_before - now.wall_s)
