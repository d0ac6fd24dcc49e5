-- Nodes that are gone are kept up to a number (hub/store/sqlite/departed.py); what those that go had counted stays here,
-- so that the fleet's totals only grow.
CREATE TABLE departed (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    run_s REAL NOT NULL
) STRICT;
INSERT INTO departed VALUES (1, 0, 0, 0, 0, 0.0);

-- Those that an operator wishes something of come last.
CREATE INDEX nodes_gone ON nodes ((cordoned OR draining), unreachable_since) WHERE state = 'gone';
