from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from moorline import Client, client
from moorline.pauses import Pauses
from tests.moorline.fake_hub import FakeHub


class Tries:
    """Knows each pause between two tries to reach a hub; makes them short."""

    def __init__(self) -> None:
        self.paused = asyncio.Event()

    def luck(self) -> float:
        self.paused.set()
        return 1.0

    async def until_one_failed(self) -> None:
        self.paused.clear()
        await self.paused.wait()


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Tries:
    """Shorten the pauses between tries: tests wait for facts."""
    known = Tries()
    pauses = Pauses(first_s=0.005, maximum_s=0.02, luck=known.luck)
    monkeypatch.setattr(client, "STREAM_PAUSES", pauses)
    monkeypatch.setattr(client, "SUBMIT_PAUSES", pauses)
    return known


@pytest.fixture
async def fake_hub(tries: Tries) -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
async def moorline_hub_client(fake_hub: FakeHub) -> AsyncIterator[Client]:
    async with Client(fake_hub.url) as made:
        yield made
