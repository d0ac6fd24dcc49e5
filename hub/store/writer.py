"""The thread that commits: it takes whatever has piled up, runs it in one transaction, and hands the answers back.

A commit costs an fsync, whatever is in it. So nothing waits for a batch to fill: while one commit is under way the next
piles up. Under light load an operation is alone in its commit; under heavy load hundreds share one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, sleep
from typing import Final, TypeAlias, TypeVarTuple

from hub import failpoints
from hub.decisions.effects import Ticket
from hub.store.assignments import Fetch
from hub.store.attempts import Record
from hub.store.commit_meter import CommitMeter
from hub.store.contract import Committed, Operation, Store
from hub.store.errors import StoreUnavailableError
from hub.store.now import Now
from hub.store.submissions import Submit

_logger = logging.getLogger(__name__)

Told = TypeVarTuple("Told")

Done: TypeAlias = list[tuple[Ticket, object]]

# One transaction: so much that the fsync is shared well, so little that the commit stays short (20,000 rows take half a
# second) and the answers of the first need not wait long for the last.
OPERATIONS_MAX: Final = 64
ROWS_MAX: Final = 20_000

# A store that takes no commits is asked again after the first, at most the second; a full disk is seldom freed faster.
RETRY_MIN_S: Final = 0.05
RETRY_MAX_S: Final = 2.0

# How long `stop` tries to commit what is pending before it gives up. Nothing of that was answered.
STOP_WITHIN_S: Final = 10.0


class StoreWriter:
    """Owns the thread ``store-writer``.

    Args:
        store: where operations go.
        clock: gives the time of a transaction; called on this thread.
        loop: where the following are called, in order.
        on_committed: called once for each commit, with the tickets and answers in order.
        on_degraded: called once when the store stops taking commits, with the reason; everything is kept and tried
            again.
        on_recovered: called once when it takes them again.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], Now],
        *,
        loop: asyncio.AbstractEventLoop,
        on_committed: Callable[[Done, Committed], None],
        on_degraded: Callable[[str], None],
        on_recovered: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._loop = loop
        self._on_committed = on_committed
        self._on_degraded = on_degraded
        self._on_recovered = on_recovered
        # Operations stay here until their answers are on their way.
        self._waiting: deque[tuple[Operation, Ticket]] = deque()
        # A bell to wake the thread with: a condition would take its lock, and give it back, on both sides.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_ringing = False
        self._has_stopped = threading.Event()
        self._stop_by_s: float | None = None
        self._is_degraded = False
        self._began_s: float | None = None
        self.meter = CommitMeter()
        """What the commits so far cost."""
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)

    @property
    def pending(self) -> int:
        """How many operations are not committed yet. Whoever puts more bounds it: this queue never refuses."""
        return len(self._waiting)

    @property
    def commit_s(self) -> float:
        """For how long the commit under way has been so; 0 if there is none. A disk may hang, and never fail."""
        began_s = self._began_s
        return 0.0 if began_s is None else monotonic() - began_s

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs: nothing is committed without it."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to commit. Twice is harmless."""
        if self._thread.ident is None:
            self._thread.start()

    def put(self, operation: Operation, ticket: Ticket) -> None:
        """Add an operation behind those that are there. From any thread; never waits for a commit."""
        self._waiting.append((operation, ticket))
        self._ring()

    def stop(self) -> bool:
        """Commit what is pending, within `STOP_WITHIN_S`, and end; tell whether all of it was committed.

        Blocks. Twice is harmless. What was not committed was not answered either.
        """
        if self._stop_by_s is None:
            self._stop_by_s = monotonic() + STOP_WITHIN_S
        self._has_stopped.set()
        self._ring()
        if self._thread.ident is not None:
            self._thread.join()
        return self.pending == 0

    # --- on the thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while batch := self._take():
            committed = self._execute([operation for operation, _ in batch])
            if committed is None:
                return
            tickets = [ticket for _, ticket in batch]
            self._tell(self._on_committed, list(zip(tickets, committed.answers, strict=True)), committed)
            # Only now: who sees that nothing is pending may rely on the callback being on its way.
            for _ in batch:
                self._waiting.popleft()

    def _ring(self) -> None:
        if not self._is_ringing:
            # Two threads may both come here: the thread then finds nothing new the second time.
            self._is_ringing = True
            self._bell.put(None)

    def _take(self) -> list[tuple[Operation, Ticket]]:
        """Wait for operations and give as many as one transaction may have; none means: stop."""
        while not self._waiting:
            if self._stop_by_s is not None:
                return []
            self._bell.get()
            # In this order: what is put after the flag is down rings again.
            self._is_ringing = False
        batch: list[tuple[Operation, Ticket]] = []
        rows = 0
        for number in range(min(len(self._waiting), OPERATIONS_MAX)):
            item = self._waiting[number]
            rows += _weight(item[0])
            if batch and rows > ROWS_MAX:
                break
            batch.append(item)
        return batch

    def _execute(self, operations: list[Operation]) -> Committed | None:
        """Commit, trying again for as long as it takes; None if the time to stop came first."""
        pause_s = RETRY_MIN_S
        while True:
            try:
                self._began_s = monotonic()
                failpoints.before_commit(operations)
                began_s = monotonic()
                committed = self._store.execute(operations, self._clock())
                took_s = monotonic() - began_s
            except StoreUnavailableError as error:
                self._degrade(str(error))
            except Exception as error:
                # The top of the thread: a fault of the store's own. Whoever waits must learn that nothing moves.
                _logger.exception("the store failed")
                self._degrade(repr(error))
            else:
                failpoints.after_commit(operations)
                self.meter.committed(len(operations), sum(map(_weight, operations)), took_s)
                self._recover()
                return committed
            finally:
                self._began_s = None
            self.meter.failed()
            if not self._may_retry(pause_s):
                return None
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    def _degrade(self, reason: str) -> None:
        if not self._is_degraded:
            self._is_degraded = True
            _logger.error("the store takes no commits: %s", reason)
            self._tell(self._on_degraded, reason)

    def _recover(self) -> None:
        if self._is_degraded:
            self._is_degraded = False
            _logger.warning("the store takes commits again")
            self._tell(self._on_recovered)

    def _tell(self, callback: Callable[[*Told], object], *told: *Told) -> None:
        # A closed loop: the hub has ended, and nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *told)

    def _may_retry(self, pause_s: float) -> bool:
        """Wait for the next try; tell whether there is one."""
        by_s = monotonic() + pause_s
        if not self._has_stopped.wait(pause_s):
            return True
        left_s = max(0.0, by_s - monotonic())
        if self._stop_by_s is not None and monotonic() + left_s > self._stop_by_s:
            return False
        sleep(left_s)
        return True


def _weight(operation: Operation) -> int:
    """Give how many rows an operation brings."""
    match operation:
        case Submit():
            return len(operation.tasks)
        case Record():
            return len(operation.results)
        case Fetch():
            return len(operation.keys)
        case _:
            return 1
