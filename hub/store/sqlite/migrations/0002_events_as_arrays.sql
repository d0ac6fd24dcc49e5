-- Events are stored as arrays, compressed if they are long (hub/store/sqlite/event_texts.py). Those that were stored
-- before go: a reader that had not seen them is told to read the state again, as after the end of their retention.

DELETE FROM event_batches;
