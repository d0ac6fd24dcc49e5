"""Is this tree what it should be: checksums of files, and one over them all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from examples.diagnosis.validation import check_choice, check_file_name_pattern, check_folder, check_integer
from examples.diagnosis.walking import FoundFile, StopReason, Walk, matches, shown, time_keeper, walk_files
from moorline import Context, task

ALGORITHMS = frozenset({"sha256", "sha512", "sha3_256", "blake2b", "blake2s"})
FILES_MAX = 1_000_000
ENTRIES_MAX = 10_000_000
TOTAL_BYTES_MAX = 1 << 40
# A result carries at most 256 KiB; the list of files leaves room for the rest.
LISTED_BYTES_MAX = 200 * 1024
READ_BYTES = 1 << 20
PROGRESS_EVERY_FILES = 50


class _OutOfTimeError(Exception):
    """A file was given up in its middle."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason


@task(name="diagnosis.checksum_tree", isolation="process", timeout_s=900, labels={"pack": "diagnosis"})
def checksum_tree(
    context: Context,
    folder: str,
    algorithm: str = "sha256",
    pattern: str = "*",
    files_max: int = 10_000,
    bytes_max: int = 10 << 30,
    listed_max: int = 200,
) -> dict[str, object]:
    """Compute a checksum of each file under a folder, and one of the whole tree.

    Runs in a process of its own: it keeps a processor busy, and must be stoppable at once.

    The checksum of the tree is that of one line per file, in the order of the walk (folders and files by name):
    checksum, two spaces, relative path, newline; which is what ``sha256sum`` prints. Two trees agree exactly when their
    names and contents do.

    Args:
        context: given by the node.
        folder: an absolute path on the node.
        algorithm: ``sha256``, ``sha512``, ``sha3_256``, ``blake2b`` or ``blake2s``.
        pattern: of file names, as a shell would match them.
        files_max: read no more files than this (1-1,000,000).
        bytes_max: read no more bytes than this (1 byte to 1 TiB).
        listed_max: list the checksums of the first so many files (0-1,000), as far as a result can carry.

    Returns:
        ``folder, algorithm, files, bytes, errors, is_complete, stopped_by, tree_checksum`` and ``listed``: a list of
        ``{path, size_bytes, checksum}``, relative to the folder. ``tree_checksum`` is None unless the tree was read
        whole and without errors.

    Raises:
        ValueError: an argument makes no sense.
    """
    root = check_folder("folder", folder)
    check_choice("algorithm", algorithm, ALGORITHMS)
    check_file_name_pattern("pattern", pattern)
    check_integer("files_max", files_max, 1, FILES_MAX)
    check_integer("bytes_max", bytes_max, 1, TOTAL_BYTES_MAX)
    check_integer("listed_max", listed_max, 0, 1_000)
    out_of_time = time_keeper(context)
    walk = Walk()
    tree = hashlib.new(algorithm)
    listed: list[dict[str, object]] = []
    listed_bytes = files = total_bytes = 0
    for found in walk_files(root, walk, entries_max=ENTRIES_MAX, out_of_time=out_of_time):
        if not matches(found.path, pattern):
            continue
        walk.stopped_by = _budget_spent(files, files_max, total_bytes + found.size_bytes, bytes_max)
        if walk.stopped_by is not None:
            break
        try:
            checksum, size_bytes = _checksum(found, algorithm, bytes_max - total_bytes, out_of_time)
        except OSError:
            walk.errors += 1
            continue
        except _OutOfTimeError as error:
            walk.stopped_by = error.reason
            break
        files += 1
        total_bytes += size_bytes
        relative = found.path[len(str(root)) :].lstrip("/")
        tree.update(f"{checksum}  ".encode() + relative.encode("utf-8", "surrogateescape") + b"\n")
        if len(listed) < listed_max and listed_bytes < LISTED_BYTES_MAX:
            listed.append({"path": shown(relative), "size_bytes": size_bytes, "checksum": checksum})
            # A character may take up to six bytes in JSON; 64 is for the keys around.
            listed_bytes += 6 * len(relative) + len(checksum) + 64
        if files % PROGRESS_EVERY_FILES == 0:
            context.progress(files, None, f"{total_bytes / 1e6:,.0f} MB")
    return {
        "folder": folder,
        "algorithm": algorithm,
        "files": files,
        "bytes": total_bytes,
        "errors": walk.errors,
        "is_complete": walk.stopped_by is None and walk.errors == 0,
        "stopped_by": walk.stopped_by,
        "tree_checksum": tree.hexdigest() if walk.stopped_by is None and walk.errors == 0 else None,
        "listed": listed,
    }


def _budget_spent(files: int, files_max: int, next_bytes: int, bytes_max: int) -> StopReason | None:
    if files >= files_max:
        return "files"
    return "bytes" if next_bytes > bytes_max else None


def _checksum(
    found: FoundFile, algorithm: str, bytes_max: int, out_of_time: Callable[[], StopReason | None]
) -> tuple[str, int]:
    """Give a file's checksum and how many bytes were read; a file that grows meanwhile ends the walk at its budget."""
    digest = hashlib.new(algorithm)
    size_bytes = 0
    with Path(found.path).open("rb", buffering=0) as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
            size_bytes += len(piece)
            reason = "bytes" if size_bytes > bytes_max else out_of_time()
            if reason is not None:
                raise _OutOfTimeError(reason)
    return digest.hexdigest(), size_bytes
