"""All sessions of this hub, by node and by session id, and what their nodes told between two commits.

A cache like the sessions themselves: a hub that starts has an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.decisions.absences import Holder
from hub.decisions.admission import spread_s
from hub.decisions.sessions import REMEMBERED_S, Fleet, LiveNode, Session
from protocol.frames import AttemptKey, Progress


class Roster:
    """Who is in session, one session a node. Bounded by the nodes that came within `REMEMBERED_S`.

    Args:
        admissions_per_s: how many nodes may come in per second; from it and the size of the fleet follows the spread.
    """

    def __init__(self, admissions_per_s: float) -> None:
        self._admissions_per_s = admissions_per_s
        self._by_node: dict[str, Session] = {}
        self._by_session_id: dict[str, Session] = {}
        # Of attempts that nodes hold, so bounded by all slots.
        self._progress: dict[str, Progress] = {}
        self._seen: set[Holder] = set()
        # Nodes that were at the hub before this process: the fleet, until they have had the time to come.
        self._nodes_inherited = 0
        self._inherited_until_s = 0.0

    def __iter__(self) -> Iterator[Session]:
        return iter(self._by_node.values())

    # --- sessions -------------------------------------------------------------------------------------------------

    def get(self, node_id: str) -> Session | None:
        """Give the session of this node, with or without a connection, or None."""
        return self._by_node.get(node_id)

    def __getitem__(self, node_id: str) -> Session:
        """Give the session of a node that is known to have one.

        Raises:
            KeyError: it has none.
        """
        return self._by_node[node_id]

    def by_session_id(self, session_id: str) -> Session | None:
        """Give the session with this id, or None."""
        return self._by_session_id.get(session_id)

    def add(self, session: Session) -> None:
        """Enter a session; the one that its node had before is forgotten."""
        previous = self._by_node.get(session.node_id)
        if previous is not None:
            self.forget(previous)
        self._by_node[session.node_id] = session
        self._by_session_id[session.session_id] = session

    def forget(self, session: Session) -> None:
        """Strike a session out: its node has to register again. Twice is harmless."""
        if self._by_node.get(session.node_id) is session:
            del self._by_node[session.node_id]
        self._by_session_id.pop(session.session_id, None)
        self.end_progress(session.held)

    # --- live sessions: with a connection, and reconciled ----------------------------------------------------------

    @property
    def live_count(self) -> int:
        """How many sessions are live."""
        return sum(1 for session in self._by_node.values() if session.is_ready)

    def live_ids(self) -> set[str]:
        """Give the nodes whose sessions are live."""
        return {session.node_id for session in self._by_node.values() if session.is_ready}

    def live_sessions(self) -> list[Session]:
        """Give the live sessions."""
        return [session for session in self._by_node.values() if session.is_ready]

    def fleet(self) -> Fleet:
        """Add up what the live sessions hold."""
        live = self.live_sessions()
        return Fleet(
            sessions=len(live),
            slots=sum(session.registration.slots for session in live),
            slots_in_use=sum(len(session.held) for session in live),
            outbox=sum(session.heartbeat.outbox for session in live),
        )

    def live(self, node_id: str) -> LiveNode | None:
        """Give what only a live session knows of this node, or None if it has none."""
        session = self._by_node.get(node_id)
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
            unsent_bytes=session.backlog.waiting_bytes,
            unsent_tasks=len(session.backlog.kept),
            has_room=not session.backlog.is_full,
        )

    def is_unsent(self, node_id: str, key: AttemptKey) -> bool:
        """Tell whether an attempt that this node is to run waits here until there is room to send it."""
        session = self._by_node.get(node_id)
        return session is not None and session.is_ready and key in session.backlog.kept

    def live_nodes(self) -> dict[str, LiveNode]:
        """Give what only live sessions know, by node id."""
        found = ((node_id, self.live(node_id)) for node_id in self._by_node)
        return {node_id: live for node_id, live in found if live is not None}

    def handles(self, name: str) -> bool:
        """Tell whether any node whose session is remembered handles this name."""
        return any(name in session.profile.handlers for session in self._by_node.values())

    # --- what nodes told ------------------------------------------------------------------------------------------

    def note_progress(self, progress: Progress) -> None:
        """Note the latest progress of an attempt that a session holds."""
        self._progress[progress.task_id] = progress

    def progress(self, task_id: str) -> Progress | None:
        """Give the latest progress of a task that runs, or None."""
        return self._progress.get(task_id)

    def end_progress(self, keys: Iterable[AttemptKey]) -> None:
        """Drop the progress of attempts that ended, or that nobody holds any more."""
        if self._progress:
            for task_id, _ in keys:
                self._progress.pop(task_id, None)

    def note_seen(self, session: Session) -> None:
        """Note that this session's instance was heard of."""
        self._seen.add((session.node_id, session.instance_id))

    def take_seen(self) -> list[Holder]:
        """Give who was heard of since the last call, in order."""
        taken = sorted(self._seen)
        self._seen.clear()
        return taken

    # --- the size of the fleet ------------------------------------------------------------------------------------

    def inherit(self, nodes: int, now_s: float) -> None:
        """Note how many nodes were at the hub before this process: they are on their way."""
        self._nodes_inherited = nodes
        self._inherited_until_s = now_s + REMEMBERED_S

    def disinherit(self, now_s: float) -> None:
        """Count no more who was at the hub before this process, once there was time to come."""
        if now_s >= self._inherited_until_s:
            self._nodes_inherited = 0

    @property
    def fleet_size(self) -> int:
        """How many nodes there are: those that are remembered, or those that were here before and are on their way."""
        return max(len(self._by_node), self._nodes_inherited)

    def spread_s(self) -> float:
        """Give the time over which the whole fleet can come back."""
        return spread_s(self.fleet_size, self._admissions_per_s)
