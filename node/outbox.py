"""The journal of results that no hub has acknowledged: what a node must not lose when its process dies.

One writer thread, group commit: it takes all that has piled up since the last commit. What is on the disk, and how safe
it is there, is the matter of `node.journal`.

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
from node.journal import Entry, Journal
from protocol.frames import AttemptKey

logger = logging.getLogger(__name__)

# A result that is forgotten late is at worst sent once more, so deletions ride along with the next insert.
FORGET_WITHIN_S: Final = 0.5

# How often a disk that takes no writes is tried: first after half a second, then less and less often.
RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 5.0

# What is gathered for one commit; more only makes the first of them wait.
BATCH_MAX: Final = 2_000


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
        self._journal = Journal(path)
        self._thread = threading.Thread(target=self._write_on, name="outbox", daemon=True)

    def load(self) -> list[Entry]:
        """Give what an earlier process left behind, in the order in which it was stored. Call it before `start`."""
        return self._journal.load()

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
                self._journal.close()
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
                self._journal.close()

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
            self._journal.commit(self._unwritten.values(), self._forgotten)
        except Exception as error:  # the top of a thread: without it no result would ever be stored again
            if not isinstance(error, sqlite3.Error):
                logger.exception("the outbox failed in an unexpected way")
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

    def _note_failure(self, error: Exception) -> None:
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
