from __future__ import annotations

import asyncio

import pytest

from hub import calls
from hub.calls import Calls
from hub.errors import HubDegradedError, HubStoppingError


async def test_a_call_gets_its_own_answer() -> None:
    waiting = Calls()
    first, second = waiting.begin(), waiting.begin()
    waiting.answer(second, "two")
    waiting.answer(first, "one")
    assert (len(waiting), first != second) == (0, True)


async def test_who_waits_gets_the_value_or_the_exception() -> None:
    waiting = Calls()
    good, bad = waiting.begin(), waiting.begin()
    both = asyncio.gather(waiting.wait(good), waiting.wait(bad), return_exceptions=True)
    await asyncio.sleep(0)
    waiting.answer(good, 7)
    waiting.answer(bad, ValueError("broken"))
    value, error = await both
    assert value == 7
    assert isinstance(error, ValueError)
    assert len(waiting) == 0


async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    waiting = Calls()
    request = waiting.begin()
    task = asyncio.create_task(waiting.wait(request))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    waiting.answer(request, 1)
    assert len(waiting) == 0


async def test_a_commit_that_does_not_come_leaves_open_whether_it_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "COMMIT_WITHIN_S", 0.0)
    waiting = Calls()
    with pytest.raises(HubDegradedError, match="whether it happened is open: repeat it with the same id"):
        await waiting.wait(waiting.begin())
    assert len(waiting) == 0


async def test_past_the_limit_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALLS_MAX", 1)
    waiting = Calls()
    assert waiting.why_full is None
    waiting.begin()
    assert waiting.why_full == "1 calls wait already"


async def test_the_end_of_the_hub_ends_those_who_wait() -> None:
    waiting = Calls()
    future = waiting.future(waiting.begin())
    waiting.end()
    with pytest.raises(HubStoppingError):
        await future
