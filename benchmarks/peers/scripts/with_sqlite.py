# mypy: ignore-errors
"""SQLite alone, the floor of what is durable: one writer, two commits for each batch of tasks.

`client` measures and prints one JSON line: a row is inserted and committed, then updated and committed, with
`synchronous=FULL`; in bulk 500 rows share each commit.
"""

import json
import sqlite3
import sys
import time
import uuid

_ROLE, _SERVER, FOLDER, *SIZES = sys.argv[1:]
BODY = json.dumps({"data": "x" * 89}, separators=(",", ":")).encode()
BATCH = 500

TABLE = "CREATE TABLE task (id TEXT PRIMARY KEY, state TEXT, payload BLOB, value BLOB, created REAL, ended REAL)"
INSERT = "INSERT INTO task VALUES (?, 'running', ?, NULL, ?, NULL)"
UPDATE = "UPDATE task SET state = 'succeeded', value = ?, ended = ? WHERE id = ? AND state = 'running'"


def batch(database, tasks):
    """Write the rows of some tasks, commit; write their ends, commit."""
    ids = [uuid.uuid4().hex for _ in range(tasks)]
    now = time.time()
    with database:
        database.executemany(INSERT, [(task, BODY, now) for task in ids])
    with database:
        database.executemany(UPDATE, [(b"null", now, task) for task in ids])


def bulk(database, tasks):
    """Do all, `BATCH` at a time."""
    for begin in range(0, tasks, BATCH):
        batch(database, min(BATCH, tasks - begin))


def client(tasks, singles, warm_up):
    """Measure both after a warm-up."""
    database = sqlite3.connect(f"{FOLDER}/floor.db")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(TABLE)
    bulk(database, warm_up)
    begun = time.perf_counter()
    bulk(database, tasks)
    seconds = time.perf_counter() - begun
    times_ms = []
    for number in range(-min(50, singles), singles):
        begun = time.perf_counter()
        batch(database, 1)
        if number >= 0:
            times_ms.append((time.perf_counter() - begun) * 1000)
    database.close()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "times_ms": times_ms}))


if __name__ == "__main__":
    client(*map(int, SIZES))
