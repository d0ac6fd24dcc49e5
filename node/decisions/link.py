"""Where a node stands with its hub: one table of moves."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Link(Enum):
    """Where the conversation with a hub is."""

    OFFLINE = "offline"
    """No connection; a dial is due, or on its way."""
    GREETING = "greeting"
    """Connected; `register` or `resume` is sent, and nothing else may be before its answer."""
    OPEN = "open"
    """A session is open: tasks come, results go."""
    LEAVING = "leaving"
    """`bye` is sent; the hub is to close."""


class Step(Enum):
    """What moves the conversation on."""

    CONNECT = "connect"
    WELCOME = "welcome"
    FAREWELL = "farewell"
    LOSE = "lose"


MOVES: Final = {
    (Link.OFFLINE, Step.CONNECT): Link.GREETING,
    (Link.GREETING, Step.WELCOME): Link.OPEN,
    (Link.GREETING, Step.LOSE): Link.OFFLINE,
    (Link.OPEN, Step.FAREWELL): Link.LEAVING,
    (Link.OPEN, Step.LOSE): Link.OFFLINE,
    (Link.LEAVING, Step.LOSE): Link.OFFLINE,
}
