"""What Linux lets one do to processes, and see of them: let whole trees stand still, and read how large they are."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much one process holds."""

    memory_bytes: int
    open_files: int


def pause(pid: int) -> None:
    """Let a process and all below it stand still, as a machine that sleeps would. Harmless if it is gone."""
    # The parent first: it can start no more while its children are found.
    _signal(pid, signal.SIGSTOP)
    for child in _descendants(pid):
        _signal(child, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let them go on."""
    for child in _descendants(pid):
        _signal(child, signal.SIGCONT)
    _signal(pid, signal.SIGCONT)


def size_of(pid: int) -> Size | None:
    """Give how much a process holds; None if it is gone or nobody can say (not Linux)."""
    folder = Path("/proc") / str(pid)
    try:
        pages = int((folder / "statm").read_text().split()[1])
        return Size(memory_bytes=pages * _PAGE_BYTES, open_files=sum(1 for _ in (folder / "fd").iterdir()))
    except (OSError, IndexError, ValueError):
        return None


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in (Path("/proc") / str(pid) / "task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
