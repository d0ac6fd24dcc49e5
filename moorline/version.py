"""Which Moorline this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Give the installed version; a bare checkout has none."""
    try:
        return version("moorline")
    except PackageNotFoundError:
        return "0 (not installed)"
