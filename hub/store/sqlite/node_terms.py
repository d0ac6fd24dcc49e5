"""What each field of a node's filter, and each order of nodes, is in the database, in words of SQL."""

# ruff: noqa: S608 - statements are put together from names of this package; every value is a parameter

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from hub.decisions.filter_terms import Term
from hub.store.node_views import NodeSort
from hub.store.sqlite.conditions import Condition, negated, of_number, of_texts

_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("id", "name"),
    "id": ("id",),
    "name": ("name",),
    "state": ("state",),
    "version": ("version",),
    "cordoned": ("iif(cordoned, 'yes', 'no')",),
}

_NUMBERS: Final[Mapping[str, Callable[[float], Condition]]] = {
    "slots": lambda _: Condition("slots"),
    "used": lambda _: Condition("slots_in_use"),
    "free": lambda _: Condition("(slots - slots_in_use)"),
    "outbox": lambda _: Condition("outbox"),
    "rtt": lambda _: Condition("(rtt_ms / 1000.0)"),
    "connects": lambda _: Condition("connects"),
    "age": lambda at: Condition("(? - connected_at)", (at,)),
    "seen": lambda at: Condition("(? - last_seen_at)", (at,)),
}

# What needs a look comes first. Times are turned round instead of taken from now: a cursor must hold while time passes.
SORT_KEYS: Final[Mapping[NodeSort, str]] = {
    "id": "id",
    "name": "name",
    "state": "CASE state WHEN 'unreachable' THEN 0 WHEN 'draining' THEN 1 WHEN 'online' THEN 2 ELSE 3 END",
    "version": "version",
    "slots": "slots",
    "used": "slots_in_use",
    "free": "slots - slots_in_use",
    "outbox": "outbox",
    "rtt": "rtt_ms",
    "age": "-connected_at",
    "seen": "-last_seen_at",
    "connects": "connects",
    "succeeded": "succeeded",
    "failed": "failed",
}


def of_term(term: Term, at: float) -> Condition:
    """Give the condition that a term stands for; times are counted back from ``at``."""
    number = _NUMBERS.get(term.field)
    if number is not None:
        return of_number(number(at), term)
    if term.field == "label":
        return of_texts([Condition("IFNULL(labels ->> ?, '')", (f'$."{term.key}"',))], term)
    if term.field == "handler":
        return _of_handlers(term)
    return of_texts([Condition(text) for text in _TEXTS[term.field]], term)


def _of_handlers(term: Term) -> Condition:
    is_negated = term.op.startswith("!")
    asked = replace(term, op="~" if term.op.endswith("~") else "=")
    known = of_texts([Condition("known.value")], asked)
    condition = Condition(f"EXISTS (SELECT 1 FROM json_each(handlers) AS known WHERE {known.text})", known.values)
    return negated(condition) if is_negated else condition
