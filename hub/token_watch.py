"""Reads the tokens again and again, so that one that is revoked, or has run out, ends what was opened with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from hub.store.errors import StoreUnavailableError
from hub.store.tokens import TokenRow
from hub.tokens import TokenBook

logger = logging.getLogger(__name__)

# A revoked token ends its sessions within a second.
EVERY_S: Final = 0.5


class TokenWatch:
    """Keeps a book of tokens as the store has them.

    Args:
        book: what is kept.
        read: gives the store's tokens; may raise StoreUnavailableError, then the book stays as it is.
        wall_s: gives the wall clock's time.
        on_ended: called with the ids of tokens that were good before and are not any more.
    """

    def __init__(
        self,
        book: TokenBook,
        read: Callable[[], Awaitable[Iterable[TokenRow]]],
        wall_s: Callable[[], float],
        on_ended: Callable[[frozenset[str]], None],
    ) -> None:
        self._book = book
        self._read = read
        self._wall_s = wall_s
        self._on_ended = on_ended
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop. Twice is harmless."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._watch(), name="token watch")

    def stop(self) -> None:
        """Look no more. Twice is harmless."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                ended = self._book.replace(await self._read(), self._wall_s())
                if ended:
                    self._on_ended(ended)
            except StoreUnavailableError as error:
                logger.debug("the tokens stay as they were: %s", error)
            except Exception:
                # The top of the task: a fault here must not leave revoked tokens good for as long as the hub lives.
                logger.exception("the tokens could not be read")
