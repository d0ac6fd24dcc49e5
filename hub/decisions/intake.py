"""What of the nodes' results may wait for the store, in bytes, and whose connection is read no further until it has.

Results are never dropped: what is not read waits at its node, in the outbox. A commit takes milliseconds, so a
connection that is not read is read again before anybody notices; only a store that hangs keeps it so.

A connection is one stream. Whoever is not read is not heard either, heartbeats included, so a node is left unread for
what it has brought itself: where all of them together have filled the hub, one that has brought little is still read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hub.store.attempts import AttemptResult

# Of one node. A node of ours has 4 MiB of values under way at most, so only another one's are bounded by this, and
# errors with long tracebacks.
NODE_BYTES_MAX: Final = 8 * 1024 * 1024

# Of all nodes together: what 64 have under way that bring all they may at once. A fleet that ends a thousand tasks of
# 1 KiB in a second fills it when the store has taken none for two minutes.
ALL_BYTES_MAX: Final = 256 * 1024 * 1024

# Of each node, however much waits of the others: some dozen small results.
SHARE_BYTES: Final = 64 * 1024

# What a result costs beside its value and its error's text, roughly: ids, times, and the objects that hold them.
RESULT_BYTES: Final = 1024


class IntakeBounds(Struct, frozen=True, kw_only=True):
    """The bytes that may wait: of one node, of all, and of each node where all have more. What is read last passes
    them by one message.
    """

    node_bytes_max: int = NODE_BYTES_MAX
    all_bytes_max: int = ALL_BYTES_MAX
    share_bytes: int = SHARE_BYTES


class Intake:
    """What waits, by node. It outlives connections and sessions: the store's queue does."""

    def __init__(self, bounds: IntakeBounds) -> None:
        self._bounds = bounds
        self._by_node: Counter[str] = Counter()
        self.waiting_bytes = 0
        """Of all nodes."""

    def add(self, node_id: str, size_bytes: int) -> None:
        """Results are on their way to the store."""
        self._by_node[node_id] += size_bytes
        self.waiting_bytes += size_bytes

    def take_off(self, node_id: str, size_bytes: int) -> None:
        """They have arrived there, or never will."""
        self.waiting_bytes -= size_bytes
        self._by_node[node_id] -= size_bytes
        if not self._by_node[node_id]:
            del self._by_node[node_id]

    def is_full(self, node_id: str) -> bool:
        """Tell whether no more may be read of this node."""
        bounds = self._bounds
        is_crowded = self.waiting_bytes >= bounds.all_bytes_max
        return self._by_node[node_id] >= (bounds.share_bytes if is_crowded else bounds.node_bytes_max)


def size_bytes(results: Sequence[AttemptResult]) -> int:
    """Give what these take while they wait, roughly."""
    text_bytes = [
        len(error.message) + len(error.traceback) for result in results if (error := result.error) is not None
    ]
    return RESULT_BYTES * len(results) + sum([len(result.value) for result in results]) + sum(text_bytes)
