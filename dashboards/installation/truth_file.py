"""Follow the file to which nodes append one line at the start and one at the end of each run."""

from __future__ import annotations

from pathlib import Path

from dashboards.installation.truth import BadTruthLineError, TruthLine, parse_truth_line


class TruthFile:
    """Reads what has been appended since the last time. Whole lines only: half a line waits for its rest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self.lines: list[TruthLine] = []
        self.unreadable_lines = 0

    def read_new(self) -> list[TruthLine]:
        """Give the new lines, in the order of the file. A file that is not there yet has none."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                added = file.read()
        except FileNotFoundError:
            return []
        whole, newline, _ = added.rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        found = []
        for line in whole.split(b"\n") if newline else ():
            try:
                found.append(parse_truth_line(line.decode("utf-8", "replace")))
            except BadTruthLineError:
                self.unreadable_lines += 1
        self.lines += found
        return found
