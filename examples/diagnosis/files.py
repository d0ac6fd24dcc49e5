"""What fills this disk: the largest files under a folder."""

from __future__ import annotations

import heapq

from examples.diagnosis.validation import check_folder, check_integer
from examples.diagnosis.walking import Walk, shown, time_keeper, walk_files
from moorline import Context, task

COUNT_MAX = 500
ENTRIES_MAX = 10_000_000
# Often enough for somebody who watches, seldom enough to cost nothing.
PROGRESS_EVERY_FILES = 2_000


@task(name="diagnosis.largest_files", timeout_s=600, labels={"pack": "diagnosis"})
def largest_files(context: Context, folder: str, count: int = 20, entries_max: int = 1_000_000) -> dict[str, object]:
    """Find the largest files under a folder, in memory that depends on ``count`` alone.

    Links are not followed and other file systems not entered. What cannot be read is counted, and the rest is still
    told.

    Args:
        context: given by the node.
        folder: an absolute path on the node.
        count: how many to give (1-500).
        entries_max: look at no more than this many files and folders (1-10,000,000).

    Returns:
        ``folder, files, folders, total_bytes, errors, is_complete, stopped_by`` and ``largest``: a list of ``{path,
        size_bytes}``, the largest first. ``stopped_by`` is None or ``entries``, ``time`` or ``cancelled``.

    Raises:
        ValueError: an argument makes no sense.
    """
    root = check_folder("folder", folder)
    check_integer("count", count, 1, COUNT_MAX)
    check_integer("entries_max", entries_max, 1, ENTRIES_MAX)
    walk = Walk()
    largest: list[tuple[int, str]] = []
    total_bytes = 0
    for found in walk_files(root, walk, entries_max=entries_max, out_of_time=time_keeper(context)):
        total_bytes += found.size_bytes
        if len(largest) < count:
            heapq.heappush(largest, (found.size_bytes, found.path))
        elif found.size_bytes > largest[0][0]:
            heapq.heapreplace(largest, (found.size_bytes, found.path))
        if walk.files % PROGRESS_EVERY_FILES == 0:
            context.progress(walk.files, None, f"{walk.folders:,} folders")
    return {
        "folder": folder,
        "files": walk.files,
        "folders": walk.folders,
        "total_bytes": total_bytes,
        "errors": walk.errors,
        "is_complete": walk.stopped_by is None,
        "stopped_by": walk.stopped_by,
        "largest": [{"path": shown(path), "size_bytes": size} for size, path in sorted(largest, reverse=True)],
    }
