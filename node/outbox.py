"""The journal of results that no hub has acknowledged: what a node must not lose when its process dies.

SQLite in WAL mode, one writer thread, group commit: it takes all that has piled up since the last commit. With
``synchronous=NORMAL`` a commit is safe from the death of the process at once, and from a power cut at the next
checkpoint. That is enough: a result that a power cut took is an attempt that died with its machine, which the hub frees
and runs again by policy. Safety from power cuts for each result would cost an fsync each on the node's slowest part.

While the disk takes no writes the outbox keeps results in memory, says so, and tries again for ever. It calls them
stored all the same: to send them is then the safest that can be done. Nothing is lost while the process lives.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, TypeAlias

from node import failpoints
from node.errors import OutboxError
from protocol.codec import encode, node_frames_decoder
from protocol.errors import ProtocolError
from protocol.frames import AttemptKey, Result

logger = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1

# A result that is forgotten late is at worst sent once more, so deletions ride along with the next insert.
FORGET_WITHIN_S: Final = 0.5

# How often a disk that takes no writes is tried: first after half a second, then less and less often.
RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 5.0

# How long another process (a backup, a person with a shell) may hold the database before a write counts as failed.
BUSY_S_MAX: Final = 2.0

# What is gathered for one commit; more only makes the first of them wait.
BATCH_MAX: Final = 2_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS results (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    ended_at REAL NOT NULL,
    frame BLOB NOT NULL,
    UNIQUE (task_id, attempt)
)
"""


class Entry(NamedTuple):
    """A result, and the wall-clock time at which its attempt ended: the only clock that outlives the process."""

    result: Result
    ended_at: float

    @property
    def key(self) -> AttemptKey:
        """Which attempt."""
        return (self.result.task_id, self.result.attempt)


class _Forget(NamedTuple):
    keys: Sequence[AttemptKey]


class _Close:
    pass


_Order: TypeAlias = Sequence[Entry] | _Forget | _Close


