"""What really happened, seen from outside: which handler ran where and when, what was written, what clients were told.

It knows nothing of what hub and nodes believe. Whatever contradicts a promise of docs/explanation/guarantees.md raises
`BrokenError` at the moment at which it shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from hub.decisions.lifecycle import FINAL
from hub.store.events import Event
from hub.store.tasks import TaskOptions
from protocol.frames import AttemptKey, Outcome
from tests.simulation.agenda import Agenda
from tests.simulation.facts import BrokenError, Run, TaskTruth

FINAL_WORDS = frozenset(str(state) for state in FINAL)

# A session tells a node at once what it must stop; the longest handler that can be stopped needs 3 s for it.
RECONCILED_WITHIN_S = 8.0


class Truth:
    """The record, and the checks that can be made while it grows.

    Args:
        agenda: the time.
        is_gentle: only the hub and the links fail here, and no lease can run out: nothing may run a second time for any
            other reason than its own failure.
    """

    def __init__(self, agenda: Agenda, *, is_gentle: bool) -> None:
        self._agenda = agenda
        self._is_gentle = is_gentle
        self.tasks: dict[str, TaskTruth] = {}
        self.started: dict[AttemptKey, str] = {}
        self.ends: dict[AttemptKey, Outcome] = {}
        self.running: dict[str, list[Run]] = {}
        self.dead: set[str] = set()
        self.stored: set[AttemptKey] = set()
        self.freed: set[AttemptKey] = set()
        self.assigned: dict[AttemptKey, str] = {}
        self._follows = 0
        self._holders: dict[str, tuple[str, float]] = {}
        """By task: the instance that the newest assignment names, and since when."""
        self.given_back: set[AttemptKey] = set()
        self.leaving: set[str] = set()
        self.settled: set[AttemptKey] = set()
        self.joined_s: dict[str, float] = {}
        self.last_event_id = 0
        self.forgot = False
        """Whether an older backup was put in the store's place: what the hub has forgotten it cannot keep."""
        self.era = 0
        """How often that has happened."""
        self._heard_s: dict[str, float] = {}
        self._renewed_s = 0.0
        self._ran: set[tuple[AttemptKey, str]] = set()
        self._still: set[str] = set()

    # --- what clients did and were told -------------------------------------------------------------------------------

    def submitted(self, task_id: str, options: TaskOptions) -> None:
        """A client asks for this task, maybe not for the first time."""
        self.tasks.setdefault(task_id, TaskTruth(options=options))

    def accepted(self, task_id: str) -> None:
        """A client was told that the task is accepted."""
        self.tasks[task_id].is_accepted = True

    def told(self, task_id: str, state: str) -> None:
        """A client asked something about a task and was told its state."""
        if state in FINAL_WORDS:
            self.tasks[task_id].replied.add(state)

    def follow(self, events: Iterable[Event]) -> None:
        """A client that follows events was told these, of one commit."""
        self._follows += 1
        for event in events:
            if event.id != self.last_event_id + 1:
                raise BrokenError("events without a gap", f"event {event.id} follows event {self.last_event_id}")
            self.last_event_id = event.id
            if event.task_id:
                self._follow_task(event)

    def _follow_task(self, event: Event) -> None:
        task = self.tasks.get(event.task_id)
        if task is None:
            return
        if event.state not in FINAL_WORDS:
            if task.final and not task.revive_asked and not self.forgot:
                raise BrokenError("one outcome", f"{event.task_id} was {task.final}, then {event.state}")
            task.final = ""
            return
        if task.final and not self.forgot:
            raise BrokenError("one outcome", f"{event.task_id} was {task.final}, then {event.state}")
        task.final = event.state
        task.final_since = self._follows
        task.finals.add(event.state)
        self._check_outcome(event, task)

    def _check_outcome(self, event: Event, task: TaskTruth) -> None:
        """An outcome must be what happened."""
        end = self.ends.get((event.task_id, event.attempt))
        what = f"{event.task_id} is told as {event.state}, attempt {event.attempt} came to {end}"
        if event.state in {"succeeded", "failed"} and end != event.state:
            raise BrokenError("one outcome", what)
        if event.state == "cancelled" and not task.cancel_asked:
            raise BrokenError("one outcome", f"{what}; nobody cancelled it")
        if event.state == "lost":
            if task.options.on_lost != "fail":
                raise BrokenError("nothing is lost", f"{what}; it may run again")
            self._check_loss((event.task_id, event.attempt), task)

    def _check_loss(self, key: AttemptKey, task: TaskTruth) -> None:
        """An attempt is given up for a stated reason only. Called when that shows."""
        if self.forgot or task.revive_asked or key in self.freed:
            return
        if self.ends.get(key) in {"failed", "cancelled"}:
            return
        if key in self.stored:
            raise BrokenError("a stored result is delivered", f"{key} was given up though its result is on a disk")
        if key in self.given_back:
            return
        instance_id = self.started.get(key) or self.assigned.get(key)
        if instance_id is not None and instance_id not in self.dead and instance_id not in self.leaving:
            raise BrokenError("runs again for a reason only", f"{key} was given up, and nothing is known against it")

    # --- what handlers did --------------------------------------------------------------------------------------------

    def count_runs(self, task_id: str) -> int:
        """Count how often this task's handler has begun."""
        return self.tasks[task_id].runs

    def start(self, run: Run) -> None:
        """A handler begins."""
        task_id = run.key[0]
        task = self.tasks[task_id]
        if (run.key, run.instance_id) in self._ran:
            raise BrokenError("an attempt starts once", f"{run.key} starts again in {run.instance_id}")
        self._ran.add((run.key, run.instance_id))
        if not self.forgot:
            self._check_start(run, task)
        self.started[run.key] = run.instance_id
        task.runs += 1
        self.running.setdefault(task_id, []).append(run)

    def _check_start(self, run: Run, task: TaskTruth) -> None:
        task_id, attempt = run.key
        if run.key in self.started:
            raise BrokenError("an attempt starts once", f"{run.key} started on {self.started[run.key]}, and again here")
        if not task.is_accepted and run.key not in self.assigned:
            raise BrokenError("pushed after its commit", f"{run.key} runs, and no commit assigned it")
        for other in self.running.get(task_id, ()):
            if other.can_stop and not other.stood_still:
                raise BrokenError(
                    "attempts do not overlap",
                    f"{run.key} starts on {run.machine} while {other.key} runs on {other.machine}",
                )
        if attempt > 1:
            self._check_rerun((task_id, attempt - 1), task)

    def _check_rerun(self, before: AttemptKey, task: TaskTruth) -> None:
        if task.revive_asked:
            return
        self._check_loss(before, task)
        if before not in self.started:
            return
        end = self.ends.get(before)
        if end == "failed" and before in self.settled:
            if self._failures(before) >= task.options.retry.max_attempts:
                raise BrokenError("runs again for a reason only", f"{before} failed, and no attempt was left")
            return
        if task.options.on_lost == "fail":
            raise BrokenError("on_lost is obeyed", f"{before} came to {end}, on_lost is fail, and the task runs again")
        if self._is_gentle:
            raise BrokenError("faults of hub and link alone", f"{before} came to {end}, and the task runs again")

    def _failures(self, last: AttemptKey) -> int:
        """Count the attempts up to this one that failed and were committed as such before they could be given up."""
        keys = [(last[0], attempt) for attempt in range(1, last[1] + 1)]
        return sum(
            1 for key in keys if self.ends.get(key) == "failed" and key in self.settled and key not in self.freed
        )

    def tell_to_stop(self, key: AttemptKey, instance_id: str) -> None:
        """A handler is told to stop."""
        for run in self.running.get(key[0], ()):
            if run.key == key and run.instance_id == instance_id:
                run.is_told = True

    def end(self, key: AttemptKey, instance_id: str, outcome: Outcome) -> None:
        """A handler has ended."""
        self.ends[key] = outcome
        self._stopped(lambda run: run.key == key and run.instance_id == instance_id, key[0])

    def _stopped(self, is_meant: Callable[[Run], bool], task_id: str) -> None:
        runs = [run for run in self.running.get(task_id, ()) if not is_meant(run)]
        if runs:
            self.running[task_id] = runs
        else:
            self.running.pop(task_id, None)

    def store(self, keys: Iterable[AttemptKey]) -> None:
        """Results of handlers that came to an end of their own are on a node's disk."""
        self.stored.update(keys)

    def give_back(self, keys: Iterable[AttemptKey]) -> None:
        """A node reports that these will not run, or not to their end."""
        self.given_back.update(keys)

    def leave(self, instance_id: str) -> None:
        """A node says that it holds nothing and will not come back."""
        self.leaving.add(instance_id)

    def die(self, instance_id: str) -> None:
        """A node's process is dead, and its handlers with it."""
        self.dead.add(instance_id)
        self._still.discard(instance_id.rpartition(".")[0])
        for task_id in list(self.running):
            self._stopped(lambda run: run.instance_id == instance_id, task_id)

    def lose_disk(self, keys: Iterable[AttemptKey]) -> None:
        """A machine will never return: what its disk held is gone."""
        self.stored.difference_update(keys)

    def stand_still(self, machine: str) -> None:
        """A machine's handlers stand still with their process."""
        self._still.add(machine)
        for runs in self.running.values():
            for run in runs:
                run.stood_still = run.stood_still or run.machine == machine

    def woke(self, machine: str) -> None:
        """A process has done its first thing after a standstill: what the hub gave away must have been stopped."""
        self._still.discard(machine)
        if machine in self.joined_s:
            self.joined_s[machine] = self._agenda.now_s
        for task_id, runs in self.running.items():
            newest = max(key[1] for key in self.started if key[0] == task_id)
            for run in runs:
                if run.machine == machine and run.key in self.freed and run.key[1] < newest and not run.is_told:
                    raise BrokenError("leases first", f"{machine} woke and did not stop {run.key} first")

    # --- what the hub committed, and what it heard -------------------------------------------------------------------

    def heard(self, instance_id: str, at_s: float) -> None:
        """A hub that let this instance in was given a message of it."""
        self._heard_s[instance_id] = max(at_s, self._heard_s.get(instance_id, 0.0))

    def hub_began(self) -> None:
        """Another process is the hub: sessions ended with the one before, whether their nodes know it or not."""
        self.joined_s.clear()
        self.renewed()

    def renewed(self) -> None:
        """A hub began, stood still, or its disk took commits again: every lease counts from here."""
        self._renewed_s = self._agenda.now_s

    def silent_s(self, instance_id: str) -> float:
        """Give for how long a hub that could hear has not heard of this instance."""
        return self._agenda.now_s - max(self._heard_s.get(instance_id, 0.0), self._renewed_s)

    def free(self, key: AttemptKey, silent_s: float, lease_s: float) -> None:
        """A commit gave an attempt up because its lease ran out."""
        if silent_s <= lease_s:
            raise BrokenError("leases are kept", f"{key} was freed after {silent_s:.1f} s, its lease is {lease_s} s")
        self.freed.add(key)

    def forget(self, last_event_id: int, states: Mapping[str, str]) -> None:
        """An older store was put in the hub's place: it knows these tasks, and no later event than this."""
        self.forgot = True
        self.era += 1
        self.last_event_id = last_event_id
        for task_id, task in self.tasks.items():
            state = states.get(task_id)
            task.is_accepted = state is not None
            task.final = state if state is not None and state in FINAL_WORDS else ""

    def assign(self, key: AttemptKey, instance_id: str) -> None:
        """A commit gives an attempt to an instance."""
        self.assigned[key] = instance_id
        self._holders[key[0]] = (instance_id, self._agenda.now_s)

    def pushed(self, key: AttemptKey) -> None:
        """A hub is about to send a task."""
        if key not in self.assigned:
            raise BrokenError("pushed after its commit", f"{key} is sent, and no commit assigned it")
        task = self.tasks.get(key[0])
        # What one commit assigned and then cancelled is sent, and its `cancel` behind it.
        if task is not None and task.final and task.final_since < self._follows and not self.forgot:
            raise BrokenError("what is over is not pushed", f"{key} is sent, and clients were told {task.final}")

    def acked(self, key: AttemptKey) -> None:
        """A hub is about to ack a result."""
        if key not in self.settled:
            raise BrokenError("acked after its commit", f"{key} is acked, and no commit settled it")

    def joined(self, machine: str) -> None:
        """A node's session is open: it was told what it must stop."""
        self.joined_s[machine] = self._agenda.now_s

    def left(self, machine: str) -> None:
        """A node has no session."""
        self.joined_s.pop(machine, None)

    def check_overlaps(self) -> None:
        """Of one task no two handlers that can be stopped run where both nodes have been reconciled."""
        for task_id, runs in self.running.items():
            if len(runs) < 2:
                continue
            settled = [run for run in runs if run.can_stop and self._is_reconciled(run)]
            if len(settled) > 1:
                where = ", ".join(f"{run.key} on {run.machine}" for run in settled)
                raise BrokenError("a reconcile stops what is superseded", f"of {task_id} run {where}")

    def _is_reconciled(self, run: Run) -> bool:
        joined_s = None if run.machine in self._still else self.joined_s.get(run.machine)
        if joined_s is None or self._agenda.now_s - max(joined_s, run.began_s) <= RECONCILED_WITHIN_S:
            return False
        # What no store knew when this node joined was kept. It may have been submitted anew, and given away, since.
        holder, since_s = self._holders.get(run.key[0], ("", 0.0))
        return run.instance_id == holder or joined_s > since_s

    # --- at the end ---------------------------------------------------------------------------------------------------

    @property
    def open_tasks(self) -> list[str]:
        """Accepted tasks that clients were told no outcome of."""
        return [task_id for task_id, task in self.tasks.items() if task.is_accepted and not task.final]

    def check_told(self) -> None:
        """Whoever asked was told the same as whoever followed the events."""
        if self.forgot:
            return
        for task_id, task in self.tasks.items():
            odd = task.replied - task.finals
            if odd:
                raise BrokenError(
                    "one outcome", f"{task_id} was told as {sorted(odd)}, events say {sorted(task.finals)}"
                )

    def check_states(self, states: Mapping[str, str | None]) -> None:
        """The store must hold every accepted task, with the outcome that was told."""
        for task_id, task in self.tasks.items():
            if not task.is_accepted:
                continue
            state = states.get(task_id)
            if state is None:
                raise BrokenError(
                    "nothing acknowledged is lost", f"{task_id} was accepted, and the store has no such task"
                )
            if state != task.final:
                raise BrokenError(
                    "one outcome", f"{task_id} was told as {task.final or 'open'}, the store says {state}"
                )

    def check_totals(self, totals: Mapping[str, int]) -> None:
        """The nodes' totals must agree with what happened."""
        if self.forgot:
            return
        succeeded = sum(1 for task in self.tasks.values() if task.final == "succeeded")
        if totals["succeeded"] != succeeded:
            raise BrokenError("totals agree", f"{totals['succeeded']} successes are counted, {succeeded} were told")
        ends = Counter(self.ends.values())
        failed = ends["failed"]
        sure = sum(1 for key, end in self.ends.items() if end == "failed" and self._must_count(key))
        if not sure <= totals["failed"] <= failed:
            raise BrokenError("totals agree", f"{totals['failed']} failures are counted, {sure} to {failed} happened")

    def _must_count(self, key: AttemptKey) -> bool:
        """Whether this failed attempt was in nobody's way: neither cancelled, nor freed, nor lost with its process."""
        return not self.tasks[key[0]].cancel_asked and key not in self.freed and self.started[key] not in self.dead
