-- What the stored events take, so that they can be bounded by it (hub/store/sqlite/sweeping.py).
ALTER TABLE ledger ADD COLUMN event_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE ledger SET event_bytes = (SELECT IFNULL(SUM(LENGTH(body)), 0) FROM event_batches);
