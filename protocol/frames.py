"""Every frame that travels between a node and a hub, as frozen values.

A frame that exists is valid: types, bounds and enumerations are checked once, when it is decoded. Times are wall-clock
seconds since 1970 in UTC (``*_at``) or durations in seconds (``*_s``); a duration never depends on two clocks agreeing.
Unknown fields are ignored, so that either side may be newer. The source of each rule is ``docs/reference/protocol.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from protocol import limits

Identifier: TypeAlias = Annotated[str, Meta(pattern=limits.IDENTIFIER_PATTERN)]
# Of the three frames that pass for each task decoders check the lengths only, since a look at each character took a
# third of their time. A hub looks at the ids of results itself; a node takes the hub's word for what it only repeats.
TaskText: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.IDENTIFIER_CHARACTERS_MAX,
        extra_json_schema={"pattern": limits.IDENTIFIER_PATTERN},
    ),
]
ShortText: TypeAlias = Annotated[str, Meta(max_length=limits.MESSAGE_CHARACTERS_MAX)]
LabelText: TypeAlias = Annotated[str, Meta(max_length=limits.LABEL_CHARACTERS_MAX)]
PlainText: TypeAlias = Annotated[str, Meta(max_length=limits.LABEL_CHARACTERS_MAX, pattern=limits.PLAIN_PATTERN)]
Labels: TypeAlias = Annotated[dict[Identifier, PlainText], Meta(max_length=limits.LABELS_MAX)]
Attempt: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=1e10)]

AttemptKey: TypeAlias = tuple[Identifier, Attempt]
"""``(task_id, attempt)``: the fencing token. On the wire a JSON array of two."""

AttemptKeys: TypeAlias = Annotated[list[AttemptKey], Meta(max_length=2 * limits.SLOTS_MAX)]

Outcome: TypeAlias = Literal["succeeded", "failed", "cancelled"]


class Frame(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Base of all frames; the field ``type`` on the wire names the subclass."""


class Inventory(Struct, frozen=True, kw_only=True):
    """All that a node holds, complete: nothing that it leaves out is on the node.

    ``running`` are attempts that it was pushed and has no result of; ``results`` are attempts whose results wait in
    the outbox for an ``ack``.
    """

    running: AttemptKeys = []
    results: AttemptKeys = []


