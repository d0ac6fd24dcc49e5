"""What is special to the SQLite backend: the file, its damage, a full disk, a killed process, two processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.decisions.lifecycle import TaskState
from hub.store.assignments import Claim
from hub.store.errors import StoreRefusedError, StoreUnavailableError
from hub.store.history import Deed, NodeSpan, NoteDeed, NoteSample
from hub.store.nodes import HubStarted
from hub.store.now import Now
from hub.store.sqlite import SqliteStore, migrator, settling, sweeping, watermark
from hub.store.sqlite.classes import Classes
from hub.store.sqlite.connection import PAGE_BYTES, connect_reader, snapshot, unavailable
from hub.store.sqlite.migrator import Migration, migrate, migrations
from hub.store.submissions import Submit
from hub.store.task_views import TaskFilter
from hub.store.tokens import PutToken, TokenRow
from tests.hub.decisions.test_samples import sample
from tests.hub.store.board import START_S, Board, offer

# What is kept of the past, by table.
PAST = ("samples", "node_spans", "error_groups", "past_attempts", "audit")

TOKEN = TokenRow(token_id="k", name="x", role="read", digest=b"d", created_at=1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(path, durability="full")
    yield store
    store.close()


def _filled(path: Path, tasks: int = 2000) -> None:
    """Leave a database behind that was closed well."""
    store = SqliteStore.open(path, durability="normal")
    board = Board(store)
    board.submit(*[board.new() for _ in range(tasks)])
    store.close()


def _refusal(path: Path) -> str:
    with pytest.raises(StoreRefusedError) as refused:
        SqliteStore.open(path, durability="full").close()
    return str(refused.value)


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_second_hub_is_refused_and_told_who_is_there(path: Path, store: SqliteStore) -> None:
    assert f"in use by another hub (pid {os.getpid()})" in _refusal(path)
    store.close()
    SqliteStore.open(path, durability="full").close()


def test_the_hub_keeps_its_id(path: Path, store: SqliteStore) -> None:
    store.close()
    again = SqliteStore.open(path, durability="full")
    assert again.hub_id == store.hub_id
    assert again.hub_id.startswith("hub-")
    again.close()


def test_closing_twice_is_harmless(store: SqliteStore) -> None:
    store.close()
    store.close()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "check that its folder exists" in _refusal(tmp_path / "none" / "hub.db")


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert "cannot be opened" in _refusal(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"all work and no play " * 1000)
    assert "is damaged" in _refusal(path)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE contacts (name TEXT)")
    connection.close()
    assert "another program" in _refusal(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    _filled(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_future.sql', 'x', 0)")
    connection.commit()
    connection.close()
    assert "newer version of Moorline (9999_future.sql); upgrade" in _refusal(path)


def test_a_database_with_other_pages_keeps_them_and_is_served(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 4096")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA user_version = 0")
    connection.execute("VACUUM")
    connection.close()
    _filled(path)
    store = SqliteStore.open(path, durability="full")
    assert store._writer.execute("PRAGMA page_size").fetchone() == (4096,)
    assert store.stats().tasks["queued"] == 2000
    store.close()


def test_a_new_database_has_pages_that_suit_large_payloads(path: Path) -> None:
    _filled(path)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
    connection.close()


def test_a_migration_that_has_changed_since_is_refused(path: Path) -> None:
    _filled(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE migrations SET checksum = 'x'")
    connection.commit()
    connection.close()
    assert "was made by another 0001_initial.sql" in _refusal(path)


def test_migrations_are_applied_once_in_order_and_all_or_none(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    first = Migration(1, "0001_a.sql", "CREATE TABLE a (x); -- one;\nCREATE TABLE b (y);\n")
    second = Migration(2, "0002_b.sql", "INSERT INTO a VALUES (1);\n")
    broken = Migration(3, "0003_c.sql", "INSERT INTO a VALUES (2);\nINSERT INTO nowhere VALUES (1);\n")
    migrate(connection, path, [first])
    migrate(connection, path, [first, second])
    migrate(connection, path, [first, second])
    with pytest.raises(StoreRefusedError):
        migrate(connection, path, [first, second, broken])
    assert connection.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert connection.execute("SELECT COUNT(*) FROM migrations").fetchone() == (2,)
    connection.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))
    assert all(migration.name.startswith(f"{migration.number:04d}_") for migration in migrations())
    assert migrator.APPLICATION_ID.to_bytes(4, "big") == b"MOOR"


def test_a_database_without_history_is_taken_over_with_its_nodes_as_they_are(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, path, migrations()[:2])
    columns = "id, state, instance_id, session_id, first_seen_at, last_seen_at, connected_at, last_disconnect_at"
    for values in (("here", "online", 1.0, 9.0, 5.0, None), ("away", "unreachable", 1.0, 7.0, None, 8.0)):
        node_id, state, *times = values
        statement = f"INSERT INTO nodes ({columns}, last_disconnect_reason) VALUES (?, ?, 'i', 's', ?, ?, ?, ?, 'cut')"
        connection.execute(statement, (node_id, state, *times))
    connection.execute('INSERT INTO outcomes VALUES (1, NULL, \'{"kind":"error"}\')')
    connection.close()
    store = SqliteStore.open(path, durability="full")
    assert store.node_spans("here", 0) == [NodeSpan(state="online", reason="", began_at=5.0, ended_at=None)]
    assert store.node_spans("away", 0) == [NodeSpan(state="unreachable", reason="cut", began_at=8.0, ended_at=None)]
    Board(store).register("here")
    assert len(store.node_spans("here", 0)) == 1
    store.close()


# --- damage ----------------------------------------------------------------------------------------------------------


def test_a_damaged_header_is_refused(path: Path) -> None:
    _filled(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * 64)
    assert "is damaged" in _refusal(path)


def test_damaged_pages_are_refused(path: Path) -> None:
    _filled(path)
    with path.open("r+b") as file:
        for page in range(4, 60):
            file.seek(PAGE_BYTES * page)
            file.write(b"\xff" * 512)
    assert "is damaged" in _refusal(path)


def test_a_file_that_was_cut_short_is_refused(path: Path) -> None:
    _filled(path)
    os.truncate(path, path.stat().st_size // 2 // PAGE_BYTES * PAGE_BYTES)
    assert "is damaged" in _refusal(path)


def _crashed(path: Path) -> None:
    """Leave a database behind as a killed hub does: with a -wal that holds all commits."""
    script = (
        "import os, sys; from pathlib import Path; from hub.store.sqlite import SqliteStore;"
        "from tests.hub.store.board import Board;"
        "board = Board(SqliteStore.open(Path(sys.argv[1]), durability='full'));"
        "[board.put(f'a{number}') for number in range(20)]; os.kill(os.getpid(), 9)"
    )
    process = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert process.returncode == -signal.SIGKILL


def test_a_killed_hub_leaves_all_that_it_committed(path: Path) -> None:
    _crashed(path)
    store = SqliteStore.open(path, durability="full")
    assert store.stats().tasks["queued"] == 20
    store.close()


@pytest.mark.parametrize("how", ["removed", "emptied", "damaged"])
def test_a_missing_or_damaged_write_ahead_log_is_not_served_over_in_silence(path: Path, how: str) -> None:
    _crashed(path)
    log = path.with_name("hub.db-wal")
    if how == "removed":
        log.unlink()
        path.with_name("hub.db-shm").unlink()
    elif how == "emptied":
        log.write_bytes(b"")
    else:
        place = log.stat().st_size * 3 // 4
        with log.open("r+b") as file:
            file.seek(place)
            was = file.read(64)
            file.seek(place)
            file.write(bytes(255 - byte for byte in was))
    refusal = _refusal(path)
    assert "older than what was answered" in refusal or "is damaged" in refusal
    if "older" not in refusal:
        return
    assert "delete hub.db-mark" in refusal
    path.with_name("hub.db-mark").unlink()
    SqliteStore.open(path, durability="full").close()


def test_a_mark_of_another_boot_proves_nothing_where_commits_may_be_lost_with_the_machine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore.open(path, durability="normal")
    board = Board(store)
    board.put()
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE ledger SET commits = 0")
    connection.commit()
    connection.close()
    assert "older than what was answered" in _refusal(path)
    monkeypatch.setattr(watermark, "_boot_id", lambda: b"another" * 5)
    SqliteStore.open(path, durability="normal").close()


def test_a_mark_that_cannot_be_written_at_start_is_refused(path: Path) -> None:
    path.with_name("hub.db-mark").mkdir()
    assert "hub.db-mark cannot be written" in _refusal(path)


def test_a_mark_that_cannot_be_written_later_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore.open(path, durability="full")

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    board = Board(store)
    with monkeypatch.context() as patch:
        patch.setattr("hub.store.sqlite.watermark.os.pwrite", fail)
        board.put("a")
        board.put("b")
    assert [record.message for record in caplog.records] == [f"{path}-mark is kept no longer: Input/output error"]
    store.close()
    SqliteStore.open(path, durability="full").close()


# --- a disk that fails -----------------------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_and_the_same_operations_work_later(path: Path, store: SqliteStore) -> None:
    board = Board(store)
    key = board.running("before")
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages + 5}")
    tasks = [board.new(payload=b'{"x":"' + b"y" * 2000 + b'"}', requires={"fresh": "class"}) for _ in range(100)]
    before = store.stats()
    for _ in range(2):
        with pytest.raises(StoreUnavailableError, match="no space for the database"):
            board.submit(*tasks)
    assert store.stats() == before
    assert board.end(key) == "committed"
    store._writer.execute("PRAGMA max_page_count = 1000000")
    assert len(board.submit(*tasks).accepted) == 100
    store.close()
    again = SqliteStore.open(path, durability="full")
    assert again.stats().tasks["queued"] == 100
    assert again.stats().tasks["succeeded"] == 1
    again.close()


def test_a_database_that_another_process_keeps_locked_is_unavailable(path: Path, store: SqliteStore) -> None:
    store._writer.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    board = Board(store)
    with pytest.raises(StoreUnavailableError, match="locked"):
        board.put()
    other.execute("ROLLBACK")
    other.close()
    board.put()


def test_damage_that_is_met_at_run_time_is_unavailable() -> None:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert "is damaged" in str(unavailable(error))
    other = sqlite3.OperationalError("disk I/O error")
    other.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    assert "takes no commits (disk I/O error)" in str(unavailable(other))


def test_a_closed_store_is_unavailable(store: SqliteStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.stats()


# --- a killed process ------------------------------------------------------------------------------------------------

_WORKER = """
import sys
from pathlib import Path
from hub.store.assignments import Claim
from hub.store.attempts import Record
from hub.store.submissions import Submit
from hub.store.sqlite import SqliteStore
from tests.hub.store.board import START_S, Board, offer
from tests.hub.decisions.test_samples import sample, result

