"""What a handler may ask and say about the attempt that it carries out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable


class _ToHub(logging.Handler):
    """Give each line to the node, which brings it to the hub."""

    def __init__(self, on_log: Callable[[str, str], None]) -> None:
        super().__init__()
        self._on_log = on_log

    def emit(self, record: logging.LogRecord) -> None:
        self._on_log(record.levelname, self.format(record))


class _OfAttempt(logging.Filter):
    """Write into each line which attempt says it, for the node's own log."""

    def __init__(self, task_id: str, attempt: int) -> None:
        super().__init__()
        self._task_id = task_id
        self._attempt = attempt

    def filter(self, record: logging.LogRecord) -> bool:
        record.task_id, record.attempt = self._task_id, self._attempt
        return True


class Context:
    """One attempt, as its handler sees it. Usable from the handler's thread or task, and only while it runs.

    A handler has it if one of its parameters is annotated with it; put that parameter first, so that type checkers know
    the others.

    Attributes:
        task_id, attempt: the fencing token's two halves.
        name: the task's name.
        node_id, instance_id: where it runs.

    Args:
        task_id, attempt, name, node_id, instance_id: the attributes.
        deadline_s: when its timeout is over, on `time.monotonic`; None without a timeout.
        on_progress, on_log, is_cancelled: how the node is told and asked.
    """

    __slots__ = (
        "_deadline_s",
        "_is_cancelled",
        "_logger",
        "_on_log",
        "_on_progress",
        "attempt",
        "instance_id",
        "name",
        "node_id",
        "task_id",
    )

    def __init__(
        self,
        *,
        task_id: str,
        attempt: int,
        name: str,
        node_id: str,
        instance_id: str,
        deadline_s: float | None,
        on_progress: Callable[[float, float | None, str], None],
        on_log: Callable[[str, str], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self.task_id: str = task_id
        self.attempt: int = attempt
        self.name: str = name
        self.node_id: str = node_id
        self.instance_id: str = instance_id
        self._deadline_s = deadline_s
        self._on_progress = on_progress
        self._on_log = on_log
        self._is_cancelled = is_cancelled
        self._logger: logging.Logger | None = None

    @property
    def fencing_token(self) -> str:
        """``task_id:attempt``: different for each attempt, growing within a task.

        Give it to whatever the handler changes, so that what has seen a later attempt can refuse an earlier one. See
        docs/explanation/guarantees.md.
        """
        return f"{self.task_id}:{self.attempt}"

    @property
    def cancelled(self) -> bool:
        """Whether the handler should stop: cancelled, past its timeout, or without word from the hub for its lease."""
        return self._is_cancelled()

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the timeout, never below 0; None without a timeout."""
        if self._deadline_s is None:
            return None
        return max(0.0, self._deadline_s - time.monotonic())

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Say how far it is. Cheap and lossy: the latest wins, a few reach the hub each second."""
        self._on_progress(done, total, message)

    @property
    def logger(self) -> logging.Logger:
        """A logger whose lines reach the hub, bounded, and this process's own logging as well."""
        if self._logger is None:
            # Not registered under its name: a logger for each attempt would never be freed.
            logger = logging.Logger(f"moorline.task.{self.name}", logging.DEBUG)
            logger.parent = logging.getLogger("moorline.task")
            logger.addFilter(_OfAttempt(self.task_id, self.attempt))
            logger.addHandler(_ToHub(self._on_log))
            self._logger = logger
        return self._logger
