-- State codes (hub/store/sqlite/codes.py): 0 scheduled, 1 queued, 2 running, 3 succeeded, 4 failed, 5 cancelled,
-- 6 expired, 7 lost, 8 parked (queued, but its concurrency key is full).
--
-- A row of `tasks` is rewritten each time its task moves, so it is kept small: what never changes and may be large stands
-- in `bodies`, what comes last in `outcomes`.

CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,            -- order of acceptance: first come, first served
    id TEXT NOT NULL,
    class_id INTEGER NOT NULL,
    state INTEGER NOT NULL,
    rank INTEGER NOT NULL,              -- minus the priority: what goes first sorts first
    attempt INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    node_id TEXT NOT NULL DEFAULT '',
    instance_id TEXT NOT NULL DEFAULT '',
    failures INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    options TEXT,                       -- JSON of what differs from the defaults, NULL if nothing does
    task_group TEXT NOT NULL DEFAULT '',
    concurrency_key TEXT,
    idempotency_key TEXT,
    due_at REAL,
    due_clock INTEGER,                  -- 0: due_at is on the steady clock, 1: on the wall clock
    deadline_at REAL,
    submitted_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    settled_at REAL,                    -- when it became final, on the steady clock: counts for retention
    run_s REAL,
    wait_s REAL
) STRICT;

CREATE UNIQUE INDEX tasks_by_id ON tasks (id);
CREATE INDEX tasks_queue ON tasks (class_id, rank, seq) WHERE state = 1;
-- All but running and succeeded: few, or on their way through; the two that every task passes pay nothing for it.
CREATE INDEX tasks_by_state ON tasks (state, seq) WHERE state NOT IN (2, 3);
CREATE INDEX tasks_held ON tasks (node_id) WHERE held = 1;
CREATE INDEX tasks_settled ON tasks (settled_at) WHERE settled_at IS NOT NULL AND held = 0;
CREATE INDEX tasks_due ON tasks (due_clock, due_at) WHERE state = 0;
CREATE INDEX tasks_deadline ON tasks (deadline_at) WHERE deadline_at IS NOT NULL AND state IN (0, 1, 8);
CREATE UNIQUE INDEX tasks_by_idempotency_key ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX tasks_by_group ON tasks (task_group, seq) WHERE task_group <> '';
CREATE INDEX tasks_key_open ON tasks (concurrency_key, class_id, rank, seq)
    WHERE concurrency_key IS NOT NULL AND state = 1;
CREATE INDEX tasks_key_parked ON tasks (concurrency_key, class_id, rank, seq)
    WHERE concurrency_key IS NOT NULL AND state = 8;
CREATE INDEX tasks_key_held ON tasks (concurrency_key) WHERE concurrency_key IS NOT NULL AND held = 1;

CREATE TABLE bodies (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT;
CREATE TABLE outcomes (seq INTEGER PRIMARY KEY, value BLOB, error TEXT) STRICT;

-- A class aimed at one node has a negative id, so that a look at the classes that any node may serve skips them all.
CREATE TABLE classes (
    id INTEGER PRIMARY KEY,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    requires TEXT NOT NULL              -- JSON array of [key, value], sorted
) STRICT;
CREATE UNIQUE INDEX classes_by_content ON classes (target, name, requires);

CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    cordoned INTEGER NOT NULL DEFAULT 0,
    draining INTEGER NOT NULL DEFAULT 0,
    labels TEXT NOT NULL DEFAULT '{}',
    slots INTEGER NOT NULL DEFAULT 0,
    handlers TEXT NOT NULL DEFAULT '[]',
    version TEXT NOT NULL DEFAULT '',
    instance_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_seen_at REAL NOT NULL,
    last_seen_at REAL NOT NULL,
    connected_at REAL,
    connects INTEGER NOT NULL DEFAULT 0,
    disconnects INTEGER NOT NULL DEFAULT 0,
    last_disconnect_at REAL,
    last_disconnect_reason TEXT NOT NULL DEFAULT '',
    unreachable_since REAL,             -- on the steady clock
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    run_s REAL NOT NULL DEFAULT 0
) STRICT;

-- One row for each transaction: its events as a JSON array, numbered without gaps from first_id.
CREATE TABLE event_batches (
    first_id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    at REAL NOT NULL,                   -- on the steady clock
    body BLOB NOT NULL
) STRICT;

CREATE TABLE logs (
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    at REAL NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (seq, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_counts (seq INTEGER PRIMARY KEY, kept INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;

-- Results of attempts that this database never heard of, kept for a person to look at.
CREATE TABLE quarantine (
    number INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    node_id TEXT NOT NULL,
    result TEXT NOT NULL,
    at REAL NOT NULL
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    revoked_at REAL,
    node_id TEXT
) STRICT;

-- One row, changed in every transaction that changes anything: what is next, and how many tasks are in each state.
CREATE TABLE ledger (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    commits INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_event_id INTEGER NOT NULL,
    counts TEXT NOT NULL                -- JSON array by state code
) STRICT;
INSERT INTO ledger VALUES (1, 0, 0, 0, '[0,0,0,0,0,0,0,0,0]');

-- Who this database belongs to: made once, told to every node.
CREATE TABLE identity (only INTEGER PRIMARY KEY CHECK (only = 1), hub_id TEXT NOT NULL) STRICT;
INSERT INTO identity VALUES (1, 'hub-' || lower(hex(randomblob(8))));
