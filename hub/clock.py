"""The hub's two clocks as one value."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

import msgspec

from hub.store.now import Now

logger = logging.getLogger(__name__)

CLOCK_NAME: Final = "clock.json"

_BOOT_ID_PATH: Final = Path("/proc/sys/kernel/random/boot_id")


class _Kept(msgspec.Struct, frozen=True):
    """What is written down: in which boot of the machine the steady clock is ahead of the monotonic one by how much."""

    boot_id: str
    offset_s: float


class Clock:
    """Read both clocks at once.

    The steady one starts at the wall clock's value and never jumps afterwards: what is stored by it still means
    something after a restart, and no lease or pause moves when somebody sets the time.

    Args:
        offset_s: how far the steady clock is ahead of the monotonic one; None: so that it shows the wall clock's value.
    """

    def __init__(self, offset_s: float | None = None) -> None:
        self._offset_s = time.time() - time.monotonic() if offset_s is None else offset_s

    @classmethod
    def kept_in(cls, folder: Path, boot_id: str | None = None, *, last_steady_s: float = 0.0) -> Clock:
        """Give a clock that goes on where that of an earlier process stood, also if the time was set in between.

        That is known as long as the machine was not booted anew: its monotonic clock is the same. After a boot, and on
        systems that do not name their boots, the steady clock starts at the wall clock's value again; but never before
        ``last_steady_s``, the newest time that is stored by it: machines without a battery wake up in 1970, and what
        was to wait for seconds would wait for years.
        """
        boot_id = _boot_id() if boot_id is None else boot_id
        path = folder / CLOCK_NAME
        kept = _read(path)
        clock = cls(kept.offset_s) if boot_id and kept is not None and kept.boot_id == boot_id else cls()
        behind_s = last_steady_s - clock().steady_s
        if behind_s > 0:
            logger.warning("the time is %.0f s before the last that is stored; waits go on from there", behind_s)
            clock = cls(clock._offset_s + behind_s)
        found = _Kept(boot_id, clock._offset_s)
        if boot_id and found != kept:
            _write(path, found)
        return clock

    def __call__(self) -> Now:
        """Give the time."""
        return Now(time.time(), time.monotonic() + self._offset_s)


def _boot_id() -> str:
    try:
        return _BOOT_ID_PATH.read_text("ascii").strip()
    except OSError:
        return ""


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        logger.warning("the clock's file %s cannot be read and is made anew: %s", path, error)
        return None


def _write(path: Path, kept: _Kept) -> None:
    draft = path.with_name(f"{path.name}.new")
    try:
        draft.write_bytes(msgspec.json.encode(kept))
        draft.replace(path)
    except OSError as error:
        # It is needed only if the time is set while the hub is down; the store says more clearly that a disk is full.
        logger.warning("the clock's file %s cannot be written: %s", path, error.strerror)
