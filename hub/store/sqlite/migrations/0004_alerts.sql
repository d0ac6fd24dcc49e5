-- Alerts (hub/store/alerts.py). One row for each alert, its latest episode; `told`: JSON array of channels that were
-- given a message that it fires.
CREATE TABLE alerts (
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT NOT NULL,
    value REAL,
    node_id TEXT NOT NULL,
    since_at REAL NOT NULL,
    fired_at REAL NOT NULL,
    resolved_at REAL,
    told TEXT NOT NULL,
    PRIMARY KEY (rule, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_resolved ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- Messages that are to be delivered, in the order in which they were made; delivered ones are removed.
CREATE TABLE alert_messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    made_at REAL NOT NULL,
    body TEXT NOT NULL                  -- JSON, as it is sent
) STRICT;

CREATE TABLE alert_silences (
    id TEXT PRIMARY KEY,
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    made_at REAL NOT NULL,
    until_at REAL NOT NULL,
    comment TEXT NOT NULL,
    who TEXT NOT NULL
) STRICT;
