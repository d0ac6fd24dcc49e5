"""The hub's decisions: what follows from a frame, a commit, a call or the passing of time.

No I/O, no clock, no asyncio: each method is handed the time and returns effects in order (`hub.decisions.effects`). The
shell (`hub.driver`) carries them out; a simulation does the same with a network and a store of its own.

This is the door. Behind it are rooms, each with one concern: `hub.decisions.connections`, `hub.decisions.reception`,
`hub.decisions.conversation`, `hub.decisions.results`, `hub.decisions.pushes`, `hub.decisions.offers`,
`hub.decisions.requests`, `hub.decisions.silences` and `hub.decisions.timetable`. They share one
`hub.decisions.core_state`. A room may call those that it was made with, and none calls back. Answers of the store come
in here, and go to whom they concern.

Memory is a cache of the store. What it decides alone is only what to *try*: which slots to offer, whom to push to.
Whether a task is assigned, settled or freed is decided in the store's transaction, whoever else writes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hub.decisions import effects as does
from hub.decisions.connections import Connections
from hub.decisions.conversation import Conversation
from hub.decisions.core_state import CoreSettings, CoreState
from hub.decisions.effects import ConnectionId, Effect, RequestId, Ticket
from hub.decisions.offers import Offers
from hub.decisions.pushes import Pushes
from hub.decisions.reception import Reception
from hub.decisions.requests import Requests
from hub.decisions.results import Results
from hub.decisions.sessions import Fleet, LiveNode, Session
from hub.decisions.silences import Silences
from hub.decisions.timetable import Timetable
from hub.store.assignments import Claimed, Fetched
from hub.store.attempts import Recorded, Released
from hub.store.node_views import NodeView
from hub.store.nodes import Inherited, Reconciled
from hub.store.now import Now
from hub.store.submissions import Submitted
from hub.store.sweeps import Swept
from hub.store.tasks import NewTask, TaskClass
from hub.store.wishes import Cancelled
from protocol import frames
from protocol.close_codes import CloseCode
from protocol.errors import OutOfTurnError
from protocol.frames import AttemptKey, NodeFrame, frame_type


class HubCore:
    """One hub's sessions, offers and decisions.

    Args:
        settings: how the hub is run.
        new_id: gives a new identifier for a session.
        luck: gives a number drawn evenly from 0 to 1. Both are handed in so that a run can be repeated.
    """

    def __init__(self, settings: CoreSettings, *, new_id: Callable[[], str], luck: Callable[[], float]) -> None:
        state = self._state = CoreState(settings, luck)
        self._pushes = Pushes(state)
        self._offers = Offers(state, self._pushes)
        self._connections = Connections(state, self._offers)
        self._reception = Reception(state, self._connections, self._pushes, self._offers, new_id=new_id)
        self._results = Results(state, self._offers)
        self._conversation = Conversation(state, self._connections, self._offers, self._results)
        self._silences = Silences(state)
        self._timetable = Timetable(state, self._connections, self._offers, self._silences)
        self._requests = Requests(state, self._connections, self._pushes, self._offers, self._timetable)
        self.counts = state.counts
        """What happened so far, by name; for `/metrics`. Starts at 0 with the process."""

    # --- what the shell may ask -----------------------------------------------------------------------------------

    @property
    def degraded(self) -> str | None:
        """Why the store takes no commits, or None."""
        return self._state.degraded

    @property
    def suspicious(self) -> bool:
        """Whether so many nodes are silent at once that the fault may be here."""
        return self._silences.is_suspicious

    @property
    def results_waiting_bytes(self) -> int:
        """What the results that are on their way to the store take, roughly."""
        return self._results.waiting_bytes

    @property
    def connections_unread(self) -> int:
        """How many connections are not read until that is less."""
        return self._results.unread

    @property
    def sessions_live(self) -> int:
        """How many sessions have a connection and are reconciled."""
        return self._state.roster.live_count

    def fleet(self) -> Fleet:
        """Add up what the live sessions hold."""
        return self._state.roster.fleet()

    def live(self, node_id: str) -> LiveNode | None:
        """Give what only a live session knows of this node, or None if it has none."""
        return self._state.roster.live(node_id)

    def live_nodes(self) -> dict[str, LiveNode]:
        """Give what only live sessions know, by node id."""
        return self._state.roster.live_nodes()

    def sessions(self) -> list[Session]:
        """Give the sessions that have a connection and are reconciled; to look at, not to change."""
        return self._state.roster.live_sessions()

    def take_departures(self) -> list[str]:
        """Give the ids of nodes that lost their connection since the last call, once for each time; not of those that
        said `bye` or were sent away.
        """
        return self._connections.take_departures()

    def progress(self, task_id: str) -> frames.Progress | None:
        """Give the latest progress of a task that runs, or None."""
        return self._state.roster.progress(task_id)

    def is_unsent(self, node_id: str, key: AttemptKey) -> bool:
        """Tell whether an attempt that this node is to run waits here until there is room to send it."""
        return self._state.roster.is_unsent(node_id, key)

    def handles(self, name: str) -> bool:
        """Tell whether any node whose session is remembered handles this name."""
        return self._state.roster.handles(name)

    # --- the hub as a whole ---------------------------------------------------------------------------------------

    def started(self, inherited: Inherited, now: Now) -> None:
        """Take note of what the store holds: a hub that starts counts every lease as renewed."""
        for holder in inherited.holders:
            self._state.absences.begin(holder, now.steady_s)
        self._state.roster.inherit(inherited.nodes, now.steady_s)

    def stop(self) -> list[Effect]:
        """Push nothing more and ask every node to come back later; results are still taken and acked."""
        self._state.is_stopping = True
        spread = self._state.roster.spread_s()
        told: list[Effect] = []
        for session in self._state.roster:
            self._offers.close(session.node_id)
            if session.connection is not None and session.is_ready:
                away = frames.GoAway(action="reconnect", spread_s=spread, reason="the hub stops")
                told.append(does.Send(session.connection, [away]))
        return told

    def store_degraded(self, reason: str) -> list[Effect]:
        """The store takes no commits: accept nothing new, keep every session, drop nothing."""
        self._state.degraded = reason
        return []

    def store_recovered(self, now: Now) -> list[Effect]:
        """The store takes commits again."""
        self._state.degraded = None
        # Whoever lost its connection meanwhile was refused, with its results, and whoever was to be registered waited.
        self._silences.renew(now.steady_s)
        return self.tick(now)

    # --- connections ----------------------------------------------------------------------------------------------

    def opened(self, connection: ConnectionId, allowed_node: str | None, now: Now) -> None:
        """A socket was accepted. ``allowed_node``: the only node id that its token may use; None: any."""
        self._connections.open(connection, allowed_node, now)

    def closed(self, connection: ConnectionId, reason: str) -> list[Effect]:
        """A socket is gone, for whatever reason. The session stays, and so does everything the node runs."""
        return self._connections.close(connection, reason)

    def mark_left(self, connection: ConnectionId) -> list[Effect]:
        """All that was to be sent on a connection before its `hub.decisions.effects.Mark` has left: there is room."""
        source = self._connections.get(connection)
        session = None if source is None else source.session
        if session is None or session.connection != connection:
            return []
        return self._pushes.mark_left(session) + self._offers.open(session)

    def received(self, connection: ConnectionId, message: Sequence[NodeFrame], now: Now) -> list[Effect]:
        """Act on the frames of one message; frames of a superseded connection are dropped.

        Raises:
            OutOfTurnError: a frame that this moment of the conversation does not allow.
            BadFrameError: a result whose value is not JSON or too large. For both: close the connection.
        """
        source = self._connections.get(connection)
        if source is None:
            return []
        session = source.session
        if session is None:
            return self._reception.greet(source, message, now)
        if session.connection != connection:
            return []
        if not session.is_ready:
            raise OutOfTurnError(frame_type(message[0]), "nothing before `registered` or `resumed`")
        session.heard_s = now.steady_s
        return self._conversation.listen(session, connection, message, now)

    # --- what the API asks ----------------------------------------------------------------------------------------

    def submit(self, request: RequestId, tasks: Sequence[NewTask], now: Now) -> list[Effect]:
        """Accept tasks, and offer them free slots in the same commit."""
        return self._requests.submit(request, tasks, now)

    def broadcast(self, request: RequestId, template: NewTask) -> list[Effect]:
        """Accept one task for each node that matches."""
        return self._requests.broadcast(request, template)

    def cancel(self, request: RequestId, task_ids: Sequence[str], reason: str) -> list[Effect]:
        """Cancel tasks; nodes are told once it is committed."""
        return self._requests.cancel(request, task_ids, reason)

    def revive(self, request: RequestId, task_ids: Sequence[str]) -> list[Effect]:
        """Queue finished tasks again."""
        return self._requests.revive(request, task_ids)

    def wish(
        self, request: RequestId, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> list[Effect]:
        """Note an operator's wish about a node; the session follows once it is committed."""
        return self._requests.wish(request, node_id, cordoned=cordoned, draining=draining)

    def disconnect(self, node_id: str) -> list[Effect]:
        """Close a node's connection and forget its session: it registers again. Empty if it has none."""
        return self._requests.disconnect(node_id)

    # --- time -----------------------------------------------------------------------------------------------------

    def wake_at_s(self) -> float:
        """Give the steady time of the next `tick` that can matter; the shell ticks at least this soon."""
        return self._timetable.wake_at_s()

    def tick(self, now: Now) -> list[Effect]:
        """Do what the time asks for: late sockets, silent nodes, leases, due tasks, claims."""
        return self._timetable.tick(now)

    # --- commits --------------------------------------------------------------------------------------------------

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
                self._conversation.logged(ticket)
            told += self._follow(ticket, answer, now)
            if ticket.request is not None:
                told.append(does.Reply(ticket.request, answer))
        return told + self._offers.claim(waiting)

    def _follow(self, ticket: Ticket, answer: object, now: Now) -> list[Effect]:
        match answer, ticket:
            case Recorded(), does.RecordTicket():
                return self._results.recorded(ticket, answer) + self._offers.push(ticket, answer.assignments)
            case ((Submitted() | Claimed()), _):
                return self._offers.push(ticket, answer.assignments)
            case Reconciled(), does.RegisterTicket():
                return self._reception.registered(ticket, answer)
            case Fetched(), does.FetchTicket():
                return self._pushes.fetched(ticket, answer) + self._offers.reopen(ticket.node_id)
            case Released(), does.ReleaseTicket():
                return self._silences.released(ticket, answer, now)
            case Cancelled(), _:
                return self._requests.cancelled(answer)
            case Swept(), _:
                self._timetable.swept(answer, now)
                return []
            case _, does.LeaveTicket():
                return [does.Close(ticket.connection, CloseCode.NORMAL, "bye")]
            case NodeView(), _:
                return self._requests.wished(answer)
            case Exception(), _:
                return self._failed(ticket, answer, now)
            case _:
                return []

    def _failed(self, ticket: Ticket, error: Exception, now: Now) -> list[Effect]:
        """An operation failed for a reason of its own: nothing of it happened, so take back what was tried."""
        told = self._offers.push(ticket, [])
        message = f"{type(ticket).__name__}: {type(error).__name__}: {error}"
        told.append(does.Alarm(kind="operation_failed", message=message))
        self._timetable.failed()
        match ticket:
            case does.RecordTicket():
                told += self._results.failed(ticket)
            case does.ReleaseTicket():
                self._silences.failed(ticket, now)
            case does.RegisterTicket():
                why = "the hub could not register this node"
                told += self._reception.refuse(ticket.connection, "internal", why, retry_after_s=30.0)
            case does.FetchTicket():
                # The next connect begins with all that is still to be sent.
                told.append(does.Close(ticket.connection, CloseCode.INTERNAL_ERROR, "the hub could not read tasks"))
        return told
