from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from protocol.logs import (
    HumanFormatter,
    JournalFormatter,
    JsonFormatter,
    announce,
    fields,
    formatter_for,
    leads_to_journal,
    start_logging,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(message: str = "it %s", *arguments: object, level: int = logging.WARNING, **extra: Any) -> logging.LogRecord:
    made = logging.getLogger("hub.test").makeRecord(
        "hub.test", level, "f", 1, message, arguments or ("is so",) if "%s" in message else (), None, extra=extra
    )
    made.created = 1_800_000_000.25
    return made


def failed(message: str = "it failed") -> logging.LogRecord:
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError as error:
        made = record(message)
        made.exc_info = (type(error), error, error.__traceback__)
        return made


@pytest.fixture
def logs() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_fields_that_say_nothing_are_left_out() -> None:
    assert fields(node_id="n", attempt=0, task_id="") == {"node_id": "n", "attempt": 0}


class TestJson:
    def test_a_line_has_time_level_logger_message_and_fields(self) -> None:
        line = JsonFormatter({"node_id": "n"}).format(record(**fields(task_id="t", attempt=2)))
        assert json.loads(line) == {
            "time": "2027-01-15T08:00:00.250Z",
            "level": "warning",
            "logger": "hub.test",
            "message": "it is so",
            "node_id": "n",
            "task_id": "t",
            "attempt": 2,
        }

    def test_a_traceback_is_a_field_and_the_event_one_line(self) -> None:
        line = JsonFormatter().format(failed("two\nlines"))
        assert "\n" not in line
        said = json.loads(line)
        assert (said["message"], said["error"]) == ("two\nlines", "ZeroDivisionError: a bug")
        assert said["traceback"].startswith("Traceback (most recent call last):\n")

    def test_a_stack_is_a_field_too(self) -> None:
        made = record()
        made.stack_info = "Stack (most recent call last):\n  here"
        assert json.loads(JsonFormatter().format(made))["stack"] == made.stack_info

    def test_what_somebody_adds_does_not_replace_what_a_line_is(self) -> None:
        said = json.loads(JsonFormatter().format(record(level_of_water=3, time="noon", logger="mine")))
        assert (said["time"], said["logger"], said["level_of_water"]) == ("2027-01-15T08:00:00.250Z", "hub.test", 3)

    def test_objects_of_libraries_are_left_out(self) -> None:
        assert "websocket" not in json.loads(JsonFormatter().format(record(websocket=object())))

    def test_no_error_has_no_traceback(self) -> None:
        made = record()
        made.exc_info = (None, None, None)
        assert "traceback" not in json.loads(JsonFormatter().format(made))


class TestHuman:
    def test_a_line_begins_with_a_time_of_rfc_3339_and_ends_with_fields(self) -> None:
        line = HumanFormatter().format(record(**fields(node_id="n", attempt=1)))
        at, rest = line.split(" ", 1)
        assert datetime.fromisoformat(at).timestamp() == 1_800_000_000.25
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.250[+-]\d\d:\d\d", at)
        assert rest == "WARNING hub.test: it is so node_id=n attempt=1"

    def test_nobody_ends_a_line_or_moves_the_cursor(self) -> None:
        line = HumanFormatter().format(record("a\nb\x1b[2Jc\x7fd\u2028e", **fields(address="x\ny")))
        assert line.splitlines() == [line]
        assert line.endswith(r"a\nb\u001b[2Jc\u007fd\u2028e address=x\ny")

    def test_a_traceback_follows(self) -> None:
        lines = HumanFormatter().format(failed()).splitlines()
        assert (lines[0].endswith("it failed"), lines[1]) == (True, "Traceback (most recent call last):")
        assert lines[-1] == "ZeroDivisionError: a bug"

    def test_a_stack_follows(self) -> None:
        made = record()
        made.stack_info = "Stack:\n  here"
        assert HumanFormatter().format(made).endswith("\nStack:\n  here")


class TestJournal:
    @pytest.mark.parametrize(
        ("level", "priority"),
        [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7)],
    )
    def test_each_level_has_its_priority(self, level: int, priority: int) -> None:
        line = JournalFormatter(JsonFormatter()).format(record(level=level))
        assert line.startswith(f"<{priority}>{{")

    def test_each_line_of_a_traceback_has_the_priority(self) -> None:
        lines = JournalFormatter(HumanFormatter()).format(failed()).splitlines()
        assert len(lines) > 3
        assert all(line.startswith("<4>") for line in lines)

    def test_the_journal_is_known_by_the_stream_that_systemd_names(self, tmp_path: Path) -> None:
        with (tmp_path / "log").open("w") as stream:
            status = os.fstat(stream.fileno())
            named = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            assert leads_to_journal(stream, named)
            assert not leads_to_journal(stream, {"JOURNAL_STREAM": "1:1"})
            assert not leads_to_journal(stream, {})
            assert isinstance(formatter_for("auto", stream, None, named), JournalFormatter)

    def test_a_stream_without_a_file_does_not_lead_there(self) -> None:
        assert not leads_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:1"})


class TestChoice:
    def test_people_at_a_terminal_read_lines_and_others_json(self) -> None:
        assert isinstance(formatter_for("auto", Terminal(), None, {}), HumanFormatter)
        assert isinstance(formatter_for("auto", io.StringIO(), None, {}), JsonFormatter)

    def test_either_can_be_asked_for(self) -> None:
        assert isinstance(formatter_for("json", Terminal(), None, {}), JsonFormatter)
        assert isinstance(formatter_for("human", io.StringIO(), None, {}), HumanFormatter)

    def test_logging_goes_to_the_stream_and_nowhere_else(self, logs: None) -> None:
        first, second = io.StringIO(), io.StringIO()
        start_logging("json", "info", stream=first)
        start_logging("json", "warning", stream=second, always={"node_id": "n"}, environment={})
        logging.getLogger("x").info("not this")
        logging.getLogger("x").warning("this", extra=fields(task_id="t"))
        assert first.getvalue() == ""
        (line,) = second.getvalue().splitlines()
        said = json.loads(line)
        assert (said["message"], said["node_id"], said["task_id"]) == ("this", "n", "t")

    def test_standard_error_is_the_stream_if_none_is_given(
        self, logs: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        start_logging("json", "info", environment={})
        logging.getLogger("x").info("here")
        assert json.loads(capsys.readouterr().err)["message"] == "here"


class TestAnnouncements:
    def test_an_announcement_is_made_whatever_the_level(self, logs: None) -> None:
        stream = io.StringIO()
        start_logging("json", "critical", stream=stream, environment={})
        announce(logging.getLogger("x"), "ready: 100%", port=1)
        said = json.loads(stream.getvalue())
        assert (said["message"], said["port"], said["level"]) == ("ready: 100%", 1, "info")

    def test_it_is_made_where_nobody_set_up_logs(self, logs: None, capsys: pytest.CaptureFixture[str]) -> None:
        logging.getLogger().handlers.clear()
        announce(logging.getLogger("x"), "ready")
        assert capsys.readouterr().err == "ready\n"
