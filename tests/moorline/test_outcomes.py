from __future__ import annotations

import pytest

from moorline import HubError, NotFoundError, TaskCancelled, TaskError, TaskExpired, TaskFailed, TaskLost
from moorline.outcomes import Forgotten, Outcome, decoded_outcome
from moorline.views import Problem


def test_an_event_with_a_value_is_whole_and_gives_it() -> None:
    outcome = decoded_outcome(b'{"task_id":"t1","state":"succeeded","value":null,"later":1}')
    assert outcome.is_whole
    assert outcome.result() is None


def test_an_event_without_its_value_is_not_whole() -> None:
    assert not decoded_outcome(b'{"task_id":"t1","state":"succeeded"}').is_whole


@pytest.mark.parametrize(
    ("state", "leaf"),
    [("failed", TaskFailed), ("cancelled", TaskCancelled), ("expired", TaskExpired), ("lost", TaskLost)],
)
def test_each_other_outcome_is_an_error_of_its_own(state: str, leaf: type[TaskError]) -> None:
    outcome = Outcome(task_id="t1", state=state, name="work", attempt=3)
    assert outcome.is_whole
    with pytest.raises(leaf) as caught:
        outcome.result()
    assert (caught.value.task_id, caught.value.name, caught.value.attempt, caught.value.kind) == (
        "t1",
        "work",
        3,
        state,
    )
    assert caught.value.message


def test_the_words_of_the_node_are_kept() -> None:
    problem = Problem(kind="error", message="no luck", type="ValueError", traceback="Traceback …")
    error = Outcome(task_id="t1", state="failed", error=problem).exception()
    assert (error.kind, error.message, error.type, error.remote_traceback) == (
        "error",
        "no luck",
        "ValueError",
        "Traceback …",
    )


def test_an_outcome_raises_a_new_error_each_time() -> None:
    outcome = Outcome(task_id="t1", state="failed")
    assert outcome.exception() is not outcome.exception()


@pytest.mark.parametrize("data", [b"[]", b"{}", b'{"task_id":"t1","state":"queued"}', b"<html>"])
def test_what_is_no_outcome_is_refused(data: bytes) -> None:
    with pytest.raises(HubError):
        decoded_outcome(data)


def test_a_forgotten_task_raises_why() -> None:
    forgotten = Forgotten(NotFoundError("gone"))
    with pytest.raises(NotFoundError, match="gone"):
        forgotten.result()
