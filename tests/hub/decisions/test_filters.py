from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.decisions.filter_terms import NODE_FIELDS, OPS, TASK_FIELDS, Fields, Kind, Term, exactly, states_of, to_text
from hub.decisions.filters import FILTER_CHARACTERS_MAX, TERMS_MAX, FilterError, parse
from protocol.limits import is_identifier


def term(field: str, op: str, *values: object, key: str = "") -> Term:
    return Term(field=field, op=op, values=values, key=key)  # type: ignore[arg-type]


def test_terms_stand_behind_each_other_and_all_must_hold() -> None:
    assert parse("state=failed,lost name~hash  node=n1\tage>5m label.site=berlin attempt>1", TASK_FIELDS) == (
        term("state", "=", "failed", "lost"),
        term("name", "~", "hash"),
        term("node", "=", "n1"),
        term("age", ">", 300.0),
        term("label", "=", "berlin", key="site"),
        term("attempt", ">", 1.0),
    )


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_nothing_is_a_filter_without_terms(text: str) -> None:
    assert parse(text, TASK_FIELDS) == ()


@pytest.mark.parametrize("op", ["=", "!=", "~", "!~"])
def test_operators_of_texts(op: str) -> None:
    assert parse(f"name{op}a", TASK_FIELDS) == (term("name", op, "a"),)


@pytest.mark.parametrize("op", ["=", "!=", ">", ">=", "<", "<="])
def test_operators_of_numbers_and_spans(op: str) -> None:
    assert parse(f"attempt{op}2 run{op}1.5h", TASK_FIELDS) == (term("attempt", op, 2.0), term("run", op, 5400.0))


def test_a_bare_word_is_looked_for_in_id_and_name() -> None:
    assert parse('resize "a b",c', TASK_FIELDS) == (term("", "~", "resize"), term("", "~", "a b", "c"))


def test_quotes_hold_spaces_commas_and_operators() -> None:
    said = r'error~"no such file, really" name="" origin="a=\"b\"\\" label.x=a=b'
    assert parse(said, TASK_FIELDS) == (
        term("error", "~", "no such file, really"),
        term("name", "=", ""),
        term("origin", "=", 'a="b"\\'),
        term("label", "=", "a=b", key="x"),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("90", 90.0), ("90s", 90.0), ("15m", 900.0), ("2h", 7200.0), ("1d", 86400.0), ("4w", 2419200.0)],
)
def test_spans_have_units(text: str, seconds: float) -> None:
    assert parse(f"age<{text}", TASK_FIELDS) == (term("age", "<", seconds),)


def test_a_bare_number_counts_milliseconds_in_a_round_trip() -> None:
    assert parse("rtt>50 rtt<1s", NODE_FIELDS) == (term("rtt", ">", 0.05), term("rtt", "<", 1.0))


def test_node_is_another_name_of_a_node_s_id() -> None:
    assert parse("node=n1", NODE_FIELDS) == parse("id=n1", NODE_FIELDS)


@pytest.mark.parametrize(
    ("text", "position", "message", "remedy"),
    [
        ("stat=failed", 1, "there is no field stat", "did you mean state?"),
        ("name=a stat=failed", 8, "there is no field stat", "did you mean state?"),
        ("lable.x=1", 1, "there is no field lable.x", "did you mean label.KEY?"),
        ("state=failed,faild", 14, "state is never 'faild'", "did you mean failed?"),
        ("state~fail", 6, "state is a word and takes no ~", "one of = !="),
        ("name>a", 5, "name is a text and takes no >", "one of = != ~ !~"),
        ("attempt~1", 8, "attempt is a number and takes no ~", "one of = != > >= < <="),
        ("attempt>two", 9, "attempt is compared with 'two'", "write a number"),
        ("attempt=1,1e999", 11, "attempt is compared with '1e999'", "write a number"),
        ("age>soon", 5, "age is compared with 'soon'", "a number and a unit"),
        ("age>-5m", 5, "age is compared with '-5m'", "a number and a unit"),
        ("age>1m,2m", 8, "age> has 2 values", "> compares with one value"),
        ("name=", 6, "name= has no value here", 'or "" for an empty text'),
        ("name=a, b", 8, "name= has no value here", 'or "" for an empty text'),
        ('name="a', 6, "the text that begins here does not end", 'end it with "'),
        ('name="a"b', 9, "b follows a value", "put a space between two terms"),
        ('name=a"b"', 7, '" follows a value', "put a space between two terms"),
        ("=a", 1, "= has no field before it", "there are: state, name"),
        (",", 1, ", stands where a term begins", "write field=value, or a word"),
        ("!a", 1, "! stands where a term begins", "write field=value, or a word"),
        ("label=a", 1, "label has no key", "write label.KEY"),
        ("label.a/b=1", 1, "label.a/b names no label", "write label.KEY"),
        ("name.x=1", 5, "name has no parts", "write name alone"),
        ("a\ud800", 2, "half of a surrogate pair stands here", "UTF-8"),
        ("a" * (FILTER_CHARACTERS_MAX + 1), FILTER_CHARACTERS_MAX + 1, "the filter has", "at most"),
        ("a " * (TERMS_MAX + 1), 2 * TERMS_MAX + 1, "there are more than", "ask for less at once"),
    ],
)
def test_an_error_says_where_what_and_what_would_be_right(text: str, position: int, message: str, remedy: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, TASK_FIELDS)
    assert caught.value.position == position
    assert caught.value.message.startswith(message)
    assert remedy in caught.value.remedy
    assert str(caught.value) == f"character {position}: {caught.value.message}; {caught.value.remedy}"


