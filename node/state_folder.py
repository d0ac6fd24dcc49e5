"""The folder that makes a node the same node after a restart: its lock, its outbox, and who held it before.

The lock is the proof on which the hub frees a dead process's attempts at once: while we hold it, every earlier holder's
process has ended. So the order is: take the lock, write the new instance id durably, and only then register. A process
that dies at any point in between leaves its id behind for the next one to name.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

from node import failpoints
from node.errors import StateFolderError, StateFolderLockedError
from protocol.limits import PREDECESSORS_MAX, is_identifier

LOCK_NAME: Final = "lock"
INSTANCES_NAME: Final = "instances"
OUTBOX_NAME: Final = "outbox.sqlite3"

# 64 random bits: an instance id is compared with the ids of one node only.
INSTANCE_ID_BYTES: Final = 8


class StateFolder:
    """A state folder that this process holds, from construction until `close`.

    Args:
        path: the folder; made if it is not there.

    Raises:
        StateFolderLockedError: another process holds it.
        StateFolderError: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = _lock(path)
            try:
                self.predecessors = _read_instances(path / INSTANCES_NAME)
                """Instances that held the folder before, oldest first, of whose death no hub has heard."""
                self.instance_id = secrets.token_hex(INSTANCE_ID_BYTES)
                """This process's own, written to the disk already."""
                _write_instances(path / INSTANCES_NAME, [*self.predecessors, self.instance_id], is_durable=True)
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            raise StateFolderError(
                f"the state folder {path} cannot be used ({error.strerror}); "
                "give one that this user may write with --state"
            ) from error

    @property
    def outbox_path(self) -> Path:
        """Where the outbox is."""
        return self.path / OUTBOX_NAME

    def forget_predecessors(self) -> None:
        """Forget earlier instances: the hub has committed that they are dead. Losing this write is harmless."""
        if self.predecessors:
            self.predecessors = []
            _write_instances(self.path / INSTANCES_NAME, [self.instance_id], is_durable=False)

    def close(self) -> None:
        """Let the folder go; twice is harmless."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _lock(folder: Path) -> int:
    lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder_pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "(unknown)"
        os.close(lock)
        raise StateFolderLockedError(folder, holder_pid) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _read_instances(path: Path) -> list[str]:
    """Give the instances named in the file. A line torn by a power cut is no instance."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    # The newest are the ones that may still hold attempts; the file stays small either way.
    return [line for line in lines if is_identifier(line)][-PREDECESSORS_MAX:]


def _write_instances(path: Path, instances: list[str], *, is_durable: bool) -> None:
    """Replace the file as a whole, so that a reader finds the old one or the new one."""
    failpoints.around_journal("before")
    draft = path.with_name(f"{path.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        file.write("".join(f"{instance}\n" for instance in instances))
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
    if is_durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    failpoints.around_journal("after")
