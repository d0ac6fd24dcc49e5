from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hub.http.hub_under_test import HubUnderTest


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubUnderTest]:
    async with HubUnderTest(tmp_path / "hub.db") as running:
        yield running
