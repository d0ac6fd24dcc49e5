"""What waits to be sent to one node, in bytes, and what waits in the store until there is room for it.

Frames are bounded elsewhere, in number; here are the payloads, which are what is large. A node that does not read must
not cost the hub its slots times the largest payload. So only so much is handed to its connection; what is assigned
beyond that is kept as keys, and read from the store when enough has left.

How much has left is a fact of the connection: a mark is set behind what was sent, and comes back when all before it is
gone. One mark at a time is under way, and it covers a slice at least, so that small tasks pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from hub.store.assignments import Assignment
from protocol.frames import AttemptKey
from protocol.limits import PAYLOAD_BYTES_MAX

# What may wait to be sent on one connection, in bytes of payloads: sixteen of the largest, and more than a link of
# 100 Mbit/s takes in a quarter of a second. The task that passes it goes too, so that any single one is sent.
BACKLOG_BYTES_MAX: Final = 4 * 1024 * 1024

# What may wait on all connections together, where that leaves each at least one of the largest payloads. A large fleet
# shares it evenly: a whole site that stops reading at once must not cost the hub its nodes times the above.
ALL_BYTES_MAX: Final = 256 * 1024 * 1024
SHARE_BYTES_MIN: Final = PAYLOAD_BYTES_MAX

# Keys that one fetch names: a slice of payloads that are larger than 8 KiB; smaller ones take several fetches.
FETCH_KEYS_MAX: Final = 256


class Backlog:
    """One connection's backlog.

    ``bytes_max``: what may wait on the connection. ``kept``: attempts that the store says the node holds, and that were
    not sent yet, in order. ``is_fetching``: the next of them are being read.
    """

    __slots__ = ("_marked_bytes", "bytes_max", "is_fetching", "kept", "waiting_bytes")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.waiting_bytes = 0
        self._marked_bytes = 0
        self.kept: dict[AttemptKey, None] = {}
        self.is_fetching = False

    @property
    def slice_bytes(self) -> int:
        """What is assigned or fetched in one go. Half of all: while one half leaves, the other is read."""
        return max(1, self.bytes_max // 2)

    @property
    def is_full(self) -> bool:
        """Whether the node must not be given more: what is assigned now could not be sent at once."""
        return bool(self.kept) or self.waiting_bytes >= self.bytes_max

    def admit(self, assigned: Sequence[Assignment]) -> Sequence[Assignment]:
        """Take in what was assigned; give what is to be sent now. The rest is kept, behind what is kept already."""
        size_bytes = sum([len(item.payload) for item in assigned])
        if not self.kept and self.waiting_bytes + size_bytes <= self.bytes_max:
            self.waiting_bytes += size_bytes
            return assigned
        fitting = 0
        if not self.kept:
            while fitting < len(assigned) and self.waiting_bytes < self.bytes_max:
                self.waiting_bytes += len(assigned[fitting].payload)
                fitting += 1
        self.keep((item.task_id, item.attempt) for item in assigned[fitting:])
        return assigned[:fitting]

    def keep(self, keys: Iterable[AttemptKey]) -> None:
        """Keep attempts until there is room for them."""
        self.kept.update(dict.fromkeys(keys))

    def release(self, fetched: Iterable[Assignment], gone: Iterable[AttemptKey]) -> list[Assignment]:
        """Take in what was fetched; give what is to be sent now. ``gone`` are no longer this node's."""
        for key in gone:
            self.kept.pop(key, None)
        sent = []
        for item in fetched:
            key = (item.task_id, item.attempt)
            if key in self.kept:
                del self.kept[key]
                self.waiting_bytes += len(item.payload)
                sent.append(item)
        return sent

    def next_keys(self) -> list[AttemptKey]:
        """Give what is to be fetched now: nothing while that is under way, or while there is no room for a slice."""
        if self.is_fetching or self.waiting_bytes + self.slice_bytes > self.bytes_max:
            return []
        return list(islice(self.kept, FETCH_KEYS_MAX))

    # --- marks ----------------------------------------------------------------------------------------------------

    def set_mark(self) -> bool:
        """Set a mark behind what was sent so far, if one is due; tell whether it was."""
        if self._marked_bytes or self.waiting_bytes < self.slice_bytes:
            return False
        self._marked_bytes = self.waiting_bytes
        return True

    def mark_left(self) -> None:
        """The mark came back: what it covered waits no more."""
        self.waiting_bytes -= self._marked_bytes
        self._marked_bytes = 0


def room_bytes(bytes_max: int, nodes: int) -> int:
    """Give what may wait on one connection in a fleet of so many nodes."""
    return min(bytes_max, max(SHARE_BYTES_MIN, ALL_BYTES_MAX // max(1, nodes)))
