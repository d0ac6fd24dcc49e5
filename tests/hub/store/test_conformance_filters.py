"""Filters of tasks: each field by example, and all of them against a model that knows the words of the reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.decisions.error_groups import fingerprint
from hub.decisions.filter_terms import TASK_FIELDS, Term
from hub.decisions.filters import parse
from hub.decisions.lifecycle import TaskState
from hub.store.submissions import Broadcast
from hub.store.task_views import TaskFilter, TaskView
from protocol.frames import AttemptKey, TaskError
from tests.hub.store.board import Board, offer, result
from tests.hub.store.conftest import BACKENDS


def listed(board: Board, text: str, limit: int = 100, **chosen: Any) -> list[str]:
    """Read all pages of a filter; give the ids."""
    asked = TaskFilter(terms=parse(text, TASK_FIELDS), at=board.wall_s, **chosen)
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = board.store.tasks(asked, limit, cursor)
        same = board.store.task_ids(asked, limit, cursor)
        assert (same.ids, same.cursor) == ([view.id for view in page.tasks], page.cursor)
        found += same.ids
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the pages never end")


def started(board: Board, task_id: str, name: str, **options: Any) -> AttemptKey:
    board.submit(board.new(task_id, name, **options), offers=[offer(handlers=[name])])
    return task_id, 1


def fill(board: Board) -> None:
    """Tasks that differ in everything that a filter can ask for, 10 s apart, oldest first."""
    timeout = TaskError(kind="timeout", message="it took longer than 5 s")
    value_error = TaskError(kind="error", type="ValueError", message='no "Größe", 100%')
    board.record(result(started(board, "ok-1", "hash", labels={"site": "berlin"}), run_s=3.0))
    board.wait(10)
    board.record(result(started(board, "slow", "Hash.File", origin="me"), "failed", error=timeout, run_s=400.0))
    board.wait(10)
    board.record(result(started(board, "bad", "work", labels={"site": "a,b", "x.y": ""}), "failed", error=value_error))
    board.wait(10)
    board.put("later", delay_s=500.0, priority=-5)
    board.wait(10)
    board.submit(board.new("runs", "resize", requires={"gpu": "h100"}, concurrency_key="k"), offers=[GPU])
    board.wait(10)
    board.put("parked", "resize", concurrency_key="k", priority=7)
    board.put("stopped", "hash")
    board.cancel("stopped")
    board.wait(10)
    board.put("waits", "other", requires={"gpu": "none", "site": "berlin"}, origin="You")


GPU = offer(node_id="n2", instance_id="i2", handlers=["resize"], labels={"gpu": "h100"})

EXAMPLES = {
    "state=failed": "bad slow",
    "state=queued,running": "waits parked runs",
    "state!=failed,succeeded": "waits stopped parked runs later",
    "state=failed state!=failed": "",
    "state=failed state=failed,lost name=work": "bad",
    "name=hash": "stopped ok-1",
    "name~hash": "stopped slow ok-1",
    "name~HASH,resize": "stopped parked runs slow ok-1",
    "name!~s": "waits later bad",
    "id=bad,nobody,runs": "runs bad",
    "id=bad id=runs": "",
    "id~a": "waits parked later bad",
    "slow": "slow",
    "HASH -1": "ok-1",
    "node=n2": "runs",
    'node=""': "waits stopped parked later",
    "node~N": "runs bad slow ok-1",
    "origin=me": "slow",
    "origin~YOU": "waits",
    'origin!=""': "waits slow",
    "group=none": "",
    "label.site=berlin": "ok-1",
    'label.site="a,b"': "bad",
    "label.site!=berlin": "waits stopped parked runs later bad slow",
    'label.site!=""': "bad ok-1",
    "label.x.y~z": "",
    "requires.gpu=h100": "runs",
    "requires.gpu~h,n": "waits runs",
    'requires.site=""': "stopped parked runs later bad slow ok-1",
    "age>=60s": "ok-1",
    "age<10s": "waits",
    "age=10s": "stopped parked",
    "attempt>0": "runs bad slow ok-1",
    "attempt!=0,1": "",
    "attempt=0,7": "waits stopped parked later",
    "priority>0": "parked",
    "priority=-5": "later",
    "run>1m": "slow",
    "run<=3s": "bad ok-1",
    "run=20s": "runs",
    "wait>5s": "parked",
    "wait=0s": "waits runs bad slow ok-1",
    "error~timeout": "slow",
    "error=ValueError": "bad",
    'error~"100%"': "bad",
    "error~GRÖßE": "",
    "error~Größe": "bad",
    'error!=""': "stopped bad slow",
    'error="" state=queued': "waits parked",
    "error!~a,e": "waits parked runs later ok-1",
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_a_filter_finds(board: Board, text: str) -> None:
    fill(board)
    expected = EXAMPLES[text].split()
    assert listed(board, text) == expected
    assert listed(board, text, 1) == expected


def test_terms_and_parameters_hold_together(board: Board) -> None:
    fill(board)
    assert listed(board, "name~hash", states=[TaskState.FAILED]) == ["slow"]
    assert listed(board, "state=failed", states=[TaskState.QUEUED]) == []
    assert listed(board, "state=failed", ids=["bad", "ok-1"]) == ["bad"]
    assert listed(board, "error~size", label=("x.y", "")) == []
    assert listed(board, "", label=("x.y", "")) == ["bad"]


def test_a_broadcast_is_found_by_its_group(board: Board) -> None:
    board.register("a", "ia", session_id="sa")
    board.register("b", "ib", session_id="sb")
    board.one(Broadcast(template=board.new("g1")))
    board.put("alone")
    assert listed(board, "group=g1") == ["g1.b", "g1.a"]
    assert listed(board, "group=g1,g2 id~a") == ["g1.a"]
    assert listed(board, 'group=""') == ["alone"]


def test_tasks_with_errors_that_are_alike_are_found_by_their_group(board: Board) -> None:
    fill(board)
    timeout = TaskError(kind="timeout", message="it took longer than 7 s")
    board.record(result(started(board, "slow-2", "Hash.File"), "failed", error=timeout))
    group = fingerprint("Hash.File", timeout).id
    assert listed(board, f"errorgroup={group}") == ["slow-2", "slow"]
    assert listed(board, f"errorgroup={group}", 1) == ["slow-2", "slow"]
    assert listed(board, f"errorgroup={group} age>30s") == ["slow"]
    assert listed(board, f'errorgroup!={group} errorgroup!=""') == ["bad"]
    assert listed(board, f"errorgroup={group},none state=failed") == ["slow-2", "slow"]
    board.revive("slow")
    assert listed(board, f"errorgroup={group}") == ["slow-2"]


@pytest.mark.parametrize("text", ["name=needle", "needle", "state=queued,running needle", "label.a=b"])
def test_a_page_of_a_filter_looks_at_a_bounded_number_of_rows(board: Board, text: str) -> None:
    board.put("needle-1", "needle", labels={"a": "b"})
    board.submit(*[board.new() for _ in range(12_000)])
    first = board.store.tasks(TaskFilter(terms=parse(text, TASK_FIELDS)), 10, None)
    assert first.tasks == []
    assert first.cursor is not None
    assert listed(board, text) == ["needle-1"]


def test_a_filter_with_many_values_looks_at_fewer_rows_and_finds_the_same(board: Board) -> None:
    board.put("needle-1", "needle")
    board.submit(*[board.new() for _ in range(2_000)])
    values = ",".join(f"x{number}" for number in range(800))
    assert listed(board, f"{values},eedle") == ["needle-1"]
    assert len(listed(board, f"name!~{values} name!~needle", limit=1_000)) == 2_000


# --- against the model ----------------------------------------------------------------------------------------------


def lowered(text: str) -> str:
    return "".join(chr(ord(letter) + 32) if "A" <= letter <= "Z" else letter for letter in text)


def texts_of(task: TaskView, term: Term) -> list[str]:
    error = task.error
    match term.field:
        case "":
            return [task.id, task.name]
        case "label":
            return [task.labels.get(term.key, "")]
        case "requires":
            return [task.requires.get(term.key, "")]
        case "error":
            return [""] if error is None else [error.kind, error.type or error.kind, error.message or error.kind]
        case "state":
            return [task.state.value]
    return [getattr(task, term.field) or ""]


def number_of(task: TaskView, field: str, at: float) -> float | None:
    ready_at = max(task.submitted_at, task.due_at or 0.0)
    match field:
        case "age":
            return at - task.submitted_at
        case "run":
            return at - task.started_at if task.state is TaskState.RUNNING and task.started_at else task.run_s
        case "wait":
            if task.state is TaskState.QUEUED:
                return max(0.0, at - ready_at)
            is_known = task.started_at is not None and task.state is not TaskState.SCHEDULED
            return max(0.0, (task.started_at or 0.0) - ready_at) if is_known else None
    number: float = getattr(task, field)
    return number


COMPARISONS: dict[str, Callable[[float, Sequence[Any]], bool]] = {
    "=": lambda number, values: number in values,
    "!=": lambda number, values: number not in values,
    ">": lambda number, values: number > values[0],
    ">=": lambda number, values: number >= values[0],
    "<": lambda number, values: number < values[0],
    "<=": lambda number, values: number <= values[0],
}


def meets(task: TaskView, term: Term, at: float) -> bool:
    if term.field in {"age", "run", "wait", "attempt", "priority"}:
        number = number_of(task, term.field, at)
        return number is not None and COMPARISONS[term.op](number, term.values)
    texts = texts_of(task, term)
    if term.op.endswith("~"):
        found = any(lowered(str(value)) in lowered(text) for value in term.values for text in texts)
    else:
        found = any(text in term.values for text in texts)
    return found != term.op.startswith("!")


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    folder: Path = tmp_path_factory.mktemp("filters")
    board = Board(BACKENDS[request.param](folder))
    fill(board)
    yield board
    board.store.close()


_words = st.sampled_from(
    ["hash", "a", "E", "n2", "berlin", "", "ü", "a,b", '"', "100%", "_", "bad", "ok-1", "error", "ValueError", "h100"]
)
_keys = st.sampled_from(["site", "gpu", "x.y", "none"])
_numbers = st.sampled_from([0.0, 1.0, 3.0, 10.0, 20.0, 60.0, 400.0, -5.0, 7.0])
_text_terms = st.builds(
    lambda field, op, values, key: Term(
        field=field, op=op, values=tuple(values), key=key if field in {"label", "requires"} else ""
    ),
    st.sampled_from(["", "id", "name", "node", "group", "origin", "label", "requires", "error"]),
    st.sampled_from(["=", "!=", "~", "!~"]),
    st.lists(_words, min_size=1, max_size=3),
    _keys,
)
_number_terms = st.builds(
    lambda field, op, values: Term(field=field, op=op, values=tuple(values[:1] if op[0] in "<>" else values)),
    st.sampled_from(["age", "run", "wait", "attempt", "priority"]),
    st.sampled_from(list(COMPARISONS)),
    st.lists(_numbers, min_size=1, max_size=3),
)
_state_terms = st.builds(
    lambda op, values: Term(field="state", op=op, values=tuple(values)),
    st.sampled_from(["=", "!="]),
    st.lists(st.sampled_from([state.value for state in TaskState]), min_size=1, max_size=4),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(terms=st.lists(_text_terms | _number_terms | _state_terms, max_size=3), limit=st.integers(1, 9))
def test_a_filter_finds_what_the_reference_says(filled: Board, terms: list[Term], limit: int) -> None:
    at = filled.wall_s
    everything = filled.store.tasks(TaskFilter(), 100, None).tasks
    expected = [task.id for task in everything if all(meets(task, term, at) for term in terms)]
    found: list[str] = []
    cursor = None
    while True:
        page = filled.store.tasks(TaskFilter(terms=terms, at=at), limit, cursor)
        found += [task.id for task in page.tasks]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == expected
