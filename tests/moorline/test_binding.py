from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from moorline import BadArgumentsError, Context, DeclarationError, task
from moorline.binding import bind, payload_of
from tests.moorline import sample_tasks
from tests.moorline.sample_tasks import add, anything, count_up, who_am_i

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # an annotation that cannot be resolved


def make_context() -> Context:
    return Context(
        task_id="t1",
        attempt=1,
        name="x",
        node_id="n1",
        instance_id="i1",
        deadline_s=None,
        on_progress=lambda done, total, message: None,
        on_log=lambda level, message: None,
        is_cancelled=lambda: False,
    )


def test_a_payload_becomes_named_arguments() -> None:
    assert bind(add, {"a": 1, "b": 2}, make_context()) == {"a": 1, "b": 2}


def test_the_context_is_filled_in_by_its_annotation() -> None:
    context = make_context()
    assert bind(count_up, {"total": 3}, context) == {"total": 3, "context": context}
    assert bind(who_am_i, {}, context) == {"context": context}


def test_defaults_may_be_left_out_and_keyword_parameters_take_the_rest() -> None:
    assert bind(sample_tasks.echo, {}, make_context()) == {}
    assert bind(anything, {"x": 1, "y": 2}, make_context()) == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("handler", "payload", "words"),
    [
        (add, {"a": 1}, r"missing b; the handler is add\(a: 'int', b: 'int'\)"),
        (add, {}, "missing a, b"),
        (add, {"a": 1, "b": 2, "d": 4, "c": 3}, "unexpected c, d; the handler is add"),
        (count_up, {"total": 1, "context": {}}, "unexpected context; the handler is count_up"),
    ],
)
def test_a_payload_that_does_not_fit_names_what_is_wrong_and_the_signature(
    handler: Any, payload: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadArgumentsError, match=words):
        bind(handler, payload, make_context())


def test_nobody_passes_a_context_in_by_keyword() -> None:
    @task
    def work(context: Context, **rest: object) -> None: ...

    with pytest.raises(BadArgumentsError, match="context is filled by the node"):
        bind(work, {"context": 1}, make_context())


def test_positional_arguments_are_bound_by_name_and_skip_the_context() -> None:
    @task
    def work(context: Context, a: int, b: int = 2, *, c: int = 3) -> None: ...

    assert payload_of(work, (1,), {}) == {"a": 1}
    assert payload_of(work, (1, 5), {"c": 6}) == {"a": 1, "b": 5, "c": 6}


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((1, 2, 3), {}, "3 positional arguments are too many"),
        ((1,), {"a": 1, "b": 2}, "a given twice"),
        ((1,), {}, "missing b"),
        ((1, 2), {"c": 3}, "unexpected c"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_before_it_is_sent(
    args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadArgumentsError, match=words):
        payload_of(add, args, kwargs)


def positional_only(a: int, /) -> None: ...
def starred(*numbers: int) -> None: ...


@pytest.mark.parametrize("function", [positional_only, starred])
def test_parameters_that_no_name_can_fill_are_refused_at_the_declaration(function: Callable[..., None]) -> None:
    with pytest.raises(DeclarationError, match="cannot be filled by name"):
        task(function)


def test_one_context_is_enough() -> None:
    def work(one: Context, two: Context) -> None: ...

    with pytest.raises(DeclarationError, match="2 parameters of type Context"):
        task(work)


def test_a_context_is_found_beside_an_annotation_that_cannot_be_resolved() -> None:
    @task
    def work(thing: Unknown, context: Context) -> None: ...

    context = make_context()
    assert bind(work, {"thing": 1}, context) == {"thing": 1, "context": context}
