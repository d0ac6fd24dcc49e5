"""The real core with a real store and nothing else: effects are carried out step by step, where a test wants them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.decisions import effects as does
from hub.decisions.core import HubCore
from hub.decisions.core_state import CoreSettings
from hub.decisions.effects import Effect
from hub.store.contract import Operation
from hub.store.nodes import HubStarted, Inherited
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.submissions import Submit
from hub.store.tasks import NewTask, TaskOptions
from protocol.close_codes import CloseCode
from protocol.frames import Frame, Inventory, NodeFrame, Register, Result, Task


class Hub:
    """One hub without sockets, threads or a clock. `settle` commits what was persisted; `now_s` is moved by the
    test.
    """

    def __init__(self, path: Path, **settings: object) -> None:
        self.store = SqliteStore.open(path, durability="normal")
        self.now_s = 1000.0
        ids = iter(range(1, 1_000_000))
        self.core = HubCore(
            CoreSettings(hub_id="h", **settings),
            new_id=lambda: f"s{next(ids)}",
            luck=lambda: 0.5,
        )
        self.pending: deque[tuple[Operation, does.Ticket]] = deque()
        self.sent: dict[int, list[Frame]] = defaultdict(list)
        self.closes: dict[int, tuple[CloseCode, str]] = {}
        self.replies: dict[int, object] = {}
        self.alarms: list[does.Alarm] = []
        self.told: list[does.Tell] = []
        self.marks: list[int] = []
        self.unread: set[int] = set()
        self._last_request = 0
        self._last_connection = 0

    @property
    def now(self) -> Now:
        return Now(self.now_s, self.now_s)

    def apply(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case does.Persist():
                    self.pending.append((effect.operation, effect.ticket))
                case does.Send():
                    if effect.connection not in self.closes:
                        self.sent[effect.connection] += effect.frames
                case does.Mark():
                    self.marks.append(effect.connection)
                case does.StopReading():
                    self.unread.add(effect.connection)
                case does.ReadOn():
                    self.unread.remove(effect.connection)
                case does.Close():
                    self.closes.setdefault(effect.connection, (effect.code, effect.reason))
                case does.Reply():
                    self.replies[effect.request] = effect.answer
                case does.Tell():
                    self.told.append(effect)
                case does.Alarm():
                    self.alarms.append(effect)

    def commit(self, count: int | None = None) -> None:
        """Commit what is pending, all or the first ``count`` operations, in one transaction."""
        batch = [self.pending.popleft() for _ in range(len(self.pending) if count is None else count)]
        committed = self.store.execute([operation for operation, _ in batch], self.now)
        done = list(zip((ticket for _, ticket in batch), committed.answers, strict=True))
        self.apply(self.core.committed(done, committed.waiting, self.now))

    def fail_next(self, error: Exception) -> None:
        """Let the next pending operation fail for a reason of its own, as a bug in it would."""
        _, ticket = self.pending.popleft()
        self.apply(self.core.committed([(ticket, error)], {}, self.now))

    def start(self) -> None:
        """Begin as a hub process does: take note of what the store holds."""
        (inherited,) = self.store.execute([HubStarted(hub_id="h")], self.now).answers
        assert isinstance(inherited, Inherited)
        self.core.started(inherited, self.now)

    def settle(self) -> None:
        """Commit until nothing is pending."""
        while self.pending:
            self.commit()

    def read(self) -> None:
        """Let the nodes read all that was sent to them, and what follows, until no mark is under way."""
        while self.marks:
            self.apply(self.core.mark_left(self.marks.pop(0)))
            self.settle()

    def tick(self, after_s: float = 0.0) -> None:
        """Let time pass in steps as short as a hub's own: a longer one means that the hub stood still."""
        while after_s > 0:
            step_s = min(after_s, 2.0)
            self.now_s += step_s
            after_s -= step_s
            self.apply(self.core.tick(self.now))
            self.settle()
        self.apply(self.core.tick(self.now))
        self.settle()

    def connect(self, allowed_node: str | None = None) -> int:
        self._last_connection += 1
        self.core.opened(self._last_connection, allowed_node, self.now)
        return self._last_connection

    def say(self, connection: int, *frames: NodeFrame) -> None:
        self.apply(self.core.received(connection, frames, self.now))

    def drop(self, connection: int, reason: str = "the connection broke") -> None:
        self.apply(self.core.closed(connection, reason))

    def register(self, node_id: str = "n", instance_id: str = "i", slots: int = 2, **more: object) -> int:
        """Connect and register, committed; give the connection."""
        connection = self.connect()
        values: dict[str, object] = {"handlers": ["work"], "inventory": Inventory()} | more
        self.say(connection, Register(node_id=node_id, instance_id=instance_id, slots=slots, **values))
        self.settle()
        return connection

    def ask(self, call: Callable[[int], Sequence[Effect]]) -> int:
        self._last_request += 1
        self.apply(call(self._last_request))
        return self._last_request

    def submit(self, *task_ids: str, name: str = "work", payload: bytes = b"{}", **options: object) -> None:
        """Submit tasks in one call, committed."""
        wanted = TaskOptions(**options)
        tasks = [NewTask(task_id=task_id, name=name, payload=payload, options=wanted) for task_id in task_ids]
        self.ask(lambda request: self.core.submit(request, tasks, self.now))
        self.settle()

    def frames(self, connection: int, kind: type[Frame]) -> list[Frame]:
        return [frame for frame in self.sent[connection] if isinstance(frame, kind)]

    def pushed(self, connection: int) -> list[tuple[str, int]]:
        return [(frame.task_id, frame.attempt) for frame in self.sent[connection] if isinstance(frame, Task)]

    def holder(self, task_id: str) -> str | None:
        view = self.store.task(task_id)
        assert view is not None
        return view.node

    def state(self, task_id: str) -> str:
        view = self.store.task(task_id)
        assert view is not None
        return str(view.state)


def new(task_id: str, name: str = "work") -> NewTask:
    return NewTask(task_id=task_id, name=name)


def submit_operation(task_id: str) -> Submit:
    return Submit(tasks=[new(task_id)])


def done(task_id: str, attempt: int = 1, **more: object) -> Result:
    values: dict[str, object] = {"outcome": "succeeded"} | more
    return Result(task_id=task_id, attempt=attempt, **values)
