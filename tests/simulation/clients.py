"""Programs that submit, cancel and run again, and ask with the same ids until somebody answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hub.decisions.core import HubCore
from hub.decisions.effects import Effect
from hub.decisions.retry import RetryPolicy
from hub.store.now import Now
from hub.store.submissions import Broadcasted, Submitted
from hub.store.tasks import NewTask, TaskOptions
from hub.store.wishes import Cancelled
from tests.simulation.agenda import Agenda, Trace
from tests.simulation.hub_machine import HubProcess
from tests.simulation.node_disk import Work
from tests.simulation.plan import PAYLOAD_BYTES
from tests.simulation.truth import Truth

# How long a client waits for an answer before it asks again.
ANSWER_WITHIN_S = 4.0

# What a client asks a hub, given the number of the call and the time.
Ask = Callable[[HubCore, int, Now], Sequence[Effect]]


class Clients:
    """Every client of one hub.

    Args:
        find_hub: gives the hub's process that listens, if any.
        wall_s: the wall clock that clients and hub share.
    """

    def __init__(
        self,
        find_hub: Callable[[], HubProcess | None],
        truth: Truth,
        agenda: Agenda,
        trace: Trace,
        luck: random.Random,
    ) -> None:
        self._find_hub = find_hub
        self._truth = truth
        self._agenda = agenda
        self._trace = trace
        self._luck = luck
        self._last = 0
        self.work: dict[str, Work] = {}
        self.unanswered = 0

    # --- calls --------------------------------------------------------------------------------------------------------

    def ask(self, what: str, ask: Ask, on_answer: Callable[[object], None], *, tries: int = 1_000) -> None:
        """Ask the hub until it answers, or so many times."""
        self.unanswered += 1
        _Call(self, what, ask, on_answer, tries).try_now()

    def _any_payload(self) -> bytes:
        return b"{}".ljust(self._luck.choice(PAYLOAD_BYTES))

    def _answered(self) -> None:
        self.unanswered -= 1

    def submit(self, task_ids: Sequence[str], options: TaskOptions, work: Work) -> None:
        """Submit these tasks in one call."""
        for task_id in task_ids:
            self.work[task_id] = work
            self._truth.submitted(task_id, options)
        tasks = [
            NewTask(task_id=task_id, name="work", payload=self._any_payload(), options=options) for task_id in task_ids
        ]
        self.ask(
            f"submit {' '.join(task_ids)}",
            lambda core, request, now: core.submit(request, tasks, now),
            lambda answer: self._note_submitted(task_ids, answer),
        )

    def _note_submitted(self, task_ids: Sequence[str], answer: object) -> None:
        if isinstance(answer, Submitted):
            for task_id, accepted in zip(task_ids, answer.accepted, strict=True):
                # With an idempotency key another id may have been there first.
                self._truth.accepted(accepted.task_id)
                self._truth.told(accepted.task_id, str(accepted.state))
                if accepted.task_id != task_id:
                    self._truth.tasks.pop(task_id, None)

    def broadcast(self, group: str, node_ids: Sequence[str], options: TaskOptions, work: Work) -> None:
        """Submit one task for each node that is there."""
        for node_id in node_ids:
            self.work[f"{group}.{node_id}"] = work
            self._truth.submitted(f"{group}.{node_id}", options)
        template = NewTask(task_id=group, name="work", payload=self._any_payload(), options=options)
        self.ask(
            f"broadcast {group}", lambda core, request, now: core.broadcast(request, template), self._note_broadcasted
        )

    def _note_broadcasted(self, answer: object) -> None:
        if isinstance(answer, Broadcasted):
            for _, accepted in answer.tasks:
                self._truth.accepted(accepted.task_id)
                self._truth.told(accepted.task_id, str(accepted.state))

    def cancel(self, task_id: str) -> None:
        """Cancel a task."""
        self._truth.tasks[task_id].cancel_asked = True
        self.ask(
            f"cancel {task_id}", lambda core, request, now: core.cancel(request, [task_id], ""), self._note_cancelled
        )

    def _note_cancelled(self, answer: object) -> None:
        if isinstance(answer, Cancelled):
            for task_id, state in answer.states:
                if state is not None:
                    self._truth.told(task_id, str(state))

    def revive(self, task_id: str) -> None:
        """Have a finished task run again."""
        self._truth.tasks[task_id].revive_asked = True
        self.ask(f"revive {task_id}", lambda core, request, now: core.revive(request, [task_id]), lambda answer: None)

    def wish(
        self, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None, is_urgent: bool = True
    ) -> None:
        """An operator wishes something of a node; asks once only if it is not urgent."""
        self.ask(
            f"wish {node_id} cordoned {cordoned} draining {draining}",
            lambda core, request, now: core.wish(request, node_id, cordoned=cordoned, draining=draining),
            lambda answer: None,
            tries=1_000 if is_urgent else 1,
        )

    # --- what they do by themselves -----------------------------------------------------------------------------------

    def submit_something(self, options: TaskOptions, work: Work) -> None:
        """Submit one to three new tasks, sometimes through two programs that do not know of each other."""
        self._last += 1
        task_ids = [f"t{self._last}{letter}" for letter in "abc"[: self._luck.choice((1, 1, 2, 3))]]
        self.submit(task_ids, options, work)
        if self._luck.random() < 0.1:
            self.submit(task_ids, options, work)
        if self._luck.random() < 0.15:
            # Somebody thinks better of it at once.
            after_s = self._luck.choice((self._luck.random() * 0.05, self._luck.uniform(0.05, 3)))
            self._agenda.after(after_s, lambda: self._cancel_all(task_ids))

    def cancel_something(self) -> None:
        """Cancel any task that was asked for."""
        if self._truth.tasks:
            self.cancel(self._luck.choice(list(self._truth.tasks)))

    def _cancel_all(self, task_ids: Sequence[str]) -> None:
        for task_id in task_ids:
            # With an idempotency key another id may have been there first.
            if task_id in self._truth.tasks:
                self.cancel(task_id)

    def revive_something(self) -> None:
        """Have any task that failed, or was cancelled, run again."""
        over = [task_id for task_id, task in self._truth.tasks.items() if task.final not in {"", "succeeded"}]
        if over:
            self.revive(self._luck.choice(over))


class _Call:
    """One call, asked again and again."""

    def __init__(self, clients: Clients, what: str, ask: Ask, on_answer: Callable[[object], None], tries: int) -> None:
        self._clients = clients
        self._what = what
        self._ask = ask
        self._on_answer = on_answer
        self._is_done = False
        self._tries = 0
        self._tries_max = tries

    def try_now(self) -> None:
        clients = self._clients
        if self._is_done:
            return
        if self._tries == self._tries_max:
            self._is_done = True
            clients._answered()
            return
        self._tries += 1
        clients._trace.note("client", f"{self._what} (try {self._tries})")
        hub = clients._find_hub()
        if hub is not None:
            hub.run(lambda: self._reach(hub))
        clients._agenda.after(ANSWER_WITHIN_S * (0.5 + clients._luck.random()), self.try_now)

    def _reach(self, hub: HubProcess) -> None:
        """The call has reached the hub. Its answer may be lost on the way back."""
        clients = self._clients
        era = clients._truth.era
        way_back_s = clients._luck.random() * 0.05
        hub.call(self._ask, lambda answer: clients._agenda.after(way_back_s, lambda: self._take(answer, era)))

    def _take(self, answer: object, era: int) -> None:
        if self._is_done or isinstance(answer, Exception) or self._clients._luck.random() < 0.03:
            return
        if era != self._clients._truth.era:
            # The store that said so is no more.
            return
        self._is_done = True
        self._clients._answered()
        self._clients._trace.note("client", f"{self._what}: answered")
        self._on_answer(answer)


def any_options(luck: random.Random, node_ids: Sequence[str], leases_s: Sequence[float], wall_s: float) -> TaskOptions:
    """Draw options: most are plain, and each option is met by some."""
    chance = luck.random
    retry = RetryPolicy()
    if chance() < 0.4:
        retry = RetryPolicy(max_attempts=luck.choice((2, 3)), initial_s=luck.choice((0.0, 0.5, 3.0)))
    return TaskOptions(
        priority=luck.choice((0, 0, 0, 5, -5)),
        node=luck.choice(list(node_ids)) if chance() < 0.15 else None,
        delay_s=luck.uniform(0.2, 8) if chance() < 0.1 else 0.0,
        not_before=wall_s + luck.uniform(-5, 8) if chance() < 0.05 else None,
        deadline=wall_s + luck.uniform(1, 30) if chance() < 0.1 else None,
        retry=retry,
        lease_s=luck.choice(list(leases_s)),
        on_lost="fail" if chance() < 0.25 else "retry",
        concurrency_key=luck.choice(("k", "l")) if chance() < 0.15 else None,
        concurrency_limit=luck.choice((1, 1, 2)),
        idempotency_key=f"once{luck.randrange(5)}" if chance() < 0.04 else None,
    )


def any_work(luck: random.Random, *, is_long: bool) -> Work:
    """Draw what a handler does: most are short, some outlive everything else."""
    chance = luck.random
    if is_long:
        return Work(duration_s=luck.uniform(10, 50), stop_s=luck.uniform(1, 3))
    return Work(
        duration_s=luck.choice((0.0, 0.05, luck.uniform(0.2, 2), luck.uniform(1, 8), luck.uniform(5, 25))),
        failures=luck.choice((0, 0, 0, 1, 2)),
        is_retryable=chance() < 0.9,
        can_stop=chance() < 0.85,
        stop_s=luck.choice((0.0, luck.uniform(0, 3))),
    )
