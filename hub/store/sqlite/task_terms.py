"""What each field of a task's filter is in the database, in words of SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hub.decisions.filter_terms import Term
from hub.store.sqlite.conditions import Condition, of_number, of_texts

ORIGIN: Final = "IFNULL(options ->> '$.origin', '')"

# An error without a type, or without a message, is known by its kind.
_ERROR: Final = (
    "IFNULL(error ->> '$.kind', '')",
    "COALESCE(NULLIF(error ->> '$.type', ''), error ->> '$.kind', '')",
    "COALESCE(NULLIF(error ->> '$.message', ''), error ->> '$.kind', '')",
)

_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("+tasks.id", "+classes.name"),
    "id": ("+tasks.id",),
    "name": ("+classes.name",),
    "node": ("+node_id",),
    "group": ("+task_group",),
    "origin": (ORIGIN,),
    "error": _ERROR,
    "errorgroup": ("IFNULL(error_key, '')",),
}

# When a task could have started: as soon as it was there and due.
_READY_AT: Final = "max(submitted_at, IFNULL(due_at, 0.0))"

_NUMBERS: Final[Mapping[str, Callable[[float], Condition]]] = {
    "age": lambda at: Condition("(? - submitted_at)", (at,)),
    "wait": lambda at: Condition(
        f"max(0.0, CASE WHEN state IN (1, 8) THEN ? - {_READY_AT} WHEN state <> 0 THEN started_at - {_READY_AT} END)",
        (at,),
    ),
    "run": lambda at: Condition("(CASE WHEN state = 2 THEN ? - started_at ELSE run_s END)", (at,)),
    "attempt": lambda _: Condition("attempt"),
    "priority": lambda _: Condition("(-rank)"),
}


def of_term(term: Term, at: float) -> Condition:
    """Give the condition that a term stands for."""
    match term.field:
        case "label":
            return of_texts([Condition("IFNULL(options ->> ?, '')", (label_path(term.key),))], term)
        case "requires":
            needed = "SELECT needed.value ->> 1 FROM json_each(classes.requires) AS needed WHERE needed.value ->> 0 = ?"
            return of_texts([Condition(f"IFNULL(({needed}), '')", (term.key,))], term)
    number = _NUMBERS.get(term.field)
    if number is not None:
        return of_number(number(at), term)
    return of_texts([Condition(text) for text in _TEXTS[term.field]], term)


def label_path(key: str) -> str:
    """Give where a label stands inside of the options."""
    return f'$.labels."{key}"'
