from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from moorline import Context


class Notes:
    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.cancelled = False

    def context(self, **changes: Any) -> Context:
        said: dict[str, Any] = {
            "task_id": "t1",
            "attempt": 2,
            "name": "work",
            "node_id": "n1",
            "instance_id": "i1",
            "deadline_s": None,
            "on_progress": lambda done, total, message: self.progress.append((done, total, message)),
            "on_log": lambda level, message: self.lines.append((level, message)),
            "is_cancelled": lambda: self.cancelled,
        }
        return Context(**{**said, **changes})


def test_the_fencing_token_names_task_and_attempt() -> None:
    assert Notes().context().fencing_token == "t1:2"


def test_progress_goes_to_the_node() -> None:
    notes = Notes()
    context = notes.context()
    context.progress(1)
    context.progress(2, 4, "half")
    assert notes.progress == [(1, None, ""), (2, 4, "half")]


def test_cancelled_asks_each_time() -> None:
    notes = Notes()
    context = notes.context()
    assert not context.cancelled
    notes.cancelled = True
    assert context.cancelled


def test_the_remaining_time_is_none_without_a_timeout_and_never_negative() -> None:
    assert Notes().context().remaining_s is None
    assert Notes().context(deadline_s=time.monotonic() - 5).remaining_s == 0
    remaining = Notes().context(deadline_s=time.monotonic() + 60).remaining_s
    assert remaining is not None
    assert 50 < remaining <= 60


def test_log_lines_go_to_the_node_and_to_this_process(caplog: pytest.LogCaptureFixture) -> None:
    notes = Notes()
    with caplog.at_level(logging.DEBUG):
        notes.context().logger.warning("%d left", 3)
    assert notes.lines == [("WARNING", "3 left")]
    assert [(record.name, record.message) for record in caplog.records] == [("moorline.task.work", "3 left")]


def test_a_log_line_says_which_attempt_it_is_from(caplog: pytest.LogCaptureFixture) -> None:
    context = Notes().context()
    with caplog.at_level(logging.DEBUG):
        context.logger.warning("here")
    (record,) = (vars(record) for record in caplog.records)
    assert (record["task_id"], record["attempt"]) == (context.task_id, context.attempt)


def test_the_logger_of_an_attempt_is_made_once_and_kept_nowhere() -> None:
    context = Notes().context()
    assert context.logger is context.logger
    assert "moorline.task.work" not in logging.Logger.manager.loggerDict
