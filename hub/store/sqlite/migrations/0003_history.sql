-- What was: counts as they stood, the states of each node, errors that are alike, attempts that are over, who did what.
-- A task that simply succeeds leaves nothing here. `*_at` are on the wall clock, for people; `kept_from` is on the
-- steady clock and counts for how long a row is kept.

CREATE TABLE samples (
    step_s INTEGER NOT NULL,
    at REAL NOT NULL,                   -- the end of the step
    kept_from REAL NOT NULL,
    body TEXT NOT NULL,                 -- JSON array (hub/decisions/samples.py)
    PRIMARY KEY (step_s, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX samples_kept ON samples (step_s, kept_from);

-- The last span of a node has no end. Numbers grow by one for each span of a node.
CREATE TABLE node_spans (
    id INTEGER PRIMARY KEY,
    node_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    began_at REAL NOT NULL,
    ended_at REAL,
    kept_from REAL                      -- when it ended
) STRICT;
CREATE UNIQUE INDEX node_spans_by_number ON node_spans (node_id, number);
CREATE INDEX node_spans_kept ON node_spans (kept_from) WHERE kept_from IS NOT NULL;

INSERT INTO node_spans (node_id, number, state, reason, began_at)
SELECT
    id, 1, state,
    CASE WHEN state IN ('unreachable', 'gone') THEN last_disconnect_reason ELSE '' END,
    IFNULL(CASE WHEN state IN ('unreachable', 'gone') THEN last_disconnect_at ELSE connected_at END, last_seen_at)
FROM nodes;

-- Errors with the same name, kind, type and place (hub/decisions/error_groups.py).
CREATE TABLE error_groups (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    place TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    last_task_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX error_groups_by_last ON error_groups (last_at);

ALTER TABLE outcomes ADD COLUMN error_key TEXT;
CREATE INDEX outcomes_by_error_key ON outcomes (error_key) WHERE error_key IS NOT NULL;

-- Attempts that nobody holds any more and that did not succeed. The one that did stands in its task's own row.
CREATE TABLE past_attempts (
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    node_id TEXT NOT NULL,
    started_at REAL,
    ended_at REAL NOT NULL,
    outcome TEXT NOT NULL,
    run_s REAL,
    error TEXT,
    PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kept_from REAL NOT NULL,
    who TEXT NOT NULL,
    role TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_kept ON audit (kept_from);
