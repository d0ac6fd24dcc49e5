"""The journal, with real SQLite, a real disk that is full, and a writer that is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from node import outbox as module
from node.errors import OutboxError
from node.journal import Entry
from node.outbox import Outbox
from protocol.frames import AttemptKey, Result, TaskError
from tests.node.fake_hub import PATIENCE_S


def entry(task_id: str, attempt: int = 1, value: bytes = b"1") -> Entry:
    return Entry(Result(task_id=task_id, attempt=attempt, outcome="succeeded", value=Raw(value)), 1234.5)


class Listener:
    """Hears what an outbox says, and waits for it."""

    def __init__(self) -> None:
        self.stored: list[AttemptKey] = []
        self.problems: list[str] = []
        self.recoveries = 0
        self._news = threading.Condition()

    def on_stored(self, keys: list[AttemptKey]) -> None:
        with self._news:
            self.stored += keys
            self._news.notify_all()

    def on_failing(self, problem: str) -> None:
        with self._news:
            self.problems.append(problem)
            self._news.notify_all()

    def on_recovered(self) -> None:
        with self._news:
            self.recoveries += 1
            self._news.notify_all()

    def wait_for(self, fact: Callable[[], bool]) -> None:
        with self._news:
            assert self._news.wait_for(fact, PATIENCE_S)

    def open(self, path: Path) -> Outbox:
        return Outbox(path, on_stored=self.on_stored, on_failing=self.on_failing, on_recovered=self.on_recovered)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite3"


@contextlib.contextmanager
def opened(path: Path, listener: Listener | None = None) -> Iterator[Outbox]:
    outbox = (listener or Listener()).open(path)
    try:
        outbox.start()
        yield outbox
    finally:
        outbox.close()


def left_in(path: Path) -> list[str]:
    outbox = Listener().open(path)
    try:
        return [item.result.task_id for item in outbox.load()]
    finally:
        outbox.close()


def test_what_was_stored_is_there_after_a_restart_in_its_order(path: Path) -> None:
    listener = Listener()
    error = TaskError(kind="error", message="no")
    failed = Entry(Result(task_id="c", attempt=3, outcome="failed", error=error), 99.0)
    with opened(path, listener) as outbox:
        outbox.put([entry("b"), entry("a")])
        outbox.put([failed])
        listener.wait_for(lambda: len(listener.stored) == 3)
    assert listener.stored == [("b", 1), ("a", 1), ("c", 3)]
    again = Listener().open(path)
    assert again.load() == [entry("b"), entry("a"), failed]
    again.close()


def test_what_was_forgotten_is_gone(path: Path) -> None:
    with opened(path) as outbox:
        outbox.put([entry("a"), entry("b")])
        outbox.forget([("a", 1), ("unknown", 1)])
    assert left_in(path) == ["b"]


def test_what_is_only_forgotten_is_deleted_soon_without_a_further_result(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORGET_WITHIN_S", 0.01)
    listener = Listener()
    with opened(path, listener) as outbox:
        outbox.put([entry("a")])
        listener.wait_for(lambda: bool(listener.stored))
        outbox.forget([("a", 1)])
        reader = sqlite3.connect(path)
        tries = threading.Event()
        while reader.execute("SELECT count(*) FROM journal").fetchone()[0]:
            tries.wait(0.01)
        reader.close()


def test_a_result_that_is_stored_twice_is_there_once(path: Path) -> None:
    with opened(path) as outbox:
        outbox.put([entry("a", value=b"1")])
        outbox.put([entry("a", value=b"2")])
    again = Listener().open(path)
    assert again.load() == [entry("a", value=b"2")]
    again.close()


def test_many_results_are_told_once_each(path: Path) -> None:
    listener = Listener()
    with opened(path, listener) as outbox:
        for number in range(3 * module.BATCH_MAX):
            outbox.put([entry(f"t{number}")])
        listener.wait_for(lambda: len(listener.stored) == 3 * module.BATCH_MAX)
    assert len(set(listener.stored)) == len(listener.stored)


def test_closing_twice_or_before_the_start_is_harmless(path: Path) -> None:
    outbox = Listener().open(path)
    outbox.close()
    outbox.close()
    with opened(path) as outbox:
        outbox.close()


WRITER = """
import sys, threading
from pathlib import Path
from node.outbox import Outbox
from tests.node.test_outbox import entry

