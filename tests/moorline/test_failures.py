from __future__ import annotations

import pytest

from moorline import errors
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
from moorline.failures import MEANINGS, ExitCode, exit_code_of, explain

EXITS = {
    TaskFailed: 1, TaskCancelled: 8, TaskExpired: 8, TaskLost: 8, HubUnavailableError: 3, UnauthorizedError: 4,
    ForbiddenError: 4, InvalidTaskError: 2, NotFoundError: 5, ConflictError: 6, ResultTimeoutError: 7, HubError: 3,
    DeclarationError: 2,
}  # fmt: skip


def make(kind: type[MoorlineError]) -> MoorlineError:
    if issubclass(kind, errors.TaskError):
        return kind(task_id="t1", name="add", attempt=1, kind="error", message="bad", type="ValueError")
    return kind("t1", 3.0) if kind is ResultTimeoutError else kind("words")


@pytest.mark.parametrize(("kind", "code"), EXITS.items())
def test_each_error_has_its_exit_status(kind: type[MoorlineError], code: int) -> None:
    assert exit_code_of(make(kind)) == code


def leaves(kind: type[MoorlineError]) -> set[type[MoorlineError]]:
    below = set(kind.__subclasses__())
    return {kind}.union(*map(leaves, below)) if below else {kind}


def test_no_error_of_the_client_is_forgotten() -> None:
    mapped = tuple(EXITS)
    ours = {kind for kind in leaves(MoorlineError) if kind.__module__ == "moorline.errors"}
    assert {kind for kind in ours if not issubclass(kind, mapped)} <= {MoorlineError, errors.TaskError}


def test_an_error_that_nobody_thought_of_ends_with_1() -> None:
    assert exit_code_of(MoorlineError("x")) == ExitCode.FAILED


def test_the_hub_s_own_remedy_comes_first() -> None:
    error = explain(
        InvalidTaskError("options.priority is 7000", code="invalid_task", remedy="an integer", where="line 3")
    )
    assert (error.message, error.remedy) == ("line 3: options.priority is 7000", "An integer.")


def test_a_remedy_that_is_a_command_stays_as_it_is_typed() -> None:
    assert explain(ForbiddenError("no", remedy="moorline token create")).remedy == "moorline token create"


def test_without_one_there_is_ours() -> None:
    assert "MOORLINE_TOKEN" in explain(UnauthorizedError("there is no token")).remedy
    assert "moorline task retry t1" in explain(make(TaskLost)).remedy


def test_what_answers_as_no_hub_does_is_named() -> None:
    error = explain(HubError("HTTP 404 without the words of a hub"), "http://h:1")
    assert error.message.startswith("http://h:1 does not answer as a hub does: HTTP 404")
    assert "moorline doctor" in error.remedy


def test_an_error_of_the_hub_with_a_code_of_its_own_is_the_hub_s() -> None:
    assert explain(HubError("odd", code="internal"), "http://h:1").message == "odd"


def test_nothing_from_elsewhere_steers_the_terminal() -> None:
    error = explain(NotFoundError("no \x1b[2J", remedy="\x1b]0;x\x07"))
    assert "\x1b" not in error.message + error.remedy


def test_each_exit_status_but_the_broken_pipe_has_a_meaning() -> None:
    assert set(ExitCode) - set(MEANINGS) == {ExitCode.BROKEN_PIPE}
