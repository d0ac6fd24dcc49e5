"""Why a session lost its connection, in few words: the classes that the sentences in the nodes' records fall into."""

from __future__ import annotations

from typing import Final

# How the sentence begins, and its class; the first that fits counts.
_BEGINNINGS: Final = (
    ("bye", "bye"),
    ("silent", "silent"),
    ("superseded", "superseded"),
    ("disconnected by an operator", "operator"),
    ("protocol error", "protocol_error"),
    ("closed by the node", "closed_by_node"),
    ("closed by the hub", "closed_by_hub"),
    ("the connection broke", "broken"),
)

STOPPED: Final = "hub_stopped"
OTHER: Final = "other"

DEPARTURES: Final = (*(name for _, name in _BEGINNINGS), STOPPED, OTHER)
"""Every class there is."""


def departure(reason: str, *, stopping: bool = False) -> str:
    """Give the class of a reason; ``stopping``: the hub was on its way down, whatever was said."""
    if stopping:
        return STOPPED
    return next((name for beginning, name in _BEGINNINGS if reason.startswith(beginning)), OTHER)