# --- for any text and any terms -------------------------------------------------------------------------------------

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_keys = st.text("abcZ09_.:@-", min_size=1, max_size=8).filter(is_identifier)
_numbers = st.floats(-1e15, 1e15, allow_nan=False)
_spans = st.floats(0, 1e15, allow_nan=False)


def _terms(fields: Fields) -> st.SearchStrategy[Term]:
    return st.one_of(
        st.builds(lambda words: term("", "~", *words), st.lists(_texts, min_size=1, max_size=3)),
        *[_term_of(name, fields) for name, field in fields.items() if not field.alias_of],
    )


def _term_of(name: str, fields: Fields) -> st.SearchStrategy[Term]:
    field = fields[name]
    one = {
        Kind.TEXT: _texts,
        Kind.WORD: st.sampled_from(field.words or ("",)),
        Kind.NUMBER: _numbers,
        Kind.SPAN: _spans,
    }[field.kind]

    @st.composite
    def draw_term(draw: st.DrawFn) -> Term:
        op = draw(st.sampled_from(OPS[field.kind]))
        values = draw(st.lists(one, min_size=1, max_size=1 if op[0] in "<>" else 3))
        return term(name, op, *values, key=draw(_keys) if field.has_key else "")

    return draw_term()


@pytest.mark.parametrize("fields", [TASK_FIELDS, NODE_FIELDS], ids=["tasks", "nodes"])
@given(data=st.data())
def test_what_is_written_is_read_as_the_same_terms(fields: Fields, data: st.DataObject) -> None:
    terms = tuple(data.draw(st.lists(_terms(fields), max_size=5)))
    assert parse(to_text(terms, fields), fields) == terms


@given(st.text() | st.text('state=name~!<>"\\, .5m'))
def test_any_text_is_a_filter_or_an_error_with_its_place(text: str) -> None:
    terms, error = parsed(text)
    if error is None:
        assert parse(to_text(terms, TASK_FIELDS), TASK_FIELDS) == terms
    else:
        assert 1 <= error.position <= len(text) + 1
        assert error.message
        assert error.remedy


def parsed(text: str) -> tuple[tuple[Term, ...], FilterError | None]:
    try:
        return parse(text, TASK_FIELDS), None
    except FilterError as error:
        return (), error


# --- what a store asks -----------------------------------------------------------------------------------------------


def test_states_that_are_left() -> None:
    assert states_of(parse("name=a", TASK_FIELDS)) is None
    assert states_of(parse("state=failed,lost", TASK_FIELDS)) == {"failed", "lost"}
    assert states_of(parse("state=failed,lost state!=lost", TASK_FIELDS)) == {"failed"}
    assert states_of(parse("state=failed state=lost", TASK_FIELDS)) == set()
    left = states_of(parse("state!=succeeded", TASK_FIELDS))
    assert left is not None
    assert "succeeded" not in left
    assert "queued" in left


def test_what_a_field_must_be_exactly() -> None:
    assert exactly(parse("id~a id=b,c id=d", TASK_FIELDS), "id") == ("b", "c")
    assert exactly(parse("id!=a", TASK_FIELDS), "id") == ()
