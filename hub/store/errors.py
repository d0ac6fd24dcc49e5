"""What can be wrong with a store."""

from __future__ import annotations


class StoreError(Exception):
    """Base of what can be wrong with a store."""


class StoreUnavailableError(StoreError):
    """The database takes no commit now (disk full, I/O error, locked). Nothing happened; try the same again later."""


class StoreRefusedError(StoreError):
    """The database cannot be served from: damaged, from a newer version, in use by another hub. Fatal at start."""
