"""What a picture is drawn from: everything that was heard of a hub, as values that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from moorline.views import Event, Explanation, NodeView, Problem, Stats, TaskLogs, TaskView

T = TypeVar("T")

LinkState: TypeAlias = Literal["connecting", "live", "away", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The way to the hub. ``since_at``: for how long it has been so; ``reason``: why, where it is not live."""

    state: LinkState = "connecting"
    since_at: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """The last ten minutes, a number every ``step_s`` seconds, the newest last; None where it is not known."""

    step_s: float = 10.0
    columns: Mapping[str, tuple[float | None, ...]] = field(default_factory=lambda: MappingProxyType({}))


class MapNode(NamedTuple):
    """One node of the map."""

    id: str
    state: str
    slots: int
    slots_in_use: int
    cordoned: bool


class Alert(NamedTuple):
    """An alert that fires, or is about to. ``is_silenced``: nobody is told, until ``silenced_until_at``; ``kind``: that
    of its rule, which may have a name of its own.
    """

    rule: str
    severity: str
    subject: str
    state: str
    message: str
    since_at: float
    is_silenced: bool
    kind: str = ""
    silenced_until_at: float | None = None


class ErrorGroup(NamedTuple):
    """What failed alike: the same error, of this ``kind``, at the same place; ``tasks`` times since ``first_at``."""

    id: str
    name: str
    what: str
    place: str
    tasks: int
    last_at: float
    first_at: float | None = None
    kind: str = ""


class Attempt(NamedTuple):
    """One try of a task. ``outcome`` and ``ended_at`` are None while it runs."""

    attempt: int
    node: str
    started_at: float | None
    ended_at: float | None
    outcome: str | None
    run_s: float | None
    error: Problem | None


class Span(NamedTuple):
    """A time in which a node's state was the same. ``ended_at`` None: it still is."""

    began_at: float
    ended_at: float | None
    state: str


class Presence(NamedTuple):
    """When a node was here and when it was not, between two times."""

    node_id: str
    since_at: float
    until_at: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """Rows of a list as far as they are read.

    ``total``: how many match, None where that is not known; ``is_more``: there are more than these; ``filter``: what
    they match; ``problem``: why there is nothing new, in the hub's words; ``is_read``: False until the first answer.
    """

    rows: tuple[T, ...] = ()
    total: int | None = None
    is_more: bool = False
    filter: str = ""
    problem: str = ""
    is_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All about one task; what was not read yet is None. ``payload`` and ``value`` are texts, cut if long."""

    task_id: str
    task: TaskView | None = None
    attempts: tuple[Attempt, ...] = ()
    logs: TaskLogs | None = None
    explanation: Explanation | None = None
    payload: str = ""
    value: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was heard of a hub, up to ``now_at``.

    ``heard_at``: when its counts came, None if never; ``lately``: what happened to nodes and alerts, newest first;
    ``over``: alerts that ended, newest first; ``explanation``: why the chosen task of the list waits.
    """

    url: str
    now_at: float
    link: Link = Link()
    heard_at: float | None = None
    stats: Stats | None = None
    role: str = ""
    trends: Trends = Trends()
    map: tuple[MapNode, ...] = ()
    alerts: tuple[Alert, ...] = ()
    errors: tuple[ErrorGroup, ...] = ()
    nodes: Listing[NodeView] = Listing()
    presence: Presence | None = None
    tasks: Listing[TaskView] = Listing()
    explanation: Explanation | None = None
    events: Listing[Event] = Listing()
    lately: tuple[Event, ...] = ()
    over: tuple[Event, ...] = ()
    detail: Detail | None = None

    @property
    def is_live(self) -> bool:
        """Whether the hub answers."""
        return self.link.state == "live"

    @property
    def unreachable_ids(self) -> tuple[str, ...]:
        """The nodes that are away; none where the hub counts none, since the map may be of another time."""
        if self.stats is not None and not self.stats.nodes.get("unreachable"):
            return ()
        return tuple(node.id for node in self.map if node.state == "unreachable")

    @property
    def may_submit(self) -> bool:
        """Whether this token may cancel and retry, as far as that is known."""
        return self.role in {"", "submit", "admin"}

    @property
    def may_operate(self) -> bool:
        """Whether this token may drain nodes, as far as that is known."""
        return self.role in {"", "admin"}