class TaskError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an attempt failed, as text that survives a change of language.

    ``kind`` is stable and decides about retries: `error` (the handler raised), `timeout`, `bad_arguments`,
    `bad_result`, `unknown_handler`, `crashed` (its child process died), `lost`, `expired`, `cancelled`.
    """

    kind: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]
    message: Annotated[str, Meta(max_length=limits.TRACEBACK_CHARACTERS_MAX)] = ""
    type: Annotated[str, Meta(max_length=limits.LABEL_CHARACTERS_MAX)] = ""
    traceback: Annotated[str, Meta(max_length=limits.TRACEBACK_CHARACTERS_MAX)] = ""
    retryable: bool = True


class Counters(Struct, frozen=True, kw_only=True):
    """What a node has counted since its instance began: absolute, so that a lost heartbeat loses nothing."""

    started: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    cancelled: Count = 0
    run_s: Seconds = 0.0
    connects: Count = 0


class LogLine(Struct, frozen=True, kw_only=True):
    """One line that a handler logged. ``at`` is the node's wall clock; ``level`` as in Python's `logging`."""

    task_id: Identifier
    attempt: Attempt
    at: float
    level: Annotated[str, Meta(max_length=16)]
    message: Annotated[str, Meta(max_length=limits.LOG_LINE_CHARACTERS_MAX)]


class HubLimits(Struct, frozen=True, kw_only=True):
    """The bounds that this hub enforces, so that a node can refuse before it sends."""

    frame_bytes_max: Count = limits.FRAME_BYTES_MAX
    message_bytes_max: Count = limits.MESSAGE_BYTES_MAX
    result_bytes_max: Count = limits.RESULT_BYTES_MAX
    log_lines_per_task_max: Count = 1000


# --- node to hub ---------------------------------------------------------------------------------------------------


class Register(Frame, tag="register", frozen=True, kw_only=True):
    """The full handshake: who the node is and all that it holds. First frame of a connection, or `resume` is.

    ``predecessors`` are instances that held this node's state folder before this one. An exclusive lock on the folder
    proves that their processes are dead.
    """

    node_id: Identifier
    instance_id: Identifier
    name: PlainText = ""
    labels: Labels = {}
    slots: Annotated[int, Meta(ge=1, le=limits.SLOTS_MAX)]
    handlers: Annotated[list[Identifier], Meta(max_length=limits.HANDLERS_MAX)] = []
    version: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX, pattern=limits.PLAIN_PATTERN)] = ""
    inventory: Inventory
    predecessors: Annotated[list[Identifier], Meta(max_length=limits.PREDECESSORS_MAX)] = []
    draining: bool = False


class Resume(Frame, tag="resume", frozen=True, kw_only=True):
    """The short handshake after a disconnect: nothing about the node has changed but what it holds."""

    session_id: Identifier
    instance_id: Identifier
    inventory: Inventory


class Heartbeat(Frame, tag="heartbeat", frozen=True, kw_only=True):
    """Proof that the node's logic lives; its acknowledgement renews the leases of what the node runs.

    ``sequence`` counts from 1 on each connection. ``round_trip_ms`` is of the heartbeat before; ``load`` the 1-minute
    load average of the machine; ``at`` the node's wall clock, so that the hub can tell people if it is wrong. Nothing
    is decided by it.
    """

    sequence: Count
    slots_in_use: Count = 0
    outbox: Count = 0
    load: float | None = None
    loop_lag_ms: float | None = None
    round_trip_ms: float | None = None
    counters: Counters = Counters()
    at: float | None = None


class Result(Frame, tag="result", frozen=True, kw_only=True):
    """What an attempt came to. The node keeps it in the outbox, and sends it on each connect, until it is acked.

    ``value`` is any JSON text, there when the outcome is `succeeded` (left out: null); ``error`` when it is `failed`.
    ``wait_s`` from push to start, ``run_s`` from start to end, ``age_s`` from end to this sending.
    """

    task_id: TaskText
    attempt: Attempt
    outcome: Outcome
    value: Raw | UnsetType = UNSET
    error: TaskError | None = None
    wait_s: Seconds = 0.0
    run_s: Seconds = 0.0
    age_s: Seconds = 0.0


class Progress(Frame, tag="progress", frozen=True, kw_only=True):
    """How far an attempt is. Lossy: the latest wins, and none is stored."""

    task_id: Identifier
    attempt: Attempt
    done: float
    total: float | None = None
    message: ShortText = ""


class Log(Frame, tag="log", frozen=True, kw_only=True):
    """Lines that handlers logged. Lossy: ``dropped`` says how many did not fit since the last `log`."""

    lines: Annotated[list[LogLine], Meta(max_length=limits.LOG_LINES_PER_FRAME_MAX)]
    dropped: Count = 0


class Drain(Frame, tag="drain", frozen=True, kw_only=True):
    """The node finishes what runs and wants nothing new."""

    reason: ShortText = ""


class Bye(Frame, tag="bye", frozen=True, kw_only=True):
    """The node leaves for good: nothing runs, nothing waits in the outbox. The hub answers by closing with 1000."""

    reason: ShortText = ""


# --- hub to node ---------------------------------------------------------------------------------------------------


class Registered(Frame, tag="registered", frozen=True, kw_only=True):
    """The session is open. ``verdicts`` and, for what has to be pushed again, `task` frames follow at once.

    ``spread_s``: after a disconnect the node waits a time drawn evenly from 0 to this before its first dial.
    """

    session_id: Identifier
    hub_id: Identifier
    version: str = ""
    heartbeat_s: Seconds
    spread_s: Seconds
    limits: HubLimits = HubLimits()


class Resumed(Frame, tag="resumed", frozen=True, kw_only=True):
    """The session goes on; otherwise as `registered`."""

    session_id: Identifier
    hub_id: Identifier
    version: str = ""
    heartbeat_s: Seconds
    spread_s: Seconds
    limits: HubLimits = HubLimits()


class UnknownSession(Frame, tag="unknown_session", frozen=True, kw_only=True):
    """The hub does not know this session: back off, then `register`. The hub closes with 4004."""

    session_id: Identifier


class Refused(Frame, tag="refused", frozen=True, kw_only=True):
    """The registration is refused. The hub closes with 4005.

    ``code``: `instance_conflict` (another live process uses this node id), `not_allowed` (the token is for another
    node), `too_many_nodes`, `degraded` (the store takes no commits). ``retry_after_s`` says when to come back;
    ``fatal`` that only a person can help: the node parks, keeps running what runs, and says so.
    """

    code: Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]
    message: ShortText
    remedy: ShortText = ""
    retry_after_s: Seconds | None = None
    fatal: bool = False


class Task(Frame, tag="task", frozen=True, kw_only=True):
    """Run this attempt. Pushed again, as the same attempt, if the node's next inventory does not name it.

    A node that holds ``(task_id, attempt)`` already ignores it. ``payload`` is a JSON object of the handler's named
    parameters. ``lease_s``: stop the attempt when no heartbeat that was sent within this time has been acknowledged.
    """

    task_id: TaskText
    attempt: Attempt
    name: TaskText
    payload: Raw
    timeout_s: Seconds | None = None
    lease_s: Seconds


class Cancel(Frame, tag="cancel", frozen=True, kw_only=True):
    """Stop this attempt and answer with a `result` (`cancelled`, or what it came to before it could be stopped)."""

    task_id: Identifier
    attempt: Attempt
    reason: ShortText = ""


class Ack(Frame, tag="ack", frozen=True, kw_only=True):
    """These results are committed, or will never be wanted: the outbox may forget them."""

    attempts: Annotated[list[tuple[TaskText, Attempt]], Meta(max_length=2 * limits.SLOTS_MAX)]


class HeartbeatAck(Frame, tag="heartbeat_ack", frozen=True, kw_only=True):
    """The hub has taken note of the heartbeat ``sequence`` of this connection.

    ``spread_s``: as in `registered`, if it has changed noticeably since it was last named.
    """

    sequence: Count
    spread_s: Seconds | None = None


class Verdicts(Frame, tag="verdicts", frozen=True, kw_only=True):
    """What becomes of each attempt in the inventory that the hub has judged.

    ``keep``: go on, or send the result. ``stop``: stop it and send no result. ``forget``: drop its result unsent.
    """

    keep: AttemptKeys = []
    stop: AttemptKeys = []
    forget: AttemptKeys = []


class GoAway(Frame, tag="go_away", frozen=True, kw_only=True):
    """The hub wants the node off this connection.

    ``action`` `reconnect`: the hub stops; dial again after a time drawn evenly from 0 to ``spread_s``, and send results
    meanwhile as before. `drain`: an operator wants the node to finish what runs, say `bye`, and end.
    """

    action: Literal["reconnect", "drain"]
    spread_s: Seconds = 0.0
    reason: ShortText = ""


NodeFrame: TypeAlias = Register | Resume | Heartbeat | Result | Progress | Log | Drain | Bye
HubFrame: TypeAlias = (
    Registered | Resumed | UnknownSession | Refused | Task | Cancel | Ack | HeartbeatAck | Verdicts | GoAway
)


def frame_type(frame: Frame) -> str:
    """Give the name that stands in the field ``type`` of this frame."""
    return str(type(frame).__struct_config__.tag)
