from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from moorline import Client, client
from moorline.pauses import Pauses
from tests.moorline.cli_hub import CliHub
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


@pytest.fixture(name="client")
async def _client(fake_hub: FakeHub) -> AsyncIterator[Client]:
    async with Client(fake_hub.url) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, and know no variable of Moorline's."""
    monkeypatch.chdir(tmp_path)
    for name in filter(lambda name: name.startswith("MOORLINE_"), list(os.environ)):
        monkeypatch.delenv(name)


@pytest.fixture
def hub(alone: None) -> Iterator[CliHub]:
    """A hub for commands."""
    with CliHub() as hub:
        yield hub
