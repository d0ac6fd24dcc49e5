"""Where a node can be made to die, fail or stand still: around each frame, each handler's run and each write to disk.

Each of these places has a test (`tests/faults`). How to arm them: `protocol.failpoints`.

- ``node.before_send.<frame>``, ``node.after_send.<frame>``: around a message that has such a frame. ``error`` before
  it: the connection breaks.
- ``node.after_receive.<frame>``: such a frame came, and nothing has been done about it.
- ``node.before_start``, ``node.after_start``: around the start of attempts.
- ``node.after_end``: a handler has ended, and nothing knows of it yet.
- ``node.before_store``, ``node.after_store``: around the commit of results to the outbox; ``node.before_forget``,
  ``node.after_forget``: around the commit that drops acknowledged ones. ``error`` before: the disk does not take it.
- ``node.before_journal``, ``node.after_journal``: around the write that names this instance in the state folder, and
  the one that forgets those before it. ``error`` before: the disk does not take it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Sequence
from typing import Final, Literal

from protocol.failpoints import VARIABLE, Failpoints
from protocol.frames import Frame, frame_type

_SENDS: Final = ("bye", "drain", "heartbeat", "register", "result", "resume")
_RECEIVES: Final = ("ack", "cancel", "registered", "resumed", "task", "unknown_session")

NAMES: Final = {
    **{f"node.before_send.{kind}": True for kind in _SENDS},
    **{f"node.after_send.{kind}": False for kind in _SENDS},
    **{f"node.after_receive.{kind}": False for kind in _RECEIVES},
    "node.before_start": False,
    "node.after_start": False,
    "node.after_end": False,
    "node.before_store": True,
    "node.after_store": False,
    "node.before_forget": True,
    "node.after_forget": False,
    "node.before_journal": True,
    "node.after_journal": False,
}
"""Every place, and whether something can fail there."""

_FAILPOINTS: Final = Failpoints(NAMES, os.environ.get(VARIABLE, ""), prefix="node.")


def before_send(frames: Sequence[Frame]) -> None:
    """Say that frames are about to leave.

    Raises:
        ConnectionResetError: their connection is to break.
    """
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("node.before_send", map(frame_type, frames), ConnectionResetError)


def after_send(frames: Sequence[Frame]) -> None:
    """Say that frames have left this process."""
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("node.after_send", map(frame_type, frames))


def after_receive(frames: Sequence[Frame]) -> None:
    """Say that frames have come, and nothing has been done about them."""
    if _FAILPOINTS.is_armed:
        _FAILPOINTS.hit_each("node.after_receive", map(frame_type, frames))


def around_start(when: Literal["before", "after"]) -> None:
    """Say that attempts are about to be started, or have been."""
    _FAILPOINTS.hit(f"node.{when}_start")


def after_end() -> None:
    """Say that a handler has ended, and nothing knows of it yet."""
    _FAILPOINTS.hit("node.after_end")


def around_write(when: Literal["before", "after"], *, stores: bool, forgets: bool) -> None:
    """Say that the outbox is about to commit, or has committed, results to keep or to drop.

    Raises:
        sqlite3.OperationalError: the disk is not to take it.
    """
    if stores:
        _FAILPOINTS.hit(f"node.{when}_store", sqlite3.OperationalError)
    if forgets:
        _FAILPOINTS.hit(f"node.{when}_forget", sqlite3.OperationalError)


def around_journal(when: Literal["before", "after"]) -> None:
    """Say that the file of this state folder's instances is about to be written, or has been.

    Raises:
        OSError: the disk is not to take it.
    """
    _FAILPOINTS.hit(f"node.{when}_journal", lambda text: OSError(errno.ENOSPC, text))
