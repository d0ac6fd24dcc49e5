"""A hub of its own for each test of the core and its rooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.harness import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """The real core with a real store in a folder of its own."""
    hub = Hub(tmp_path / "hub.db")
    yield hub
    hub.store.close()
