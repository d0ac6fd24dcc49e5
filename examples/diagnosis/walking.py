"""Walk a folder without following links, without recursion, and with a bound on everything."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from moorline import Context

StopReason: TypeAlias = Literal["entries", "files", "bytes", "matches", "time", "cancelled"]

# Time kept back from a task's timeout to hand in what was found: half an answer that says so beats none.
RESERVE_S = 1.0

# A folder that is still to be read costs one path in memory; trees that are wider than this are cut short and say so.
FOLDERS_WAITING_MAX = 100_000


@dataclass(slots=True, kw_only=True)
class Walk:
    """What a walk has seen so far, and why it ended early, if it did."""

    entries: int = 0
    folders: int = 0
    files: int = 0
    errors: int = 0
    """Folders and files that could not be read."""
    stopped_by: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A regular file."""

    path: str
    size_bytes: int


def walk_files(
    folder: Path, walk: Walk, *, entries_max: int, out_of_time: Callable[[], StopReason | None]
) -> Iterator[FoundFile]:
    """Give the regular files below a folder, and keep ``walk`` up to date.

    Symbolic links are neither followed nor given, and other file systems are not entered: both would lead out of
    what was asked for, or round in circles. Folders are read in the order of their names, so two walks of the same
    tree agree.
    """
    try:
        device = folder.stat().st_dev
    except OSError:
        walk.errors += 1
        return
    waiting = [str(folder)]
    while waiting:
        entries = _read_folder(waiting.pop(), walk)
        subfolders: list[str] = []
        for entry in entries:
            walk.entries += 1
            walk.stopped_by = "entries" if walk.entries > entries_max else out_of_time()
            if walk.stopped_by is not None:
                return
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                walk.errors += 1
                continue
            if stat.S_ISDIR(status.st_mode):
                if status.st_dev == device:
                    subfolders.append(entry.path)
            elif stat.S_ISREG(status.st_mode):
                walk.files += 1
                yield FoundFile(path=entry.path, size_bytes=status.st_size)
        if len(waiting) + len(subfolders) > FOLDERS_WAITING_MAX:
            walk.stopped_by = "entries"
            return
        waiting.extend(reversed(subfolders))


def time_keeper(context: Context) -> Callable[[], StopReason | None]:
    """Give a function that says whether the task should hand in what it has."""
    remaining_s = context.remaining_s
    end_s = None if remaining_s is None else time.monotonic() + remaining_s - RESERVE_S

    def out_of_time() -> StopReason | None:
        if end_s is not None and time.monotonic() >= end_s:
            return "time"
        return "cancelled" if context.cancelled else None

    return out_of_time


def matches(path: str, pattern: str) -> bool:
    """Tell whether the file's name matches a pattern as a shell would."""
    return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)


def shown(path: str) -> str:
    """Give a path as text that JSON can carry: bytes that are no UTF-8 are shown escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_folder(path: str, walk: Walk) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        walk.errors += 1
        return []
    walk.folders += 1
    return found
