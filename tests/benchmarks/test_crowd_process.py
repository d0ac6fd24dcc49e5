"""Visitors that come in, are thrown out, and come back."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.crowd_process import Tally, come_in, hold


class Guest:
    """A visitor that is let in with its second try, and stays until it is told to leave."""

    def __init__(self) -> None:
        self.tries = 0
        self.leave = asyncio.Event()

    async def enter(self) -> float | None:
        self.tries += 1
        return 0.0 if self.tries % 2 else None

    async def stay(self) -> float:
        await self.leave.wait()
        self.leave.clear()
        return 0.0


def lines(capsysbinary: pytest.CaptureFixture[bytes]) -> list[dict[str, float]]:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


async def test_a_line_is_printed_only_when_everybody_is_in(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    tally = Tally(2)
    await come_in(Guest(), tally)
    assert lines(capsysbinary) == []
    await come_in(Guest(), tally)
    (told,) = lines(capsysbinary)
    assert (told["dials"], told["failures"]) == (4, 2)


async def test_who_is_thrown_out_comes_back_and_is_counted_anew(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    guest, tally = Guest(), Tally(1)
    holding = asyncio.create_task(hold(guest, tally, asyncio.Semaphore(1)))
    guest.leave.set()
    async with asyncio.timeout(10):
        while guest.tries < 4:
            await asyncio.sleep(0)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert [told["dials"] for told in lines(capsysbinary)] == [2, 2]
