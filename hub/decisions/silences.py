"""What follows from silence: which leases ran out, and when so many are silent that the hub suspects itself."""

from __future__ import annotations

from hub.decisions import effects as does
from hub.decisions.core_state import CoreState
from hub.decisions.effects import Effect
from hub.store.attempts import Release, Released
from hub.store.now import Now

# When leases are looked at again that could not be looked at for a reason of the store's own.
RELEASE_AGAIN_S = 5.0


class Silences:
    """Asks the store to free what absent nodes hold, and knows when not to ask."""

    def __init__(self, state: CoreState) -> None:
        self._state = state
        self._is_suspicious = False

    @property
    def is_suspicious(self) -> bool:
        """Whether so many nodes are silent at once that the fault may be here."""
        return self._is_suspicious

    def renew(self, now_s: float) -> None:
        """The hub could not hear, or not take, what was said to it: nobody has been silent."""
        for session in self._state.roster:
            if session.connection is not None:
                session.heard_s = now_s
        self._state.absences.renew(now_s)

    def release(self, now_s: float) -> list[Effect]:
        """Ask the store for the leases that may have run out; for none while the hub suspects itself."""
        state = self._state
        suspicious = len(state.absences) > 0 and state.absences.is_suspicious(
            state.roster.live_ids(), state.settings.heartbeat_s, state.settings.gone_after_s, now_s
        )
        told: list[Effect] = []
        if suspicious != self._is_suspicious:
            self._is_suspicious = suspicious
            told.append(_suspicion(len(state.absences), suspicious=suspicious))
        if suspicious:
            return told
        silences = state.absences.due(now_s)
        if silences:
            holders = [(silence.node_id, silence.instance_id) for silence in silences]
            operation = Release(silences=silences, luck=state.luck())
            told.append(does.Persist(operation, does.ReleaseTicket(holders=holders)))
        return told

    def released(self, ticket: does.ReleaseTicket, answer: Released, now: Now) -> list[Effect]:
        """Leases were looked at and what ran out is freed: an alarm for each attempt."""
        state = self._state
        state.absences.answer(ticket.holders, answer.next_due_s, now.steady_s)
        state.counts["leases_expired"] += len(answer.freed)
        state.roster.end_progress((row.task_id, row.attempt) for row in answer.freed)
        told: list[Effect] = []
        for row in answer.freed:
            message = (
                f"attempt {row.attempt} of task {row.task_id} is freed: nothing heard of {row.node_id} for its lease"
            )
            told.append(
                does.Alarm(
                    kind="lease_expired",
                    node_id=row.node_id,
                    task_id=row.task_id,
                    attempt=row.attempt,
                    message=message,
                )
            )
        return told

    def failed(self, ticket: does.ReleaseTicket, now: Now) -> None:
        """Leases could not be looked at: try again in a while."""
        self._state.absences.answer(ticket.holders, [RELEASE_AGAIN_S] * len(ticket.holders), now.steady_s)


def _suspicion(silent: int, *, suspicious: bool) -> Effect:
    if suspicious:
        message = (
            f"{silent} nodes are silent at once: the fault may be here; no lease is ended until they are back or gone"
        )
        return does.Alarm(kind="fleet_silent", message=message)
    return does.Alarm(kind="fleet_back", message="enough nodes are back: leases run again")
