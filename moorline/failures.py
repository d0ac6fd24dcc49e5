"""How a command ends that could not do what it was asked: one table of exit codes, one place where errors get words."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Final

import click

from moorline.errors import (
    ConflictError,
    DeclarationError,
    ForbiddenError,
    HubError,
    HubUnavailableError,
    InvalidTaskError,
    MoorlineError,
    NotFoundError,
    ResultTimeoutError,
    TaskCancelled,
    TaskExpired,
    TaskFailed,
    TaskLost,
    UnauthorizedError,
)
from moorline.words import printable


class ExitCode(IntEnum):
    """What the exit status of a command means; stable, for scripts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    NOT_FOUND = 5
    CONFLICT = 6
    TIMED_OUT = 7
    NOT_DONE = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


# In the words of `moorline --help` and `docs/reference/cli.md`.
MEANINGS: Final[dict[ExitCode, str]] = {
    ExitCode.OK: "all is well",
    ExitCode.FAILED: "the task failed, or a check did",
    ExitCode.USAGE: "wrong usage or settings",
    ExitCode.UNREACHABLE: "the hub cannot be reached",
    ExitCode.REFUSED: "the hub does not allow it: no token, or not this role",
    ExitCode.NOT_FOUND: "no such task, node or token",
    ExitCode.CONFLICT: "not in its present state, or somebody else has it",
    ExitCode.TIMED_OUT: "waited long enough; the task goes on",
    ExitCode.NOT_DONE: "the task was cancelled, expired or lost",
    ExitCode.INTERRUPTED: "Ctrl-C",
}


class CommandError(click.ClickException):
    """A command that ends with ``exit_code``: one line says what is wrong, the next what to do."""

    def __init__(self, message: str, *, remedy: str = "", exit_code: ExitCode = ExitCode.FAILED) -> None:
        # Both may come from elsewhere: a handler's error can hold escape codes.
        super().__init__(printable(message))
        self.remedy = printable(remedy)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class, and reads it from the instance

    def show(self, file: IO[str] | None = None) -> None:
        """Print it on stderr."""
        super().show(file)
        if self.remedy:
            click.echo(f"  {self.remedy}", file=file, err=file is None)


_EXITS: Final[tuple[tuple[type[MoorlineError], ExitCode], ...]] = (
    (TaskFailed, ExitCode.FAILED),
    (TaskCancelled, ExitCode.NOT_DONE),
    (TaskExpired, ExitCode.NOT_DONE),
    (TaskLost, ExitCode.NOT_DONE),
    (ResultTimeoutError, ExitCode.TIMED_OUT),
    (HubUnavailableError, ExitCode.UNREACHABLE),
    (UnauthorizedError, ExitCode.REFUSED),
    (ForbiddenError, ExitCode.REFUSED),
    (InvalidTaskError, ExitCode.USAGE),
    (NotFoundError, ExitCode.NOT_FOUND),
    (ConflictError, ExitCode.CONFLICT),
    # Whatever answers there does not answer as a hub does.
    (HubError, ExitCode.UNREACHABLE),
    (DeclarationError, ExitCode.USAGE),
)

# What a hub tells programs to ask for, in the words of the command line.
_COMMANDS: Final = (("GET /v1/nodes ", "`moorline node list` "), ("GET /v1/alerts ", "`moorline alert list` "))

# What to do where the hub itself had nothing to say.
_REMEDIES: Final[tuple[tuple[type[MoorlineError], str], ...]] = (
    (TaskCancelled, "Queue it again with `moorline task retry {task_id}`."),
    (TaskExpired, "Queue it again with `moorline task retry {task_id}`, or see why it did not start in time."),
    (TaskLost, "Find out whether it had an effect, then `moorline task retry {task_id}`."),
    (
        ResultTimeoutError,
        "Look later with `moorline task get {task_id}`, or stop it with `moorline task cancel {task_id}`.",
    ),
    (HubUnavailableError, "See what is wrong with `moorline doctor`; name another hub with --url or MOORLINE_URL."),
    (UnauthorizedError, "Give a token with --token or MOORLINE_TOKEN; `moorline token create` makes one."),
    (ForbiddenError, "Use a token whose role allows it; `moorline token create --role …` makes one."),
)


def exit_code_of(error: MoorlineError) -> ExitCode:
    """Tell with which status a command ends that met this error."""
    return next((code for kind, code in _EXITS if isinstance(error, kind)), ExitCode.FAILED)


def explain(error: MoorlineError, url: str = "") -> CommandError:
    """Put an error of the client that talked to ``url`` in the words of the command line."""
    message, remedy = str(error), ""
    if isinstance(error, HubError):
        message = f"{error.where}: {error.message}" if error.where else error.message
        remedy = error.remedy
        for request, command in _COMMANDS:
            remedy = remedy.replace(request, command)
        remedy = _sentence(remedy)
        if type(error) is HubError and not error.code:
            message = f"{url} does not answer as a hub does: {message}"
            remedy = "Check --url: the HTTP API has port 8780 by default. `moorline doctor` looks closer."
    if not remedy:
        template = next((text for kind, text in _REMEDIES if isinstance(error, kind)), "")
        remedy = template.format(task_id=getattr(error, "task_id", ""))
    return CommandError(message, remedy=remedy, exit_code=exit_code_of(error))


def _sentence(text: str) -> str:
    """Make what would be right a sentence of its own; a command or a flag stays as it is to be typed."""
    if not text or text.startswith(("moorline ", "-")):
        return text
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
