"""Fixtures of the faults: the fleet of the end-to-end tests."""

from tests.end_to_end.conftest import fleet

__all__ = ["fleet"]
