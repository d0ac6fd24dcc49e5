from __future__ import annotations

from moorline import HubError, ResultTimeoutError, TaskFailed


def test_a_failed_task_shows_what_happened_on_the_node() -> None:
    error = TaskFailed(
        task_id="t1", name="work", attempt=2, kind="error", message="no luck", type="ValueError",
        remote_traceback="Traceback …\nValueError: no luck\n",
    )  # fmt: skip
    assert str(error) == (
        "task t1 (work), attempt 2: ValueError: no luck\n\nOn the node:\nTraceback …\nValueError: no luck"
    )


def test_an_outcome_without_words_shows_its_kind() -> None:
    assert str(TaskFailed(task_id="t1", kind="timeout")) == "task t1 (unnamed), attempt 0: timeout"


def test_an_answer_of_the_hub_says_where_what_and_what_would_be_right() -> None:
    assert str(HubError("it is wrong")) == "it is wrong"
    assert str(HubError("it is wrong", remedy="make it right", where="line 3")) == "line 3: it is wrong; make it right"


def test_a_timeout_of_a_wait_is_a_timeout() -> None:
    assert isinstance(ResultTimeoutError("t1", 1.5), TimeoutError)
    assert str(ResultTimeoutError("t1", 1.5)) == "task t1 has no outcome after 1.5 s; it goes on"
