"""Fixtures for tests of code that uses Moorline: a client that runs tasks in this process, without any socket.

pytest loads this module in every run, wanted or not: it imports nothing of weight until a fixture is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from moorline.testing import LocalClient, LocalSyncClient


def _async_fixture() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the decorator for async fixtures: pytest-asyncio has its own; anyio's plugin takes pytest's."""
    if find_spec("pytest_asyncio") is None:
        return pytest.fixture
    import pytest_asyncio  # noqa: PLC0415  # an optional extra; pytest has loaded it already

    return pytest_asyncio.fixture


@_async_fixture()
async def moorline_client() -> AsyncIterator[LocalClient]:
    """Give a `moorline.testing.LocalClient`: ``handle = await moorline_client.submit(add, 1, 2)``."""
    from moorline.testing import LocalClient  # noqa: PLC0415  # see above

    async with LocalClient() as client:
        yield client


@pytest.fixture
def moorline_sync_client() -> Iterator[LocalSyncClient]:
    """Give a `moorline.testing.LocalSyncClient`, for tests that are no coroutines."""
    from moorline.testing import LocalSyncClient  # noqa: PLC0415  # see above

    with LocalSyncClient() as client:
        yield client
