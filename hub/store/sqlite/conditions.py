"""Terms of a filter as conditions that SQLite looks at, row by row, exactly as `docs/reference/filters.md` says.

A condition is a text and its values. Texts are put together from the names of this package; what a person wrote is
always a value.
"""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Final, NamedTuple

from hub.decisions.filter_terms import Term
from hub.store.sqlite import bulk


class Condition(NamedTuple):
    """A condition, or an expression, and the values of its parameters in their order."""

    text: str
    values: tuple[bulk.Value, ...] = ()


# SQLite's lower() knows these letters alone, and so does `~`.
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """Join conditions that must all hold."""
    return _joined(" AND ", conditions or [Condition("1")])


def any_of(conditions: Sequence[Condition]) -> Condition:
    """Join conditions of which one must hold."""
    return _joined(" OR ", conditions or [Condition("0")])


def _joined(word: str, conditions: Sequence[Condition]) -> Condition:
    texts = word.join(condition.text for condition in conditions)
    return Condition(f"({texts})", tuple(value for condition in conditions for value in condition.values))


def negated(condition: Condition) -> Condition:
    """Turn a condition into its opposite."""
    return Condition(f"NOT {condition.text}", condition.values)


def of_texts(expressions: Sequence[Condition], term: Term) -> Condition:
    """Compare texts: one of the expressions must be, or contain, one of the term's values; or none, if it is negated.

    The expressions are never NULL: what is not there is an empty text.
    """
    is_part = term.op.endswith("~")
    wanted = [str(value).translate(_LOWER) if is_part else str(value) for value in term.values]
    condition = any_of([_of_text(expression, wanted, is_part=is_part) for expression in expressions])
    return negated(condition) if term.op.startswith("!") else condition


def _of_text(expression: Condition, wanted: Sequence[str], *, is_part: bool) -> Condition:
    text, values = expression
    if is_part and len(wanted) == 1:
        return Condition(f"instr(lower({text}), ?) > 0", (*values, wanted[0]))
    if is_part:
        # The limit keeps SQLite from working the text out again for each value.
        looked = f"(SELECT lower({text}) AS text LIMIT 1) AS looked"
        look = f"EXISTS (SELECT 1 FROM {looked}, json_each(?) AS wanted WHERE instr(looked.text, wanted.value) > 0)"
        return Condition(look, (*values, bulk.among(wanted)))
    if len(wanted) == 1:
        return Condition(f"{text} = ?", (*values, wanted[0]))
    return Condition(f"{text} IN (SELECT value FROM json_each(?))", (*values, bulk.among(wanted)))


def of_number(expression: Condition, term: Term) -> Condition:
    """Compare a number. One that is not known, NULL, meets nothing."""
    text, values = expression
    if len(term.values) == 1:
        return Condition(f"{text} {term.op} ?", (*values, *term.values))
    word = "IN" if term.op == "=" else "NOT IN"
    return Condition(f"{text} {word} (SELECT value FROM json_each(?))", (*values, bulk.among(term.values)))
