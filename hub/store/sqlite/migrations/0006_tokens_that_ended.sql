-- When a hub first saw that a token is revoked or has run out, on its steady clock: they are kept for a while
-- (hub/store/sqlite/tokens.py).
ALTER TABLE tokens ADD COLUMN ended_s REAL;
CREATE INDEX tokens_good ON tokens (expires_at) WHERE ended_s IS NULL;
CREATE INDEX tokens_ended ON tokens (ended_s) WHERE ended_s IS NOT NULL;
