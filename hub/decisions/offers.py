"""The nodes' free slots on their way to the store and back: offered once, filled there, pushed or given back.

A slot that is offered is put aside, on the connection that its node had then. The answer of the operation says which
slots were filled: those are pushed on that same connection, the rest goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hub.decisions import effects as does
from hub.decisions.core_state import CoreState
from hub.decisions.effects import Aside, Effect, Ticket
from hub.decisions.pushes import Pushes
from hub.decisions.scheduling import SlotPool
from hub.decisions.sessions import Session
from hub.store.assignments import Assignment, Claim, Offer
from hub.store.tasks import TaskClass

# Nodes whose slots one periodic claim offers: a full turn of 1,000 nodes takes a minute, and a claim stays short.
CLAIM_NODES_MAX = 32


class Offers:
    """What this hub offers of its nodes' slots. It owns the pool, and the ``aside`` of each session that is open."""

    def __init__(self, state: CoreState, pushes: Pushes) -> None:
        self._state = state
        self._pushes = pushes
        self._pool = SlotPool()

    # --- offering -------------------------------------------------------------------------------------------------

    def open(self, session: Session) -> list[Effect]:
        """Offer all free slots of a node that has just become ready for work, or has room for it again; nothing while
        it has not.
        """
        if self._state.is_stopping or not session.takes_work or session.backlog.is_full:
            return []
        free = session.slots_free
        self._pool.open(session.profile, session.instance_id, free, session.backlog.slice_bytes)
        return self._claim(self._pool.take_node(session.node_id, free))

    def reopen(self, node_id: str) -> list[Effect]:
        """Offer all free slots of a node again if it has room; nothing if it has no session."""
        session = self._state.roster.get(node_id)
        return [] if session is None else self.open(session)

    def close(self, node_id: str) -> None:
        """Offer this node no more; twice is harmless."""
        self._pool.close(node_id)

    def take(self, wanted: Mapping[TaskClass, int]) -> tuple[list[Offer], Aside]:
        """Put slots aside that can serve so many tasks of these classes; nothing once the hub stops."""
        offers = self._take(wanted)
        return offers, self._put_aside(offers)

    def take_freed(self, session: Session, freed: int) -> tuple[list[Offer], Aside]:
        """Offer the slots that these results free, and what is free besides, for the same commit."""
        if self._state.is_stopping or not session.takes_work or session.connection is None or session.backlog.is_full:
            return [], {}
        free = self._pool.free(session.node_id)
        besides = max(0, free)
        # Below 0 the node holds more than it has slots for: what is freed pays that back first.
        offered = freed + free
        if offered <= 0:
            return [], {}
        self._pool.give(session.node_id, -besides)
        session.aside += besides
        offer = Offer(
            profile=session.profile,
            instance_id=session.instance_id,
            free=offered,
            bytes_max=session.backlog.slice_bytes,
        )
        # Only what was taken from the pool goes back to it; freed slots enter it when the results are committed.
        return [offer], {session.node_id: does.Put(session.connection, besides)}

    def claim(self, waiting: Mapping[TaskClass, int]) -> list[Effect]:
        """Claim tasks of these classes, which wait in the queue."""
        return self._claim(self._take(waiting))

    def claim_any(self) -> list[Effect]:
        """Claim whatever waits, for the nodes whose turn it is."""
        return self._claim(self._pool.take_any(CLAIM_NODES_MAX))

    def _take(self, wanted: Mapping[TaskClass, int]) -> list[Offer]:
        offers: list[Offer] = []
        if not self._state.is_stopping:
            for task_class, count in wanted.items():
                offers += self._pool.take(task_class, count)
        return offers

    def _claim(self, offers: Sequence[Offer]) -> list[Effect]:
        if not offers:
            return []
        return [does.Persist(Claim(offers=offers), Ticket(aside=self._put_aside(offers)))]

    def _put_aside(self, offers: Iterable[Offer]) -> Aside:
        aside: dict[str, does.Put] = {}
        for offer in offers:
            node_id = offer.profile.node_id
            session = self._state.roster[node_id]
            session.aside += offer.free
            before = aside[node_id].count if node_id in aside else 0
            # A node in the pool has a live connection: both begin and end together.
            aside[node_id] = does.Put(session.connection or 0, before + offer.free)
        return aside

    # --- coming back ----------------------------------------------------------------------------------------------

    def give(self, node_id: str, count: int) -> None:
        """Take slots back that committed results have freed."""
        self._pool.give(node_id, count)

    def push(self, ticket: Ticket, assignments: Sequence[Assignment]) -> list[Effect]:
        """Assignments are committed: push them on the connections that they were offered for, give the rest back.

        A node whose connection has changed since is sent nothing: its reconcile stands behind this commit in the
        writer's queue, sees the assignments, and pushes them.
        """
        by_node: dict[str, list[Assignment]] = {}
        for assignment in assignments:
            by_node.setdefault(assignment.node_id, []).append(assignment)
        told: list[Effect] = []
        for node_id, put in ticket.aside.items():
            session = self._state.roster.get(node_id)
            if session is None or session.connection != put.connection or not session.is_ready:
                continue
            session.aside -= put.count
            assigned = by_node.get(node_id, [])
            # May be negative where freed slots of the same operation were used: they entered the pool just before.
            self._pool.give(node_id, put.count - len(assigned))
            if assigned:
                session.held.update((item.task_id, item.attempt) for item in assigned)
                told += self._pushes.push(session, assigned)
                if session.backlog.is_full:
                    # Until enough has left: then it is opened again.
                    self.close(node_id)
        return told
