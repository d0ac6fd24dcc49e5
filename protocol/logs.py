"""How hubs and nodes write their logs: one event, one line, the same fields everywhere.

For people on a terminal, JSON anywhere else. Both tell the time in the form of RFC 3339, and both keep to one line
whatever a peer put into a text. Under systemd each line begins with its priority (sd-daemon(3)), which the journal
takes off and files.

Hub and node share this, and neither may import the other: so it stands beside the wire, like `protocol.failpoints`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TextIO, TypeAlias

LogFormat: TypeAlias = Literal["auto", "human", "json"]

FORMATS: Final[tuple[LogFormat, ...]] = ("auto", "human", "json")

# What every record has; what a caller adds with `extra` is beside it.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

# syslog's priorities (RFC 5424, 6.2.1), from the level down.
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

# Characters that end a line or move a cursor, written as in a string of JSON.
_ESCAPES: Final = {code: json.dumps(chr(code))[1:-1] for code in (*range(32), 0x85, 0x2028, 0x2029)} | {0x7F: "\\u007f"}


def fields(
    *,
    node_id: str = "",
    task_id: str = "",
    attempt: int | None = None,
    session_id: str = "",
    connection: int | None = None,
    address: str = "",
    hub: str = "",
    alarm: str = "",
    alert: str = "",
) -> dict[str, object]:
    """Give what a log line is about, as ``extra``; what is empty or None is left out.

    ``connection`` is the hub's number of a socket, ``address`` a peer's, ``hub`` the address that a node dials,
    ``alarm`` the kind of a `hub.decisions.effects.Alarm`, ``alert`` the rule of an alert.
    """
    said: dict[str, object] = {
        "node_id": node_id,
        "task_id": task_id,
        "attempt": attempt,
        "session_id": session_id,
        "connection": connection,
        "address": address,
        "hub": hub,
        "alarm": alarm,
        "alert": alert,
    }
    return {name: value for name, value in said.items() if value not in {"", None}}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, then fields; of an error ``error``
    and ``traceback``.

    Args:
        always: fields of every line.
    """

    def __init__(self, always: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._always = dict(always or {})

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        said: dict[str, object] = {
            "time": _at(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in (self._always | _fields_of(record) | self._trouble(record)).items():
            # Somebody's `extra` may have a name of ours.
            said.setdefault(name, value)
        return json.dumps(said, ensure_ascii=False)

    def _trouble(self, record: logging.LogRecord) -> dict[str, object]:
        told: dict[str, object] = {}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            told["error"] = f"{type(error).__name__}: {error}"
            told["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = record.stack_info
        return told


class HumanFormatter(logging.Formatter):
    """Local time, level, logger, message, and the fields behind it. A traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        message = record.getMessage().translate(_ESCAPES)
        about = "".join(f" {name}={str(value).translate(_ESCAPES)}" for name, value in _fields_of(record).items())
        at = _at(record).astimezone().isoformat(timespec="milliseconds")
        line = f"{at} {record.levelname} {record.name}: {message}{about}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return f"{line}\n{record.stack_info}" if record.stack_info else line


class JournalFormatter(logging.Formatter):
    """What another formatter writes, with the priority before each line."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).split("\n"))


def start_logging(
    form: LogFormat,
    level: str,
    *,
    stream: TextIO | None = None,
    always: Mapping[str, object] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Log to a stream from now on, and nowhere else.

    Args:
        form: ``auto`` is ``human`` on a terminal and ``json`` elsewhere.
        level: the least level, by name.
        stream: standard error if None.
        always: fields of every line of JSON.
        environment: tells whether the stream leads to systemd's journal.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter_for(form, target, always, environment))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def formatter_for(
    form: LogFormat, stream: TextIO, always: Mapping[str, object] | None, environment: Mapping[str, str]
) -> logging.Formatter:
    """Choose the formatter; the arguments are those of `start_logging`."""
    if form == "auto":
        form = "human" if stream.isatty() else "json"
    chosen: logging.Formatter = HumanFormatter() if form == "human" else JsonFormatter(always)
    return JournalFormatter(chosen) if leads_to_journal(stream, environment) else chosen


def leads_to_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether a stream is the one that systemd connected to its journal (``JOURNAL_STREAM``, systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        # A stream of Python's own, or one that is closed.
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def announce(logger: logging.Logger, message: str, **about: object) -> None:
    """Say what whoever started this process waits for, whatever the level; on standard error if nobody set up logs."""
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, (), None, extra=dict(about))
    if logging.root.handlers:
        logging.root.handle(record)
    else:
        print(message, file=sys.stderr, flush=True)


def _at(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Give what was added to a record and can be written; libraries add objects of theirs."""
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and isinstance(value, str | int | float | bool)
    }
