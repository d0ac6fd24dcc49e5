"""What tasks came to, as the event stream and the API tell it, and as a waiting program gets it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from moorline.errors import HubError, MoorlineError, TaskCancelled, TaskError, TaskExpired, TaskFailed, TaskLost
from moorline.views import Problem, TaskView

_LEAVES: Final[dict[str, type[TaskError]]] = {
    "failed": TaskFailed,
    "cancelled": TaskCancelled,
    "expired": TaskExpired,
    "lost": TaskLost,
}
_SENTENCES: Final = {
    "failed": "the handler failed",
    "cancelled": "it was cancelled",
    "expired": "its deadline passed before it started",
    "lost": "its node is gone, and it may not be run again",
}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A task's final state, as an event says it. ``value`` is UNSET unless it succeeded."""

    task_id: str
    state: str
    name: str = ""
    attempt: int = 0
    error: Problem | None = None
    value: Any = UNSET

    @property
    def is_whole(self) -> bool:
        """Whether nothing has to be asked for: a value, or an outcome that has none."""
        return self.state != "succeeded" or self.value is not UNSET

    def result(self) -> Any:
        """Give the value.

        Raises:
            TaskFailed, TaskCancelled, TaskExpired, TaskLost: it has none.
        """
        if self.state == "succeeded":
            return None if self.value is UNSET else self.value
        raise self.exception()

    def exception(self) -> TaskError:
        """Give the error that stands for an outcome without a value; a new one each time, so that tracebacks do not
        pile up.
        """
        problem = self.error or Problem(kind=self.state, message=_SENTENCES[self.state])
        return _LEAVES[self.state](
            task_id=self.task_id,
            name=self.name,
            attempt=self.attempt,
            kind=problem.kind,
            message=problem.message,
            type=problem.type,
            remote_traceback=problem.traceback,
        )


class Forgotten:
    """Instead of an outcome: why none can come any more."""

    __slots__ = ("_error",)

    def __init__(self, error: MoorlineError) -> None:
        self._error = error

    def result(self) -> Any:
        """Raise the reason."""
        # Without the frames of whoever asked before.
        raise self._error.with_traceback(None)


def outcome_of(view: TaskView) -> Outcome:
    """Give the outcome of a final task that was asked for alone."""
    return Outcome(
        task_id=view.id, state=view.state, name=view.name, attempt=view.attempt, error=view.error, value=view.value
    )


_decoder: Final = msgspec.json.Decoder(Outcome)


def decoded_outcome(data: bytes) -> Outcome:
    """Give the outcome that an event's data tells. Raises HubError if it is none."""
    try:
        outcome = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise HubError(f"the hub sent an event that is none: {error}") from error
    if outcome.state != "succeeded" and outcome.state not in _LEAVES:
        raise HubError(f"the hub sent {outcome.state!r} as an outcome", remedy="upgrade moorline on this side")
    return outcome
