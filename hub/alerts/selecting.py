"""Which nodes or tasks a rule is about: the filter grammar of the API (`hub.decisions.filters`), on what a look
knows of each.

Of nodes it knows what they registered with; what changes by itself, such as slots in use, is not for choosing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from hub.decisions.filter_terms import NODE_FIELDS, TASK_FIELDS, Fields, Term
from hub.decisions.filters import parse

NODE_CHOICES: Final[Fields] = {key: NODE_FIELDS[key] for key in ("id", "node", "name", "label", "version")}
TASK_CHOICES: Final[Fields] = {"name": TASK_FIELDS["name"]}

# As in the store: `~` knows these letters alone.
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)

# Filters of one file: each is read once.
_READ_MAX: Final = 512


@lru_cache(_READ_MAX)
def node_terms(text: str) -> tuple[Term, ...]:
    """Read a filter that chooses nodes. Raises `hub.decisions.filters.FilterError`."""
    return parse(text, NODE_CHOICES)


@lru_cache(_READ_MAX)
def task_terms(text: str) -> tuple[Term, ...]:
    """Read a filter that chooses tasks by their name. Raises `hub.decisions.filters.FilterError`."""
    return parse(text, TASK_CHOICES)


def chooses_node(text: str, node_id: str, name: str, labels: Mapping[str, str], version: str) -> bool:
    """Tell whether a filter is about this node."""
    for term in node_terms(text) if text else ():
        values: tuple[str, ...]
        match term.field:
            case "":
                values = (node_id, name)
            case "id":
                values = (node_id,)
            case "name":
                values = (name,)
            case "version":
                values = (version,)
            case _:
                values = (labels.get(term.key, ""),)
        if not _meets(term, values):
            return False
    return True


def chooses_name(text: str, name: str) -> bool:
    """Tell whether a filter is about tasks of this name."""
    return not text or all(_meets(term, (name,)) for term in task_terms(text))


def _meets(term: Term, values: tuple[str, ...]) -> bool:
    """Compare texts: one of them must be, or contain, one of the term's values; or none, if it is negated."""
    wanted = [str(value) for value in term.values]
    if term.op.endswith("~"):
        lowered = [word.translate(_LOWER) for word in wanted]
        found = any(word in value.translate(_LOWER) for value in values for word in lowered)
    else:
        found = any(value in wanted for value in values)
    return found is not term.op.startswith("!")
