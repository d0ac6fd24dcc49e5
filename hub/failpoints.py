"""Where a hub can be made to die, fail or stand still: before and after each commit, and before and after each send.

What is written ahead of what is the whole promise, so each of these places has a test (`tests/faults`). How to arm
them: `protocol.failpoints`.

- ``hub.before_commit.<operation>``, ``hub.after_commit.<operation>``: around a transaction that has such an operation;
  `ASSIGN`: around one that may give a node something to do. ``error`` before it: the disk does not take it.
- ``hub.before_send.<frame>``, ``hub.after_send.<frame>``: around a message that has such a frame. ``error`` before it:
  the connection is reset.
- ``hub.before_reply.<operation>``: it is committed, and a client is about to be told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from hub.store.alerts import ForgetMessages, NoteAlerts
from hub.store.assignments import Claim, Fetch
from hub.store.attempts import Record, Release
from hub.store.contract import Operation
from hub.store.errors import StoreUnavailableError
from hub.store.history import NoteDeed
from hub.store.nodes import RegisterNode
from hub.store.submissions import Broadcast, Broadcasted, Submit, Submitted
from hub.store.sweeps import Sweep
from hub.store.wishes import Cancel, Cancelled, Revive, Revived
from protocol.failpoints import VARIABLE, Failpoints
from protocol.frames import Frame, frame_type

_COMMITS: Final[dict[type, str]] = {
    Broadcast: "broadcast",
    Cancel: "cancel",
    Claim: "claim",
    Fetch: "fetch",
    ForgetMessages: "forget",
    NoteAlerts: "alert",
    NoteDeed: "note",
    Record: "record",
    RegisterNode: "register",
    Release: "release",
    Revive: "revive",
    Submit: "submit",
    Sweep: "sweep",
}
ASSIGN: Final = "assign"
_SENDS: Final = ("ack", "cancel", "heartbeat_ack", "registered", "resumed", "task", "unknown_session")
_REPLIES: Final[dict[type, str]] = {
    Broadcasted: "broadcast",
    Cancelled: "cancel",
    Revived: "revive",
    Submitted: "submit",
}

NAMES: Final = {
    f"hub.{place}.{kind}": place.startswith("before") and place != "before_reply"
    for place, kinds in (
        ("before_commit", (*_COMMITS.values(), ASSIGN)),
        ("after_commit", (*_COMMITS.values(), ASSIGN)),
        ("before_send", _SENDS),
        ("after_send", _SENDS),
        ("before_reply", tuple(_REPLIES.values())),
    )
    for kind in kinds
}
"""Every place, and whether something can fail there."""

_FAILPOINTS: Final = Failpoints(NAMES, os.environ.get(VARIABLE, ""), prefix="hub.")


def before_commit(operations: Sequence[Operation]) -> None:
    """Say that a transaction is about to begin.

    Raises:
        StoreUnavailableError: it is to fail.
    """
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("hub.before_commit", _kinds(operations), StoreUnavailableError)


def after_commit(operations: Sequence[Operation]) -> None:
    """Say that a transaction is on the disk, and nobody knows of it yet."""
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("hub.after_commit", _kinds(operations))


def before_send(frames: Sequence[Frame]) -> None:
    """Say that frames are about to leave.

    Raises:
        ConnectionResetError: their connection is to break.
    """
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("hub.before_send", map(frame_type, frames), ConnectionResetError)


def after_send(frames: Sequence[Frame]) -> None:
    """Say that frames have left this process."""
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("hub.after_send", map(frame_type, frames))


def before_reply(answer: object) -> None:
    """Say that a client is about to be told of a commit."""
    if _FAILPOINTS.is_armed and type(answer) in _REPLIES:
        _FAILPOINTS.hit(f"hub.before_reply.{_REPLIES[type(answer)]}")


def _kinds(operations: Sequence[Operation]) -> Iterator[str]:
    for operation in operations:
        kind = _COMMITS.get(type(operation))
        if kind is not None:
            yield kind
        if getattr(operation, "offers", None):
            yield ASSIGN
