"""What a client needs of the way to its hub: requests with answers, and streams. A test can put its own in place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer of the hub. ``retry_after_s``: how long it asks to stay away, if it does."""

    status: int
    body: bytes
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedAnswer:
    """An answer whose body comes in pieces, as the hub sends them. It ends when the hub ends it."""

    status: int
    pieces: AsyncIterator[bytes]
    retry_after_s: float | None = None


class Transport(Protocol):
    """The way to a hub. Used on one event loop; several calls at once."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        timeout_s: float,
    ) -> Answer:
        """Ask, and give the whole answer, whatever its status.

        Raises:
            HubUnavailableError: no whole answer came in time. Whether the hub acted on the request is open.
            HubError: it was closed.
        """
        ...

    def stream(self, path: str, *, query: Mapping[str, str]) -> AbstractAsyncContextManager[StreamedAnswer]:
        """Open a stream; leaving the context closes it.

        Raises:
            HubUnavailableError: on entering or between pieces: the hub is not there, or has been silent for too long.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections. Twice is harmless."""
        ...
