"""Everything that can go wrong between a program and its hub: one base, a leaf for each thing the caller can do."""

from __future__ import annotations


class MoorlineError(Exception):
    """Base of all errors of this package."""


class DeclarationError(MoorlineError):
    """A task is declared wrongly (a bad name or option, a function that cannot be a handler), or not at all. Mend the
    declaration.
    """


class TaskError(MoorlineError):
    """Base of outcomes that are not a value.

    Attributes:
        task_id: which task.
        name: its name.
        attempt: its newest attempt.
        kind: the stable word for what happened, see `docs/reference/protocol.md`.
        message: what happened, in a sentence.
        type: the class of the handler's exception, if there was one.
        remote_traceback: the frames of the handler on its node, as text, if it raised.
    """

    def __init__(
        self,
        *,
        task_id: str,
        name: str = "",
        attempt: int = 0,
        kind: str = "",
        message: str = "",
        type: str = "",  # noqa: A002  # the word of the API
        remote_traceback: str = "",
    ) -> None:
        super().__init__(task_id, kind, message)
        self.task_id = task_id
        self.name = name
        self.attempt = attempt
        self.kind = kind
        self.message = message
        self.type = type
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        what = f"{self.type}: {self.message}" if self.type else self.message or self.kind
        text = f"task {self.task_id} ({self.name or 'unnamed'}), attempt {self.attempt}: {what}"
        if self.remote_traceback:
            text += f"\n\nOn the node:\n{self.remote_traceback.rstrip()}"
        return text


class TaskFailed(TaskError):  # noqa: N818  # reads as what happened
    """The handler failed and the policy allows no more attempts. Look at `remote_traceback`."""


class TaskCancelled(TaskError):  # noqa: N818
    """Somebody cancelled the task before another outcome was committed."""


class TaskExpired(TaskError):  # noqa: N818
    """The deadline passed before the task started."""


class TaskLost(TaskError):  # noqa: N818
    """The task's node is gone and it may not be run again. Whether it had an effect is open: decide and submit anew."""


class HubError(MoorlineError):
    """Base of what a hub, or the way to it, can answer to a call.

    Attributes:
        code: the API's stable code, empty if there was no answer.
        message: what was wrong.
        remedy: what would be right.
        where: in which line or field, if it says so.
    """

    def __init__(self, message: str, *, code: str = "", remedy: str = "", where: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.where = where

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.remedy}" if self.remedy else text


class HubUnavailableError(HubError):
    """The hub could not be reached in time, or takes nothing now. Try again later.

    After a submit it is open whether the hub has the task: it may have committed it and been unable to say so.

    Attributes:
        retry_after_s: how long the hub asked to stay away, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        remedy: str = "",
        where: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, remedy=remedy, where=where)
        self.retry_after_s = retry_after_s


class UnauthorizedError(HubError):
    """There is no token, or it is unknown, revoked or expired. ``remedy`` names the role that is needed."""


class ForbiddenError(HubError):
    """The token's role does not allow this. ``remedy`` names the role that does."""


class InvalidTaskError(HubError):
    """The hub refuses what was submitted: malformed, too large, or unknown. Repeating it is pointless."""


class NotFoundError(HubError):
    """There is no such task or node."""


class ConflictError(HubError):
    """The task or node is in a state that does not allow this."""


class ResultTimeoutError(MoorlineError, TimeoutError):
    """The outcome did not come within the caller's time. The task goes on; wait again, or cancel it.

    Attributes:
        task_id: which task.
        timeout_s: how long was waited.
    """

    def __init__(self, task_id: str, timeout_s: float) -> None:
        super().__init__(task_id, timeout_s)
        self.task_id = task_id
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"task {self.task_id} has no outcome after {self.timeout_s:g} s; it goes on"
