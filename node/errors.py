"""What can keep a node from starting, or from reaching its hub."""

from __future__ import annotations

from pathlib import Path


class NodeError(Exception):
    """Base of the node's own errors. The text is one sentence with its remedy, fit to be shown without a traceback."""


class SettingsError(NodeError):
    """A setting has a value that cannot work; change it and start again."""

    def __init__(self, setting: str, value: object, expected: str) -> None:
        super().__init__(setting, value, expected)
        self.setting = setting
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.setting} is {self.value!r}; expected {self.expected}"


class StateFolderError(NodeError):
    """The state folder cannot be used: it cannot be written, or belongs to something else."""


class StateFolderLockedError(StateFolderError):
    """Another live process holds the state folder: stop it, or give this node a folder of its own."""

    def __init__(self, folder: Path, holder_pid: str) -> None:
        super().__init__(folder, holder_pid)
        self.folder = folder
        self.holder_pid = holder_pid

    def __str__(self) -> str:
        return (
            f"the state folder {self.folder} is in use by process {self.holder_pid}; "
            "stop that process, or give this node its own --node-id or --state"
        )


class AppError(NodeError):
    """Base of what can be wrong with an app: a module of tasks."""


class AppNotFoundError(AppError):
    """There is no such module or file; check the spelling and the current folder."""


class AppBrokenError(AppError):
    """Importing the app raised; ``__cause__`` is what it raised."""


class AppNameTakenError(AppError):
    """The module's name belongs to Moorline or to another module; rename the file."""


class NoTasksError(AppError):
    """The module defines no task; decorate a function with ``@moorline.task``."""


class DuplicateTaskError(AppError):
    """Two different tasks have one name; give one of them another ``name=``."""


class TooManyTasksError(AppError):
    """The apps have more tasks than a node may register; give some of them to another node."""


class OutboxError(NodeError):
    """The outbox cannot be opened."""


class DialError(NodeError):
    """A hub could not be reached, or refused the connection before a session began.

    ``is_fatal``: trying again soon is pointless, a person must act. ``retry_after_s``: when the hub wants us back.
    """

    def __init__(
        self, problem: str, remedy: str = "", *, is_fatal: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy
        self.is_fatal = is_fatal
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}" if self.remedy else self.problem


class ConnectionLostError(NodeError):
    """The connection ended, for whatever reason: a disconnect like any other, and never the end of the node."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"closed with {self.code} ({self.reason})" if self.reason else f"closed with {self.code}"
