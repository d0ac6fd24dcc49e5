"""What is written beside the row of a task whose attempt did not succeed.

Its error, the group of the error, the attempt that is over. A task that succeeds does not pass here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hub.decisions.lifecycle import is_final
from hub.store.attempts import AttemptResult, Change
from hub.store.sqlite import attempts, bulk
from hub.store.sqlite.codes import STATES
from hub.store.sqlite.errors import Errors
from hub.store.sqlite.rows import StoredTask
from hub.store.sqlite.transaction import Transaction
from protocol.frames import TaskError

OUTCOME_AGAIN: Final = (
    "ON CONFLICT (seq) DO UPDATE SET value = excluded.value, error = excluded.error, error_key = excluded.error_key"
)
"""A task may come to something several times: each time replaces the one before."""

_encode = msgspec.json.Encoder().encode


class Endings:
    """What a number of changes leave behind, gathered and written together."""

    __slots__ = ("_ended", "_errors", "_outcomes")

    def __init__(self) -> None:
        self._outcomes: list[bulk.Row] = []
        self._errors: Errors | None = None
        self._ended: list[attempts.Ended] = []

    def add(self, tx: Transaction, task: StoredTask, change: Change, result: AttemptResult | None) -> None:
        """Take a change that is no success, before its task is moved."""
        why = _why(change)
        key = None if why is None or why.kind == "cancelled" else self._group(tx, task, why)
        text = None if why is None else _encode(why).decode()
        before = STATES[task.code]
        if change.error is not None:
            self._outcomes.append((task.seq, text, key))
        elif is_final(before) and change.state is not before:
            # Run again: what it came to before is no longer so.
            self._outcomes.append((task.seq, None, None))
        if task.held and not change.held:
            if why is not None and attempts.is_long(why):
                text = _encode(attempts.cut(why)).decode()
            self._ended.append(attempts.Ended(task, change, result, text))

    def write(self, tx: Transaction) -> None:
        """Store what was taken."""
        bulk.insert(tx.connection, "outcomes", "seq, error, error_key", self._outcomes, OUTCOME_AGAIN)
        if self._errors is not None:
            self._errors.write(tx.connection, tx.now.wall_s)
        attempts.write(tx, self._ended)

    def _group(self, tx: Transaction, task: StoredTask, why: TaskError) -> str:
        if self._errors is None:
            self._errors = Errors()
        return self._errors.add(tx.classes.get(task.class_id).name, task.task_id, why)


def _why(change: Change) -> TaskError | None:
    """Say why an attempt ended, or a task that had none; None if nobody said so."""
    if change.error is not None or not change.reason:
        return change.error
    return TaskError(kind="lost", message=change.reason)
