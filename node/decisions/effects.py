"""What the core wants done, as values, in the order in which it is to be done.

Two orders are structural. A result cannot be sent before it is in the outbox, because the `Send` does not exist until
the shell has told the core that it is `stored`. An instance cannot register before its id is in the state folder: the
core is made with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from protocol.frames import AttemptKey, HubLimits, NodeFrame, Outcome, Result, Task, TaskError

ConnectionId: TypeAlias = int

StopReason: TypeAlias = Literal["cancelled", "unwanted", "lease", "shutdown"]
"""`cancelled`: somebody asked for it. `unwanted`: the hub has another outcome, or gave the task to another attempt.
`lease`: the hub may have given it up. `shutdown`: this process ends.
"""


class Ended(Struct, frozen=True, kw_only=True):
    """What an attempt came to, as the executor tells it. ``started_s`` is None if its handler never ran."""

    key: AttemptKey
    outcome: Outcome
    value: bytes = b""
    error: TaskError | None = None
    started_s: float | None = None
    ended_s: float


class Finished(Struct, frozen=True, kw_only=True):
    """A result as the outbox keeps it, and when the attempt ended on the node's steady clock."""

    result: Result
    ended_s: float

    @property
    def key(self) -> AttemptKey:
        """Which attempt."""
        return (self.result.task_id, self.result.attempt)


class Dial(Struct, frozen=True, kw_only=True):
    """Connect to this address after a wait. ``is_parked``: only a person can help, and ``reason`` says how."""

    url: str
    after_s: float
    reason: str = ""
    is_parked: bool = False


class Send(Struct, frozen=True, kw_only=True):
    """Send these frames, in order, if this connection is still the node's."""

    connection: ConnectionId
    frames: Sequence[NodeFrame]


class Close(Struct, frozen=True, kw_only=True):
    """Leave this connection; the core hears of it no more."""

    connection: ConnectionId
    code: int
    reason: str


class Joined(Struct, frozen=True, kw_only=True):
    """A session is open: the hub has committed the registration, and with it the death of earlier instances."""

    hub_id: str
    session_id: str
    url: str
    limits: HubLimits
    is_resumed: bool


class Start(Struct, frozen=True, kw_only=True):
    """Run these attempts now."""

    tasks: Sequence[Task]


class Stop(Struct, frozen=True, kw_only=True):
    """Stop an attempt that runs; the executor tells what it came to once it has truly ended."""

    key: AttemptKey
    reason: StopReason


class Store(Struct, frozen=True, kw_only=True):
    """Write these results to the outbox, and say when they are stored."""

    results: Sequence[Finished]


class Forget(Struct, frozen=True, kw_only=True):
    """Drop these results from the outbox."""

    keys: Sequence[AttemptKey]


class Exit(Struct, frozen=True, kw_only=True):
    """End the process. ``code`` 0: in good order; 1: handlers had to be abandoned."""

    code: int
    reason: str


Effect: TypeAlias = Dial | Send | Close | Joined | Start | Stop | Store | Forget | Exit
