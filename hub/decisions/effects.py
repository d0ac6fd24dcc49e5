"""What the core wants done, as values, in the order in which it is to be done.

Whatever depends on a commit does not exist before it: `Persist` carries a ticket, the shell brings the ticket back with
the answer once it is committed, and only then does the core return the sends. So the shell cannot send what is not
persisted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from hub.store.contract import Operation
from protocol.close_codes import CloseCode
from protocol.frames import AttemptKey, Frame, Log, Progress

ConnectionId: TypeAlias = int
RequestId: TypeAlias = int


class Put(Struct, frozen=True):
    """Slots that were put aside for an operation: how many, and on which connection of the node."""

    connection: ConnectionId
    count: int


Aside: TypeAlias = Mapping[str, Put]


class Ticket(Struct, frozen=True, kw_only=True):
    """What the core must remember of an operation until its answer comes.

    ``aside``: slots that were put aside for it, by node id. ``request``: the API call that waits for the answer.
    """

    aside: Aside = {}
    request: RequestId | None = None


class RegisterTicket(Ticket, frozen=True, kw_only=True):
    """A registration or resumption on this connection."""

    node_id: str
    connection: ConnectionId
    resumed: bool


class RecordTicket(Ticket, frozen=True, kw_only=True):
    """Results of this node, in the operation's order; ``size_bytes``: what they take while they wait."""

    node_id: str
    instance_id: str
    keys: Sequence[AttemptKey]
    size_bytes: int


class FetchTicket(Ticket, frozen=True, kw_only=True):
    """What this node lacks, to be sent on this connection. ``is_slice``: the next in order; else what was cancelled."""

    node_id: str
    connection: ConnectionId
    is_slice: bool


class LogTicket(Ticket, frozen=True, kw_only=True):
    """Log lines of this node."""

    node_id: str


class LeaveTicket(Ticket, frozen=True, kw_only=True):
    """A `bye` that was said on this connection."""

    connection: ConnectionId


class ReleaseTicket(Ticket, frozen=True, kw_only=True):
    """Leases were looked at, for these instances, in the operation's order."""

    holders: Sequence[tuple[str, str]]


class Persist(Struct, frozen=True):
    """Put this operation to the store; bring the ticket back with the answer."""

    operation: Operation
    ticket: Ticket = Ticket()


class Send(Struct, frozen=True):
    """Send these frames, in order, on this connection; drop them if it is gone."""

    connection: ConnectionId
    frames: Sequence[Frame]


class Mark(Struct, frozen=True):
    """Say `mark_left` once all that was to be sent on this connection so far has left; never if it is gone before."""

    connection: ConnectionId


class StopReading(Struct, frozen=True):
    """Read no more of what comes on this connection until `ReadOn`; it waits at the node."""

    connection: ConnectionId


class ReadOn(Struct, frozen=True):
    """Read again what comes on this connection."""

    connection: ConnectionId


class Close(Struct, frozen=True):
    """Close this connection after what was to be sent on it."""

    connection: ConnectionId
    code: CloseCode
    reason: str


class Reply(Struct, frozen=True):
    """Answer an API call with the answer of its operation, or with an exception."""

    request: RequestId
    answer: object


class Tell(Struct, frozen=True):
    """Tell live listeners: progress or log lines of a node, of what it holds. Nothing is stored by this."""

    node_id: str
    frame: Progress | Log


class Alarm(Struct, frozen=True, kw_only=True):
    """A person should know. One line in the log."""

    kind: Literal[
        "unknown_attempts",
        "foreign_result",
        "instance_conflict",
        "fleet_silent",
        "fleet_back",
        "lease_expired",
        "operation_failed",
    ]
    message: str
    node_id: str = ""
    task_id: str = ""
    attempt: int | None = None


Effect: TypeAlias = Persist | Send | Mark | StopReading | ReadOn | Close | Reply | Tell | Alarm
