"""What the HTTP API asks of the hub behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from hub.alerts.watch import AlertWatch
from hub.decisions.meter import Rates
from hub.decisions.sessions import LiveNode
from hub.disk import DiskSpace
from hub.events.feed import EventFeed
from hub.metrics.reading import Reading
from hub.store.contract import Store
from hub.store.history import Deed
from hub.store.node_views import NodeView
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcasted, Submitted
from hub.store.tasks import NewTask
from hub.store.wishes import Cancelled, Revived
from protocol.frames import AttemptKey, Progress

T = TypeVar("T")


class AlertCounts(Struct, frozen=True, kw_only=True):
    """How many alerts fire, and how many of them are critical."""

    firing: int = 0
    critical: int = 0


class Health(Struct, frozen=True, kw_only=True):
    """How the hub is at this moment. ``degraded`` says why the store takes no commits; None: it takes them.
    ``suspicious``: so many nodes are silent at once that the hub suspects itself. ``listening``: nodes are accepted.
    ``writes``: the thread that commits runs. ``disk``: None where it cannot be asked.
    """

    hub_id: str
    version: str
    started_at: float
    degraded: str | None
    stopping: bool
    sessions: int
    suspicious: bool = False
    listening: bool = True
    writes: bool = True
    disk: DiskSpace | None = None
    rates: Rates = Rates()
    alerts: AlertCounts = AlertCounts()


class HubBackend(Protocol):
    """The hub, as its API sees it. All on the event loop's thread.

    The verbs return after their commit. They raise HubDegradedError or HubStoppingError where nothing can be accepted;
    cancelling one that waits does not undo it.
    """

    @property
    def events(self) -> EventFeed:
        """What happens, as it is committed."""
        ...

    @property
    def alerts(self) -> AlertWatch:
        """The hub's alerts."""
        ...

    async def submit(self, tasks: Sequence[NewTask]) -> Submitted:
        """Accept tasks, all or none."""
        ...

    async def broadcast(self, template: NewTask) -> Broadcasted:
        """Accept one task for each online node that can serve the template."""
        ...

    async def cancel(self, task_ids: Sequence[str], reason: str) -> Cancelled:
        """Cancel tasks that are not final."""
        ...

    async def revive(self, task_ids: Sequence[str]) -> Revived:
        """Queue finished tasks again."""
        ...

    async def wish(
        self, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> NodeView | None:
        """Note an operator's wish about a node; None if there is no such node."""
        ...

    async def disconnect(self, node_id: str) -> bool:
        """Close a node's connection; False if it has none."""
        ...

    def note(self, deed: Deed) -> None:
        """Put a line into the audit log, before whatever is put next. Raises as the verbs do."""
        ...

    async def noted(self, deed: Deed) -> None:
        """Put a line into the audit log; returns after its commit."""
        ...

    async def read(self, query: Callable[[Store], T]) -> T:
        """Ask the store on its reader thread. Raises StoreUnavailableError if it cannot answer in time."""
        ...

    def live(self, node_id: str) -> LiveNode | None:
        """Give what only a live session knows of a node."""
        ...

    def live_nodes(self) -> dict[str, LiveNode]:
        """Give what only live sessions know, by node id."""
        ...

    def progress(self, task_id: str) -> Progress | None:
        """Give the latest progress of a task that runs."""
        ...

    def is_unsent(self, node_id: str, key: AttemptKey) -> bool:
        """Tell whether an attempt that this node is to run waits here until there is room to send it."""
        ...

    def handles(self, name: str) -> bool:
        """Tell whether a connected node handles this name."""
        ...

    def health(self) -> Health:
        """Say how the hub is."""
        ...

    def reading(self, stats: StoreStats | None, requests: Mapping[tuple[str, str, int], int]) -> Reading:
        """Take a reading for the metrics, with what the store counted and what the API answered."""
        ...