class Outbox:
    """The journal, open from construction until `close`.

    Args:
        path: the database file.
        on_stored: told which results are stored, once they are. All three are called on the outbox's own thread.
        on_failing: told once that the disk takes no writes, and why.
        on_recovered: told once that it takes them again.

    Raises:
        OutboxError: the file cannot be opened, or was written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_stored: Callable[[list[AttemptKey]], None],
        on_failing: Callable[[str], None],
        on_recovered: Callable[[], None],
    ) -> None:
        self._on_stored = on_stored
        self._on_failing = on_failing
        self._on_recovered = on_recovered
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._unwritten: dict[AttemptKey, Entry] = {}
        self._told: set[AttemptKey] = set()
        self._forgotten: dict[AttemptKey, None] = {}
        self._problem: str | None = None
        self._is_closing = False
        self._database = _open(path)
        self._thread = threading.Thread(target=self._write_on, name="outbox", daemon=True)

    def load(self) -> list[Entry]:
        """Give what an earlier process left behind, in the order in which it was stored. Call it before `start`."""
        decoder = node_frames_decoder()
        entries: list[Entry] = []
        rows = self._database.execute("SELECT task_id, attempt, ended_at, frame FROM results ORDER BY position")
        for task_id, attempt, ended_at, frame in rows:
            try:
                (result,) = decoder.decode(frame)
            except (ProtocolError, ValueError) as error:
                logger.error("the outbox holds a result that cannot be read: task %s/%d: %s", task_id, attempt, error)
                continue
            if isinstance(result, Result):
                entries.append(Entry(result, ended_at))
        return entries

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, entries: Sequence[Entry]) -> None:
        """Store results; ``on_stored`` says when."""
        self._orders.put(entries)

    def forget(self, keys: Sequence[AttemptKey]) -> None:
        """Drop results, some time soon."""
        self._orders.put(_Forget(keys))

    def close(self) -> None:
        """Write what is left, as far as the disk takes it, and close; twice is harmless."""
        if not self._is_closing:
            self._is_closing = True
            if self._thread.ident is None:
                self._database.close()
                return
            self._orders.put(_Close())
        if self._thread.ident is not None:
            self._thread.join()

    # --- the writer -------------------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        retry_s = RETRY_S_MIN
        try:
            while not self._gather(retry_s):
                retry_s = RETRY_S_MIN if self._write() else min(2 * retry_s, RETRY_S_MAX)
            self._write()
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()

    def _gather(self, retry_s: float) -> bool:
        """Wait until there is something to write, and take all of it; True if the outbox is to close."""
        due_s = self._due_s(time.monotonic(), retry_s)
        while True:
            try:
                order = self._orders.get(timeout=None if due_s is None else max(0.0, due_s - time.monotonic()))
            except Empty:
                return False
            if self._take(order):
                return True
            if due_s is None or (self._problem is None and self._unwritten):
                due_s = self._due_s(time.monotonic(), retry_s)
            if len(self._unwritten) >= BATCH_MAX and self._problem is None:
                return False

    def _due_s(self, now_s: float, retry_s: float) -> float | None:
        """Give the time by which to write what is gathered, None if there is nothing."""
        if self._problem is not None:
            return now_s + retry_s
        if self._unwritten:
            return now_s
        return now_s + FORGET_WITHIN_S if self._forgotten else None

    def _take(self, order: _Order) -> bool:
        if isinstance(order, _Close):
            return True
        if isinstance(order, _Forget):
            for key in order.keys:
                if self._unwritten.pop(key, None) is None:
                    self._forgotten[key] = None
                self._told.discard(key)
            return False
        for entry in order:
            self._unwritten[entry.key] = entry
        if self._problem is not None:
            self._tell(self._unwritten)
        return False

    def _write(self) -> bool:
        """Commit what is gathered; False if the disk does not take it."""
        stores, forgets = bool(self._unwritten), bool(self._forgotten)
        try:
            failpoints.around_write("before", stores=stores, forgets=forgets)
            _commit(self._database, self._unwritten.values(), self._forgotten)
        except sqlite3.Error as error:
            self._note_failure(error)
            return False
        failpoints.around_write("after", stores=stores, forgets=forgets)
        self._tell(self._unwritten)
        self._unwritten.clear()
        self._forgotten.clear()
        self._told.clear()
        if self._problem is not None:
            self._problem = None
            logger.warning("the outbox writes again")
            self._on_recovered()
        return True

    def _note_failure(self, error: sqlite3.Error) -> None:
        if self._problem is None:
            self._problem = str(error)
            logger.error(
                "the outbox cannot write (%s): results are kept in memory, and no new task starts until it can", error
            )
            self._on_failing(self._problem)
        self._tell(self._unwritten)

    def _tell(self, keys: Iterable[AttemptKey]) -> None:
        """Say that these are stored, each once."""
        news = [key for key in keys if key not in self._told]
        if news:
            self._told.update(news)
            self._on_stored(news)


def _commit(database: sqlite3.Connection, entries: Iterable[Entry], forgotten: Iterable[AttemptKey]) -> None:
    """Insert and delete in one transaction."""
    try:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("DELETE FROM results WHERE task_id = ? AND attempt = ?", forgotten)
        database.executemany(
            "INSERT OR REPLACE INTO results (task_id, attempt, ended_at, frame) VALUES (?, ?, ?, ?)",
            [(*entry.key, entry.ended_at, encode(entry.result)) for entry in entries],
        )
        database.execute("COMMIT")
    except sqlite3.Error:
        with contextlib.suppress(sqlite3.Error):
            if database.in_transaction:
                database.execute("ROLLBACK")
        raise


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path)
    except sqlite3.OperationalError as error:
        raise OutboxError(f"the outbox {path} cannot be opened ({error}); free its disk or check its owner") from error
    except sqlite3.DatabaseError as error:
        return _open_anew(path, error)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=BUSY_S_MAX, isolation_level=None, check_same_thread=False)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise OutboxError(
                f"the outbox {path} has version {version}, and this node knows up to {SCHEMA_VERSION}; upgrade the node"
            )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        damage = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(damage)
        if version < SCHEMA_VERSION:
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        database.close()
        raise
    return database


def _open_anew(path: Path, error: sqlite3.DatabaseError) -> sqlite3.Connection:
    """Put a damaged file aside and begin a new one. Its attempts are then such that died with their machine."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    logger.error("the outbox %s is damaged (%s); it is kept as %s, and a new one begun", path, error, aside)
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    try:
        return _connect(path)
    except sqlite3.Error as second:
        raise OutboxError(f"the outbox {path} cannot be made ({second}); check its folder") from second
