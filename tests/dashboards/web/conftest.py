"""Fixtures: one browser for each module, and for each test a person of its own at the module's hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.dashboards.web.browser import Visitor, running_browser, visiting
from tests.end_to_end.processes import Fleet, fleet_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A hub without tokens, and one node."""
    folder: Path = tmp_path_factory.mktemp("fleet")
    with fleet_in(folder) as fleet:
        fleet.hub.start()
        fleet.add_node("n1", "--label", "site=berlin", slots=4)
        yield fleet


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, fleet: Fleet) -> AsyncIterator[Visitor]:
    async with visiting(browser, fleet.hub.url) as person:
        yield person
