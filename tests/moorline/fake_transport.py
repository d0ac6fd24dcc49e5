"""A transport whose streams and answers are scripted, for what needs no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from moorline import HubUnavailableError
from moorline.transport import Answer, StreamedAnswer


class FakeTransport:
    """Gives one scripted stream for each connect, in order; after the last one, silence.

    A stream is a list of pieces; one that ends with an error raises it.
    """

    def __init__(
        self,
        streams: Sequence[Sequence[bytes | Exception]] = (),
        answer: Callable[[str, str, bytes], Answer] | None = None,
    ) -> None:
        self._streams = list(streams)
        self._answer = answer
        self.queries: list[dict[str, str]] = []
        self.status = 200
        self.closed = False

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
        if self._answer is None:
            raise HubUnavailableError("nobody answers here")
        await asyncio.sleep(0)
        return self._answer(method, path, body or b"")

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[StreamedAnswer]:
        self.queries.append(dict(query))
        script = self._streams.pop(0) if self._streams else None
        if script and isinstance(script[0], Exception):
            raise script[0]
        yield StreamedAnswer(status=self.status, pieces=self._pieces(script))

    async def _pieces(self, script: Sequence[bytes | Exception] | None) -> AsyncIterator[bytes]:
        if script is None:
            await asyncio.get_running_loop().create_future()
        for piece in script or ():
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self) -> None:
        self.closed = True
