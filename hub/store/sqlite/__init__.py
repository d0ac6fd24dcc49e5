"""The SQLite backend: one file, one writer, group commit."""

from __future__ import annotations

from hub.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