def tell(keys):
    for task_id, _ in keys:
        sys.stdout.write(task_id + "\\n")
    sys.stdout.flush()

outbox = Outbox(Path(sys.argv[1]), on_stored=tell, on_failing=print, on_recovered=print)
outbox.start()
number = 0
while True:
    outbox.put([entry(f"t{number}")])
    number += 1
    if number % 50 == 0:
        threading.Event().wait(0.001)
"""


def test_a_writer_that_is_killed_has_lost_nothing_that_it_called_stored(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(500)]
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.read().split("\n")[:-1]
    assert set(told) <= set(left_in(path))


def limit_pages(outbox: Outbox, pages: int) -> None:
    """Fill the disk: SQLite answers with the very error of a full one."""
    outbox._journal._database.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_is_told_once_and_results_are_kept_and_told_as_stored(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S_MIN", 0.01)
    monkeypatch.setattr(module, "RETRY_S_MAX", 0.02)
    listener = Listener()
    outbox = listener.open(path)
    limit_pages(outbox, 1)
    outbox.start()
    big = b'"' + b"x" * 20_000 + b'"'
    outbox.put([entry("a", value=big)])
    listener.wait_for(lambda: listener.stored == [("a", 1)])
    outbox.put([entry("b", value=big), entry("c", value=big)])
    listener.wait_for(lambda: len(listener.stored) == 3)
    outbox.forget([("b", 1)])
    assert len(listener.problems) == 1
    assert "full" in listener.problems[0]
    limit_pages(outbox, 10_000)
    listener.wait_for(lambda: listener.recoveries == 1)
    assert listener.stored == [("a", 1), ("b", 1), ("c", 1)]
    outbox.close()
    assert left_in(path) == ["a", "c"]


def test_an_outbox_that_closes_while_the_disk_is_full_ends(path: Path) -> None:
    listener = Listener()
    outbox = listener.open(path)
    limit_pages(outbox, 1)
    outbox.start()
    outbox.put([entry("a", value=b'"' + b"x" * 20_000 + b'"')])
    listener.wait_for(lambda: bool(listener.problems))
    outbox.close()


class OddText(str):
    """A kind of text that no encoder takes: it stands for a fault of our own."""

    __slots__ = ()


def test_a_result_that_cannot_be_written_is_said_and_does_not_end_the_writer(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener()
    with opened(path, listener) as outbox:
        error = TaskError(kind="error", message=OddText("x"))
        outbox.put([Entry(Result(task_id="odd", attempt=1, outcome="failed", error=error), 1.0)])
        listener.wait_for(lambda: len(listener.problems) == 1)
        outbox.forget([("odd", 1)])
        outbox.put([entry("a")])
        listener.wait_for(lambda: listener.recoveries == 1)
    assert left_in(path) == ["a"]
    assert "unexpected" in caplog.text


def test_a_damaged_file_is_put_aside_and_a_new_one_begun(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(os.urandom(8192))
    with opened(path) as outbox:
        assert outbox.load() == []
    (aside,) = [item for item in path.parent.iterdir() if ".damaged-" in item.name]
    assert aside.stat().st_size == 8192
    assert "damaged" in caplog.text


def test_a_result_that_cannot_be_read_does_not_hide_the_others(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with opened(path) as outbox:
        outbox.put([entry("a"), entry("b")])
    database = sqlite3.connect(path)
    database.execute("UPDATE journal SET frame = x'00' WHERE task_id = 'a'")
    database.commit()
    database.close()
    assert left_in(path) == ["b"]
    assert "cannot be read" in caplog.text


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(OutboxError, match="upgrade the node"):
        Listener().open(path)


def test_a_folder_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(OutboxError, match="cannot be opened"):
        Listener().open(tmp_path / "missing" / "outbox.sqlite3")
