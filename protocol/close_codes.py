"""Why a connection was closed, as a number: RFC 6455 §7.4.1, and our own from the private range 4000-4999.

A node reads the code only to choose its words and its patience (`is_fatal`); every close is a disconnect, and none ends
the node.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The close codes that a hub or a node sends."""

    NORMAL = 1000
    """The node said `bye`, and the hub has noted it."""
    GOING_AWAY = 1001
    """The node's process ends without having drained."""
    TOO_BIG = 1009
    """A message or a frame was larger than the limit."""
    INTERNAL_ERROR = 1011
    """The hub failed at something of this session and cannot go on with it; come back, and all is said again."""
    SERVICE_RESTART = 1012
    """The hub stops in good order; come back after the spread that `go_away` named."""
    SUPERSEDED = 4000
    """A newer connection of the same node took the session over."""
    BAD_FRAME = 4002
    """A frame could not be understood, or came out of turn. The reason says which."""
    UNAUTHORIZED = 4003
    """The token was revoked or ran out while the session was live."""
    UNKNOWN_SESSION = 4004
    """The hub does not know the session that was to be resumed; register again."""
    REFUSED = 4005
    """The registration was refused; the `refused` frame before says why and for how long."""
    TOO_SLOW = 4008
    """No `register` or `resume` in time, no heartbeat, or a reader that does not read."""
    DISCONNECTED = 4009
    """An operator asked for it; come back by the usual backing off."""


_FATAL = frozenset({CloseCode.BAD_FRAME, CloseCode.UNAUTHORIZED})


def is_fatal(code: int) -> bool:
    """Tell whether trying again soon is pointless: the node then parks (5-15 min between tries) and says so loudly."""
    return code in _FATAL