board = Board(SqliteStore.open(Path(sys.argv[1]), durability="full"))
known = []
while True:
    tasks = [board.new(f"{len(known)}-{number}") for number in range(7)]
    submitted = board.submit(*tasks, offers=[offer(3)])
    known += tasks
    ended = board.record(*[result((item.task_id, item.attempt)) for item in submitted.assignments])
    for item in submitted.accepted:
        print("accepted", item.task_id)
    for item, verdict in zip(submitted.assignments, ended.verdicts):
        print(verdict, item.task_id)
    sys.stdout.flush()
"""


@pytest.mark.parametrize("lines", [1, 40, 333])
def test_a_process_killed_in_the_middle_of_commits_loses_nothing_that_it_answered(path: Path, lines: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _WORKER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.readlines()
    store = SqliteStore.open(path, durability="full")
    # A line may have been cut in the middle by the kill.
    for verdict, task_id in (line.split() for line in told if line.endswith("\n")):
        view = store.task(task_id)
        assert view is not None
        if verdict == "committed":
            assert (view.state, view.attempt, view.value) == (TaskState.SUCCEEDED, 1, b"1")
    _check_ledger(store)
    store.close()


def _check_ledger(store: SqliteStore) -> None:
    counted = [0] * 9
    for code, count in store._writer.execute("SELECT state, COUNT(*) FROM tasks GROUP BY state"):
        counted[code] = count
    assert store._writer.execute("SELECT counts FROM ledger").fetchone()[0] == str(counted).replace(" ", "")


# --- two processes ---------------------------------------------------------------------------------------------------


def test_a_token_written_beside_a_running_hub_is_seen_at_once(path: Path, store: SqliteStore) -> None:
    beside = SqliteStore.open_beside(path)
    assert beside.execute([PutToken(token=TOKEN)], Now(1.0, 1.0)).answers == [True]
    assert store.tokens() == [TOKEN]
    board = Board(store)
    board.put()
    beside.close()
    store.close()
    SqliteStore.open(path, durability="full").close()


def test_a_token_can_be_written_before_the_first_start(path: Path) -> None:
    beside = SqliteStore.open_beside(path)
    beside.execute([PutToken(token=TOKEN)], Now(1.0, 1.0))
    beside.close()
    store = SqliteStore.open(path, durability="full")
    assert store.tokens() == [TOKEN]
    store.close()


# --- inside ----------------------------------------------------------------------------------------------------------


def test_the_quarantine_is_bounded(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "QUARANTINED_MAX", 3)
    board = Board(store)
    for number in range(5):
        board.end((f"ghost{number}", 1))
    rows = store._writer.execute("SELECT task_id FROM quarantine ORDER BY number").fetchall()
    assert rows == [("ghost2",), ("ghost3",), ("ghost4",)]


def test_events_beyond_the_count_are_removed(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "EVENTS_KEPT_MAX", 3)
    board = Board(store)
    for _ in range(9):
        board.put()
    assert board.sweep(batch=2).more
    while board.sweep(batch=2).more:
        pass
    assert [event.id for event in store.events(0, 10).events] == [7, 8, 9]
    assert store.events(5, 10).missed


def test_events_beyond_the_bytes_are_removed(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(store)
    for _ in range(9):
        board.put()
    (total_bytes,) = store._reader.execute("SELECT SUM(LENGTH(body)) FROM event_batches").fetchone()
    # They differ by a digit at most.
    monkeypatch.setattr(sweeping, "EVENTS_KEPT_BYTES_MAX", total_bytes * 4 // 9)
    assert board.sweep(batch=2).more
    while board.sweep(batch=2).more:
        pass
    kept = [event.id for event in store.events(0, 10).events]
    assert kept == [6, 7, 8, 9][-len(kept) :]
    assert len(kept) in {3, 4}
    (left_bytes,) = store._reader.execute("SELECT SUM(LENGTH(body)) FROM event_batches").fetchone()
    assert store._reader.execute("SELECT event_bytes FROM ledger").fetchone()[0] == left_bytes


def test_many_more_classes_than_are_remembered_still_work(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.sqlite.classes.REMEMBERED_MAX", 4)
    board = Board(store)
    board.submit(*[board.new(f"t{number}", f"name{number}") for number in range(20)])
    assert len(board.claimed(offer(20, handlers=[f"name{number}" for number in range(20)]))) == 20


def test_a_class_that_was_rolled_back_is_not_remembered(store: SqliteStore) -> None:
    board = Board(store)
    broken = Submit(tasks=[board.new("a", "fresh"), None])  # type: ignore[list-item] # a bug of the caller, on purpose
    (failed,) = board.run(broken)
    assert isinstance(failed, AttributeError)
    board.put("b", "fresh")
    assert board.claimed(offer(handlers=["fresh"])) == ["b"]
    assert isinstance(store._classes, Classes)


def test_a_claim_passes_no_more_payload_than_fits_into_memory(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.sqlite.claiming.ASSIGNED_BYTES_MAX", 10_000)
    board = Board(store)
    board.submit(*[board.new(payload=b'{"x":"' + b"y" * 6000 + b'"}') for _ in range(5)])
    assert len(board.claim(offer(9))) == 2
    assert len(board.claim(offer(9))) == 2
    assert len(board.claim(offer(9))) == 1


def test_a_task_that_succeeds_touches_nothing_that_is_kept_of_the_past(store: SqliteStore) -> None:
    board = Board(store)
    statements: list[str] = []
    store._writer.set_trace_callback(statements.append)
    board.end(board.running())
    board.put()
    board.claim()
    board.cancel(board.put())
    assert statements
    assert not [statement for statement in statements if any(table in statement for table in PAST)]
    board.end(board.running(), "failed")
    store._writer.set_trace_callback(None)
    assert [statement for statement in statements if "past_attempts" in statement]


def test_big_queries_use_their_indexes(store: SqliteStore) -> None:
    board = Board(store)
    board.submit(*[board.new() for _ in range(100)])
    statements: list[str] = []
    store._writer.set_trace_callback(statements.append)
    store._reader.set_trace_callback(statements.append)
    board.run(Claim(offers=[offer(1)]))
    board.put(concurrency_key="k")
    board.put(concurrency_key="k")
    board.cancel("t000099")
    board.sweep()
    board.register()
    board.end(board.running(name="failing"), "failed")
    board.run(NoteDeed(deed=Deed(who="ann", role="admin", address="", action="x")), NoteSample(sample=sample(START_S)))
    board.one(HubStarted(hub_id="h"))
    store.samples(10, 0, START_S)
    store.node_spans("n", 0)
    store.errors(10)
    store.attempts("t000100")
    store.audit(10, 100)
    store.stats()
    store.nodes()
    store.tasks(TaskFilter(states=[TaskState.RUNNING, TaskState.QUEUED]), 10, None)
    store.queue_place("t000100")
    store._writer.set_trace_callback(None)
    store._reader.set_trace_callback(None)
    for statement in statements:
        if not statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            continue
        plan = [row[3] for row in store._writer.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not [
            line
            for line in plan
            if line in {"SCAN tasks", "SCAN bodies", "SCAN outcomes", *(f"SCAN {table}" for table in PAST)}
        ], statement


def test_a_snapshot_shows_one_moment_whatever_is_committed_meanwhile(store: SqliteStore, path: Path) -> None:
    board = Board(store)
    reader = connect_reader(path)

    def count() -> int:
        return int(reader.execute("SELECT COUNT(*) FROM tasks").fetchone()[0])

    with snapshot(reader):
        assert count() == 0
        board.put()
        assert count() == 0
    assert count() == 1
    with pytest.raises(sqlite3.OperationalError), snapshot(reader):
        reader.execute("SELECT nothing")
    assert not reader.in_transaction
    reader.close()
