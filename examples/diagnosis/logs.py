"""When did it say that: a search in the log files of a machine, rotated and compressed ones included."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from examples.diagnosis.validation import check_file_name_pattern, check_folder, check_integer, check_pattern
from examples.diagnosis.walking import StopReason, Walk, matches, shown, time_keeper, walk_files
from moorline import Context, task

ENTRIES_MAX = 1_000_000
FILES_MAX = 100_000
# Unpacked bytes: a small .gz may unfold to anything.
TOTAL_BYTES_MAX = 100 << 30
MATCHES_MAX = 1_000
LINE_CHARACTERS_MAX = 500
# The longest line that is looked at whole; the rest of a longer one is looked at as if it were further lines.
LINE_BYTES_MAX = 64 * 1024
# A result carries at most 256 KiB; the matches leave room for the rest.
MATCHED_BYTES_MAX = 200 * 1024
# The clock is asked once per so many lines.
CHECK_EVERY_LINES = 1_000


@dataclass(slots=True, kw_only=True)
class _Search:
    """A search under way: what it may still do, and what it has found."""

    pattern: re.Pattern[str]
    bytes_max: int
    matches_max: int
    out_of_time: Callable[[], StopReason | None]
    files: int = 0
    lines: int = 0
    bytes: int = 0
    errors: int = 0
    stopped_by: StopReason | None = None
    matches: list[dict[str, object]] = field(default_factory=list)
    matched_bytes: int = 0


@task(name="diagnosis.search_logs", isolation="process", timeout_s=300, labels={"pack": "diagnosis"})
def search_logs(
    context: Context,
    folder: str,
    pattern: str,
    file_names: str = "*.log*",
    files_max: int = 1_000,
    bytes_max: int = 1 << 30,
    matches_max: int = 100,
) -> dict[str, object]:
    """Search the lines of log files for a regular expression; files named ``*.gz`` are unpacked as they are read.

    Runs in a process of its own, because a regular expression can take for ever, and then only killing it helps.

    Args:
        context: given by the node.
        folder: an absolute path on the node.
        pattern: a regular expression (Python's ``re``), looked for anywhere in a line.
        file_names: which files, as a shell would match their names.
        files_max: read no more files than this (1-100,000).
        bytes_max: read no more unpacked bytes than this (1 byte to 100 GiB).
        matches_max: stop after so many matches (1-1,000), or when a result can carry no more.

    Returns:
        ``folder, pattern, files, lines, bytes, errors, is_complete, stopped_by`` and ``matches``: a list of ``{path,
        line, text}``, lines counted from 1, texts cut at 500 characters. ``stopped_by`` is None or ``files``,
        ``bytes``, ``matches``, ``entries``, ``time`` or ``cancelled``.

    Raises:
        ValueError: an argument makes no sense.
    """
    root = check_folder("folder", folder)
    compiled = check_pattern("pattern", pattern)
    check_file_name_pattern("file_names", file_names)
    check_integer("files_max", files_max, 1, FILES_MAX)
    check_integer("bytes_max", bytes_max, 1, TOTAL_BYTES_MAX)
    check_integer("matches_max", matches_max, 1, MATCHES_MAX)
    search = _Search(pattern=compiled, bytes_max=bytes_max, matches_max=matches_max, out_of_time=time_keeper(context))
    walk = Walk()
    for found in walk_files(root, walk, entries_max=ENTRIES_MAX, out_of_time=search.out_of_time):
        if not matches(found.path, file_names):
            continue
        if search.files >= files_max:
            search.stopped_by = "files"
            break
        search.files += 1
        _search_file(search, found.path)
        context.progress(search.files, None, f"{len(search.matches)} matches in {search.bytes / 1e6:,.0f} MB")
        if search.stopped_by is not None:
            break
    stopped_by = search.stopped_by or walk.stopped_by
    return {
        "folder": folder,
        "pattern": pattern,
        "files": search.files,
        "lines": search.lines,
        "bytes": search.bytes,
        "errors": search.errors + walk.errors,
        "is_complete": stopped_by is None,
        "stopped_by": stopped_by,
        "matches": search.matches,
    }


def _search_file(search: _Search, path: str) -> None:
    """Search one file; one that cannot be read, or is no gzip although its name says so, counts as an error."""
    try:
        with _open(path) as file:
            for number, line in enumerate(_lines(file), start=1):
                search.stopped_by = _look(search, path, number, line)
                if search.stopped_by is not None:
                    return
    except (OSError, EOFError, zlib.error):
        search.errors += 1


def _look(search: _Search, path: str, number: int, line: bytes) -> StopReason | None:
    search.lines += 1
    search.bytes += len(line)
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    matched = search.pattern.search(text)
    if matched:
        cut = _around(text, matched.start())
        search.matches.append({"path": shown(path), "line": number, "text": cut})
        # A character may take up to six bytes in JSON; 64 is for the keys around.
        search.matched_bytes += 6 * (len(path) + len(cut)) + 64
        if len(search.matches) >= search.matches_max or search.matched_bytes >= MATCHED_BYTES_MAX:
            return "matches"
    if search.bytes >= search.bytes_max:
        return "bytes"
    return search.out_of_time() if search.lines % CHECK_EVERY_LINES == 0 else None


def _around(text: str, position: int) -> str:
    """Cut a long line so that the match is to be seen."""
    if len(text) <= LINE_CHARACTERS_MAX:
        return text
    start = max(0, position - LINE_CHARACTERS_MAX // 4)
    return text[start : start + LINE_CHARACTERS_MAX]


def _open(path: str) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb")


def _lines(file: gzip.GzipFile | BufferedReader) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX):
        yield line
