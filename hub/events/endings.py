"""Why a stream is ended by the hub, or not begun."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class StreamEnd(Struct, frozen=True, kw_only=True):
    """Why a stream was ended by the hub: its last message."""

    code: str
    message: str
    remedy: str


STOPPING: Final = StreamEnd(
    code="stopping", message="the hub stops", remedy="connect again and name the last id that you saw"
)
REVOKED: Final = StreamEnd(
    code="unauthorized", message="the token was revoked or ran out", remedy="connect with another token"
)


class TooManyStreamsError(Exception):
    """As many follow the feed, or wait for a task, as may do so at once. Come back when others have left."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what = what
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.limit} {self.what} are open, the most that this hub takes"
