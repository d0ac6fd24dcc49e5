from __future__ import annotations

from typing import cast

import pytest

from moorline.client import Client
from moorline.errors import HubUnavailableError
from moorline.log_following import follow_logs
from moorline.views import LogLine, TaskLogs, TaskView


class Script:
    """Answers as a hub would: each step is the task's state and how many lines it has, or that the hub is away."""

    def __init__(self, *steps: tuple[str, int] | None) -> None:
        self._steps = list(steps)
        self._lines = 0

    async def get(self, task_id: str) -> TaskView:
        step = self._steps.pop(0)
        if step is None:
            raise HubUnavailableError("http://hub cannot be reached")
        state, self._lines = step
        return TaskView(id=task_id, name="add", state=state, submitted_at=1.0)

    async def logs(self, _task_id: str) -> TaskLogs:
        lines = [LogLine(at=1.0, attempt=1, level="INFO", message=str(number)) for number in range(self._lines)]
        return TaskLogs(lines=lines, dropped=7)


async def followed(*steps: tuple[str, int] | None) -> tuple[list[str], str, int]:
    told: list[str] = []
    client = cast("Client", Script(*steps))
    view, dropped = await follow_logs(client, "t1", lambda line: told.append(line.message), every_s=0.0)
    return told, view.state, dropped


async def test_each_line_is_told_once_until_the_outcome() -> None:
    steps = (("queued", 0), ("running", 2), ("running", 2), ("succeeded", 3))
    assert await followed(*steps) == (["0", "1", "2"], "succeeded", 7)


async def test_a_hub_that_goes_away_is_waited_for_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    told, state, _ = await followed(("running", 1), None, None, ("failed", 2))
    assert (told, state) == (["0", "1"], "failed")
    assert capsys.readouterr().err == "http://hub cannot be reached; it goes on when the hub is back\n"


async def test_a_hub_that_was_never_there_is_an_error() -> None:
    with pytest.raises(HubUnavailableError):
        await followed(None)
