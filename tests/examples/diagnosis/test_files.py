from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from examples.diagnosis import checksum_tree, largest_files, search_logs
from examples.diagnosis.walking import Walk, walk_files
from tests.examples.diagnosis.contexts import Notebook, make_context


def fill(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def names(result: dict[str, Any], key: str = "largest") -> list[str]:
    return [Path(entry["path"]).name for entry in result[key]]


class TestLargestFiles:
    def test_the_largest_come_first_and_no_more_than_asked_for(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a": 10, "deep/er/b": 300, "deep/c": 200, "d": 1, "e": 250})
        result: Any = largest_files(make_context(), str(tmp_path), count=3)
        assert names(result) == ["b", "e", "c"]
        assert (result["files"], result["folders"], result["total_bytes"]) == (5, 3, 761)
        assert (result["is_complete"], result["stopped_by"], result["errors"]) == (True, None, 0)

    def test_links_are_neither_followed_nor_counted(self, tmp_path: Path) -> None:
        fill(tmp_path, {"here/a": 5, "elsewhere/big": 500})
        (tmp_path / "here" / "round").symlink_to(tmp_path)
        (tmp_path / "here" / "file").symlink_to(tmp_path / "elsewhere" / "big")
        result: Any = largest_files(make_context(), str(tmp_path / "here"))
        assert names(result) == ["a"]

    def test_sockets_and_pipes_are_passed_over(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert names(largest_files(make_context(), str(tmp_path))) == []

    def test_names_that_are_no_text_can_still_be_told(self, tmp_path: Path) -> None:
        Path(os.fsdecode(bytes(tmp_path) + b"/bad\xff")).write_bytes(b"x")
        result = largest_files(make_context(), str(tmp_path))
        assert json.dumps(result, ensure_ascii=False).encode()
        assert names(result) == ["bad\\xff"]

    def test_a_bound_on_entries_cuts_it_short_and_says_so(self, tmp_path: Path) -> None:
        fill(tmp_path, {f"f{number}": 1 for number in range(10)})
        result = largest_files(make_context(), str(tmp_path), entries_max=4)
        assert (result["files"], result["is_complete"], result["stopped_by"]) == (4, False, "entries")

    def test_cancelling_and_the_timeout_hand_in_what_there_is(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a": 1})
        assert largest_files(make_context(Notebook(cancelled=True)), str(tmp_path))["stopped_by"] == "cancelled"
        assert largest_files(make_context(timeout_s=0.5), str(tmp_path))["stopped_by"] == "time"

    def test_progress_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("examples.diagnosis.files.PROGRESS_EVERY_FILES", 2)
        fill(tmp_path, {f"f{number}": 1 for number in range(5)})
        notebook = Notebook()
        largest_files(make_context(notebook), str(tmp_path))
        assert [done for done, _, _ in notebook.progress] == [2, 4]

    @pytest.mark.parametrize(("argument", "value"), [("folder", "x"), ("count", 0), ("entries_max", 0)])
    def test_nonsense_is_refused(self, tmp_path: Path, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"folder": str(tmp_path), argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            largest_files(make_context(), **arguments)


class TestWalking:
    def test_a_folder_that_vanished_counts_as_an_error(self, tmp_path: Path) -> None:
        walk = Walk()
        found = list(walk_files(tmp_path / "gone", walk, entries_max=10, out_of_time=lambda: None))
        assert (found, walk.errors) == ([], 1)

    def test_what_vanishes_during_the_walk_is_counted_and_passed_over(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a": 1, "b": 1, "c/d": 1, "e": 1})
        walk = Walk()
        found = []
        for file in walk_files(tmp_path, walk, entries_max=100, out_of_time=lambda: None):
            found.append(Path(file.path).name)
            (tmp_path / "b").unlink(missing_ok=True)
            if found[-1] == "e":
                shutil.rmtree(tmp_path / "c")
        assert found == ["a", "e"]
        assert walk.errors == 2

    def test_a_tree_that_is_too_wide_is_cut_short(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("examples.diagnosis.walking.FOLDERS_WAITING_MAX", 2)
        fill(tmp_path, {f"{name}/f": 1 for name in "abcd"})
        walk = Walk()
        assert list(walk_files(tmp_path, walk, entries_max=100, out_of_time=lambda: None)) == []
        assert walk.stopped_by == "entries"


class TestChecksumTree:
    def test_the_checksum_of_the_tree_is_that_of_what_sha256sum_prints(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a": 3, "b": 0, "z/c": 100_000})
        result: Any = checksum_tree(make_context(), str(tmp_path))
        printed = subprocess.run(
            ["sha256sum", "a", "b", "z/c"], cwd=tmp_path, capture_output=True, check=True, timeout=10
        ).stdout
        assert result["tree_checksum"] == hashlib.sha256(printed).hexdigest()
        assert [entry["path"] for entry in result["listed"]] == ["a", "b", "z/c"]
        assert (result["files"], result["bytes"], result["is_complete"]) == (3, 100_003, True)

    @pytest.mark.parametrize("algorithm", ["sha512", "sha3_256", "blake2b", "blake2s"])
    def test_every_algorithm_offered_is_there(self, tmp_path: Path, algorithm: str) -> None:
        fill(tmp_path, {"a": 3})
        result: Any = checksum_tree(make_context(), str(tmp_path), algorithm=algorithm)
        assert result["listed"][0]["checksum"] == hashlib.new(algorithm, b"xxx").hexdigest()

    def test_bounds_end_it_and_a_part_has_no_checksum_of_the_tree(self, tmp_path: Path) -> None:
        fill(tmp_path, {f"f{number}": 10 for number in range(5)})
        by_files = checksum_tree(make_context(), str(tmp_path), files_max=2)
        by_bytes = checksum_tree(make_context(), str(tmp_path), bytes_max=35)
        assert (by_files["files"], by_files["stopped_by"], by_files["tree_checksum"]) == (2, "files", None)
        assert (by_bytes["files"], by_bytes["stopped_by"], by_bytes["tree_checksum"]) == (3, "bytes", None)

    def test_only_files_that_match_are_read_and_few_are_listed(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a.py": 1, "b.txt": 1, "c.py": 1})
        result: Any = checksum_tree(make_context(), str(tmp_path), pattern="*.py", listed_max=1)
        assert (result["files"], names(result, "listed")) == (2, ["a.py"])

    def test_a_file_that_cannot_be_read_is_counted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(tmp_path, {"a": 1, "b": 1})
        real_open = Path.open

        def refuse_a(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.name == "a":
                raise PermissionError(13, "no")
            return real_open(path, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse_a)
        result = checksum_tree(make_context(), str(tmp_path))
        assert (result["files"], result["errors"], result["is_complete"]) == (1, 1, False)

    def test_it_stops_in_the_middle_of_a_file(self, tmp_path: Path) -> None:
        class LateContext:
            """Cancelled from the third question on."""

            asked = 0
            remaining_s = None

            @property
            def cancelled(self) -> bool:
                self.asked += 1
                return self.asked > 2

        fill(tmp_path, {"large": 3 << 20})
        context: Any = LateContext()
        result = checksum_tree(context, str(tmp_path))
        assert (result["files"], result["stopped_by"]) == (0, "cancelled")

    def test_a_file_that_grows_while_it_is_read_ends_at_the_budget(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(tmp_path, {"growing": 100})
        monkeypatch.setattr("examples.diagnosis.checksums._budget_spent", lambda *arguments: None)
        assert checksum_tree(make_context(), str(tmp_path), bytes_max=50)["stopped_by"] == "bytes"

    def test_progress_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("examples.diagnosis.checksums.PROGRESS_EVERY_FILES", 2)
        fill(tmp_path, {f"f{number}": 1 for number in range(5)})
        notebook = Notebook()
        checksum_tree(make_context(notebook), str(tmp_path))
        assert [done for done, _, _ in notebook.progress] == [2, 4]

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("folder", ""),
            ("algorithm", "md5"),
            ("pattern", "/"),
            ("files_max", 0),
            ("bytes_max", 0),
            ("listed_max", -1),
        ],
    )
    def test_nonsense_is_refused(self, tmp_path: Path, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"folder": str(tmp_path), argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            checksum_tree(make_context(), **arguments)


class TestSearchLogs:
    def test_matches_come_with_file_and_line_also_from_compressed_files(self, tmp_path: Path) -> None:
        (tmp_path / "app.log").write_text("fine\nERROR one\nfine\n")
        (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(b"ERROR two\n"))
        (tmp_path / "notes.txt").write_text("ERROR three\n")
        result: Any = search_logs(make_context(), str(tmp_path), r"ERROR (\w+)")
        found = [(Path(match["path"]).name, match["line"], match["text"]) for match in result["matches"]]
        assert found == [("app.log", 2, "ERROR one"), ("app.log.1.gz", 1, "ERROR two")]
        assert (result["files"], result["lines"], result["is_complete"]) == (2, 4, True)

    @pytest.mark.parametrize(
        ("bound", "value", "reason"),
        [("files_max", 1, "files"), ("bytes_max", 8, "bytes"), ("matches_max", 2, "matches")],
    )
    def test_each_bound_ends_it_and_says_so(self, tmp_path: Path, bound: str, value: int, reason: str) -> None:
        for name in ("a.log", "b.log"):
            (tmp_path / name).write_text("one\ntwo\nthree\n")
        bounds: dict[str, Any] = {bound: value}
        result = search_logs(make_context(), str(tmp_path), "o", **bounds)
        assert (result["stopped_by"], result["is_complete"]) == (reason, False)

    def test_a_small_archive_that_unfolds_to_anything_is_bounded(self, tmp_path: Path) -> None:
        (tmp_path / "bomb.log.gz").write_bytes(gzip.compress(b"\0" * 20_000_000))
        result: Any = search_logs(make_context(), str(tmp_path), "x", bytes_max=1_000_000)
        assert result["stopped_by"] == "bytes"
        assert result["bytes"] < 1_100_000

    def test_damaged_archives_are_counted_as_errors(self, tmp_path: Path) -> None:
        (tmp_path / "a.log.gz").write_bytes(b"no archive at all")
        (tmp_path / "b.log.gz").write_bytes(gzip.compress(os.urandom(5000))[:2000])
        spoilt = bytearray(gzip.compress(b"line\n" * 5000))
        spoilt[20:30] = b"\xff" * 10
        (tmp_path / "c.log.gz").write_bytes(bytes(spoilt))
        result = search_logs(make_context(), str(tmp_path), "nothing like it")
        assert (result["files"], result["errors"]) == (3, 3)

    def test_a_long_line_is_cut_around_the_match(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_text("x" * 3000 + "NEEDLE" + "y" * 3000)
        result: Any = search_logs(make_context(), str(tmp_path), "NEEDLE")
        text = result["matches"][0]["text"]
        assert "NEEDLE" in text
        assert len(text) == 500

    def test_the_result_stays_small_whatever_matches(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_text(("\x01" * 600 + "\n") * 2000)
        result = search_logs(make_context(), str(tmp_path), ".", matches_max=1000)
        assert result["stopped_by"] == "matches"
        assert len(json.dumps(result)) < 256 * 1024

    def test_cancelling_stops_within_a_file(self, tmp_path: Path) -> None:
        class LateContext:
            asked = 0
            remaining_s = None

            @property
            def cancelled(self) -> bool:
                self.asked += 1
                return self.asked > 1

            def progress(self, *arguments: object) -> None: ...

        (tmp_path / "a.log").write_text("line\n" * 5000)
        context: Any = LateContext()
        result = search_logs(context, str(tmp_path), "x")
        assert (result["lines"], result["stopped_by"]) == (1000, "cancelled")

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("folder", "/none"),
            ("pattern", "["),
            ("file_names", "a/b"),
            ("files_max", 0),
            ("bytes_max", 0),
            ("matches_max", 5000),
        ],
    )
    def test_nonsense_is_refused(self, tmp_path: Path, argument: str, value: Any) -> None:
        arguments: dict[str, Any] = {"folder": str(tmp_path), "pattern": "x", argument: value}
        with pytest.raises(ValueError, match=f"^{argument} is "):
            search_logs(make_context(), **arguments)
