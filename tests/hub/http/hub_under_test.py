"""A hub without nodes' sockets: the real API on a real port, over a real store; tests play the nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from hub.alerts.facts import Disk, NameCounts, PresentNode
from hub.alerts.messages import HubName
from hub.alerts.reading import AlertSettings
from hub.alerts.watch import AlertWatch
from hub.decisions.backlog import BACKLOG_BYTES_MAX
from hub.decisions.meter import Histogram
from hub.decisions.sessions import Fleet, LiveNode
from hub.disk import DiskSpace
from hub.errors import HubDegradedError, HubStoppingError
from hub.events.bounds import Bounds
from hub.events.feed import EventFeed
from hub.http.application import make_application
from hub.http.backend import AlertCounts, Health
from hub.http.server import HttpServer
from hub.metrics.reading import Counts, Gauges, Reading
from hub.settings import HubSettings
from hub.store.assignments import Claim, NodeProfile, Offer
from hub.store.attempts import AttemptResult, Record
from hub.store.commit_meter import CommitMeter
from hub.store.contract import Operation, Store
from hub.store.history import Deed, NoteDeed
from hub.store.node_views import NodeView
from hub.store.nodes import NodeRegistration, RegisterNode
from hub.store.now import Now
from hub.store.sqlite.store import SqliteStore
from hub.store.stats import StoreStats
from hub.store.submissions import Broadcast, Broadcasted, Submit, Submitted
from hub.store.tasks import NewTask
from hub.store.wishes import Cancel, Cancelled, NodeWish, Revive, Revived
from hub.tokens import TokenBook
from protocol.frames import AttemptKey, Inventory, Progress, TaskError

T = TypeVar("T")

NDJSON = {"Content-Type": "application/x-ndjson"}
JSON = {"Content-Type": "application/json"}


class StoreBackend:
    """What the service does for the API, in one thread and without sessions. Each call is its own commit."""

    def __init__(self, path: Path, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - it is frozen
        self.store = SqliteStore.open(path, durability="normal")
        self.events = EventFeed(bounds)
        self.degraded: str | None = None
        self.stopping = False
        self.listening = True
        self.writes = True
        self.disk: DiskSpace | None = None
        self.read_error: Exception | None = None
        self.names: set[str] = set()
        self.lives: dict[str, LiveNode] = {}
        self.unsent: set[tuple[str, AttemptKey]] = set()
        self.progresses: dict[str, Progress] = {}
        self.alerts = AlertWatch(
            self,
            AlertSettings(every_s=60.0),
            HubName(id=self.store.hub_id, version="0"),
        )

    def execute(self, *operations: Operation) -> list[Any]:
        """Commit, and publish what it did."""
        if self.stopping:
            raise HubStoppingError
        if self.degraded is not None:
            raise HubDegradedError(self.degraded)
        now_s = time.time()
        committed = self.store.execute(operations, Now(now_s, now_s))
        self.events.publish(committed.events, committed.values)
        for answer in committed.answers:
            if isinstance(answer, Exception):
                raise answer
        return committed.answers

    async def submit(self, tasks: Sequence[NewTask]) -> Submitted:
        return self.execute(Submit(tasks=tasks))[0]

    async def broadcast(self, template: NewTask) -> Broadcasted:
        return self.execute(Broadcast(template=template))[0]

    async def cancel(self, task_ids: Sequence[str], reason: str) -> Cancelled:
        return self.execute(Cancel(task_ids=task_ids, reason=reason))[0]

    async def revive(self, task_ids: Sequence[str]) -> Revived:
        return self.execute(Revive(task_ids=task_ids))[0]

    async def wish(
        self, node_id: str, *, cordoned: bool | None = None, draining: bool | None = None
    ) -> NodeView | None:
        return self.execute(NodeWish(node_id=node_id, cordoned=cordoned, draining=draining))[0]

    async def disconnect(self, node_id: str) -> bool:
        return self.lives.pop(node_id, None) is not None

    def note(self, deed: Deed) -> None:
        self.execute(NoteDeed(deed=deed))

    async def noted(self, deed: Deed) -> None:
        self.execute(NoteDeed(deed=deed))

    # --- what alerts look at ----------------------------------------------------------------------------------------

    def now(self) -> Now:
        return Now(time.time(), time.time())

    def is_suspicious(self) -> bool:
        return False

    def present(self) -> list[PresentNode]:
        return []

    def disk_room(self) -> Disk | None:
        return None

    def take_departures(self) -> list[str]:
        return []

    def why_degraded(self) -> str | None:
        return self.degraded

    def ended_by_name(self) -> dict[str, NameCounts]:
        return {}

    async def perform(self, operation: Operation) -> object:
        return self.execute(operation)[0]

    def put(self, operation: Operation) -> asyncio.Future[object]:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        done.set_result(self.execute(operation)[0])
        return done

    async def read(self, query: Callable[[Store], T]) -> T:
        if self.read_error is not None:
            raise self.read_error
        return query(self.store)

    def live(self, node_id: str) -> LiveNode | None:
        return self.lives.get(node_id)

    def live_nodes(self) -> dict[str, LiveNode]:
        return self.lives

    def progress(self, task_id: str) -> Progress | None:
        return self.progresses.get(task_id)

    def is_unsent(self, node_id: str, key: AttemptKey) -> bool:
        return (node_id, key) in self.unsent

    def handles(self, name: str) -> bool:
        return name in self.names

    def health(self) -> Health:
        firing, critical = self.alerts.counts()
        return Health(
            hub_id=self.store.hub_id,
            version="0",
            started_at=time.time() - 5,
            degraded=self.degraded,
            stopping=self.stopping,
            sessions=len(self.lives),
            listening=self.listening,
            writes=self.writes,
            disk=self.disk,
            alerts=AlertCounts(firing=firing, critical=critical),
        )

    def reading(self, stats: StoreStats | None, requests: Mapping[tuple[str, str, int], int]) -> Reading:
        return Reading(
            at=time.time(),
            hub_id=self.store.hub_id,
            version="0",
            started_at=0.0,
            not_ready=0,
            degraded=self.degraded is not None,
            suspicious=False,
            stats=stats,
            disk=self.disk,
            fleet=Fleet(sessions=len(self.lives)),
            gauges=Gauges(),
            counts=Counts(requests=dict(requests)),
            waits={},
            runs={},
            reconnects=Histogram(),
            loop_lags=Histogram(),
            commits=CommitMeter(),
        )


class HubUnderTest:
    """The API on a port that the system picked, and a client for it."""

    def __init__(
        self,
        path: Path,
        *,
        login_key: bytes | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008 - it is frozen
        **settings: Any,
    ) -> None:
        self.backend = StoreBackend(path, bounds)
        self.tokens = TokenBook()
        self.settings = HubSettings(http_port=0, **settings)
        self.application = make_application(self.backend, self.settings, self.tokens, login_key=login_key)
        self.server = HttpServer(self.application)

    async def __aenter__(self) -> Self:
        await self.server.start("127.0.0.1", 0)
        self.client = aiohttp.ClientSession(f"http://127.0.0.1:{self.server.port}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.backend.events.close()
        await self.client.close()
        await self.server.stop()
        self.backend.store.close()

    # --- as a client ------------------------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Send a request; give the status and the decoded body."""
        async with self.client.request(method, path, **more) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str, **more: Any) -> tuple[int, Any]:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, **more: Any) -> tuple[int, Any]:
        return await self.ask("POST", path, **more)

    async def submit(self, name: str = "work", **more: Any) -> str:
        status, body = await self.post("/v1/tasks", json={"name": name, **more})
        assert status == 201, body
        task_id: str = body["id"]
        return task_id

    # --- as a node ----------------------------------------------------------------------------------------------------

    def register(self, node_id: str = "n1", *handlers: str, slots: int = 4, **labels: str) -> None:
        registration = NodeRegistration(
            name="", labels=labels, slots=slots, handlers=list(handlers or ("work",)), version="1"
        )
        self.backend.execute(
            RegisterNode(
                node_id=node_id,
                instance_id=f"{node_id}-i",
                predecessors=(),
                inventory=Inventory(),
                session_id=f"{node_id}-s",
                registration=registration,
            )
        )

    def claim(self, node_id: str = "n1", *handlers: str, free: int = 100) -> list[str]:
        """Start what is queued; give the ids."""
        profile = NodeProfile(node_id=node_id, handlers=frozenset(handlers or ("work",)))
        offer = Offer(profile=profile, instance_id=f"{node_id}-i", free=free, bytes_max=BACKLOG_BYTES_MAX)
        (claimed,) = self.backend.execute(Claim(offers=[offer]))
        return [assignment.task_id for assignment in claimed.assignments]

    def succeed(self, *task_ids: str, value: bytes = b"null", node_id: str = "n1") -> None:
        self._record(
            *(
                AttemptResult(task_id=task_id, attempt=1, node_id=node_id, outcome="succeeded", value=value, run_s=0.5)
                for task_id in task_ids
            )
        )

    def fail(self, task_id: str, message: str = "no", node_id: str = "n1") -> None:
        error = TaskError(kind="error", message=message, type="ValueError")
        self._record(AttemptResult(task_id=task_id, attempt=1, node_id=node_id, outcome="failed", error=error))

    def _record(self, *results: AttemptResult) -> None:
        self.backend.execute(Record(results=results))
