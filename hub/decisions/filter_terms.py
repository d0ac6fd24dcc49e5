"""Terms of a filter: the fields that there are for tasks and for nodes, and what a store asks of terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from hub.decisions.lifecycle import TaskState

Op: TypeAlias = Literal["=", "!=", "~", "!~", ">", ">=", "<", "<="]

NODE_STATES: Final = ("online", "draining", "unreachable", "gone")


class Kind(Enum):
    """What a field holds, and so which operators and values it takes."""

    TEXT = "a text"
    WORD = "a word"
    NUMBER = "a number"
    SPAN = "a time span"


EQUAL: Final[tuple[Op, ...]] = ("=", "!=")
ORDER: Final[tuple[Op, ...]] = (">", ">=", "<", "<=")
OPS: Final[Mapping[Kind, tuple[Op, ...]]] = {
    Kind.TEXT: (*EQUAL, "~", "!~"),
    Kind.WORD: EQUAL,
    Kind.NUMBER: (*EQUAL, *ORDER),
    Kind.SPAN: (*EQUAL, *ORDER),
}


class Field(Struct, frozen=True, kw_only=True):
    """A field. ``words``: the only values, if it is a word. ``unit``: what a bare number counts, if it is a span.
    ``has_key``: a key follows behind a dot. ``alias_of``: another name of the same.
    """

    kind: Kind = Kind.TEXT
    words: tuple[str, ...] = ()
    unit: str = "s"
    has_key: bool = False
    alias_of: str = ""


class Term(Struct, frozen=True, kw_only=True):
    """One condition. ``field`` is empty for a bare word. ``values`` are numbers (spans: seconds) where the field holds
    some, else texts; never none.
    """

    field: str
    op: Op
    values: tuple[str, ...] | tuple[float, ...]
    key: str = ""


Fields: TypeAlias = Mapping[str, Field]

TASK_FIELDS: Final[Fields] = {
    "state": Field(kind=Kind.WORD, words=tuple(state.value for state in TaskState)),
    "name": Field(),
    "id": Field(),
    "node": Field(),
    "group": Field(),
    "origin": Field(),
    "label": Field(has_key=True),
    "requires": Field(has_key=True),
    "age": Field(kind=Kind.SPAN),
    "wait": Field(kind=Kind.SPAN),
    "run": Field(kind=Kind.SPAN),
    "attempt": Field(kind=Kind.NUMBER),
    "priority": Field(kind=Kind.NUMBER),
    "error": Field(),
    "errorgroup": Field(),
}

NODE_FIELDS: Final[Fields] = {
    "id": Field(),
    "node": Field(alias_of="id"),
    "name": Field(),
    "state": Field(kind=Kind.WORD, words=NODE_STATES),
    "label": Field(has_key=True),
    "version": Field(),
    "handler": Field(),
    "slots": Field(kind=Kind.NUMBER),
    "used": Field(kind=Kind.NUMBER),
    "free": Field(kind=Kind.NUMBER),
    "cordoned": Field(kind=Kind.WORD, words=("yes", "no")),
    "outbox": Field(kind=Kind.NUMBER),
    "rtt": Field(kind=Kind.SPAN, unit="ms"),
    "age": Field(kind=Kind.SPAN),
    "seen": Field(kind=Kind.SPAN),
    "connects": Field(kind=Kind.NUMBER),
}

# What needs no quotes: a bare word, and a value behind an operator.
BARE_WORD: Final = re.compile(r"[^\s\"=!~<>,]*")
BARE_VALUE: Final = re.compile(r"[^\s\",]*")


# --- writing ---------------------------------------------------------------------------------------------------------


def to_text(terms: Iterable[Term], fields: Fields) -> str:
    """Write terms as the filter that they are read from."""
    return " ".join(_term_text(term, fields) for term in terms)


def _term_text(term: Term, fields: Fields) -> str:
    if not term.field:
        return ",".join(_value_text(value, BARE_WORD) for value in term.values)
    name = f"{term.field}.{term.key}" if term.key else term.field
    unit = "s" if fields[term.field].kind is Kind.SPAN else ""
    return f"{name}{term.op}{','.join(_value_text(value, BARE_VALUE) + unit for value in term.values)}"


def _value_text(value: str | float, bare: re.Pattern[str]) -> str:
    if not isinstance(value, str):
        return repr(value)
    if value and bare.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# --- what a store asks of terms --------------------------------------------------------------------------------------


def states_of(terms: Iterable[Term]) -> frozenset[str] | None:
    """Give the states that all terms about states leave; None if there is no such term."""
    left: frozenset[str] | None = None
    for term in terms:
        if term.field == "state":
            named = frozenset(str(value) for value in term.values)
            # All words of both kinds: what a task can never be does no harm.
            known = frozenset((*TASK_FIELDS["state"].words, *NODE_STATES))
            meant = named if term.op == "=" else known - named
            left = meant if left is None else left & meant
    return left


def exactly(terms: Iterable[Term], field: str) -> tuple[str, ...]:
    """Give the values of the first term that says that ``field`` is one of them; none if there is no such term."""
    for term in terms:
        if term.field == field and term.op == "=":
            return tuple(str(value) for value in term.values)
    return ()
