"""An event loop that turns in a thread of its own until it is told to end, whatever the code that runs on it does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import Final

from node.event_loops import new_event_loop

logger = logging.getLogger(__name__)

# How long what is left on a loop has to end once it is cancelled.
FINISH_WITHIN_S: Final = 1.0


class LoopThread:
    """One loop and its thread.

    User code may stop the loop it runs on, raise `SystemExit` in a task that it leaves behind, or cancel every task
    that it finds. None of these may end the loop for the others.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self.loop: asyncio.AbstractEventLoop = new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._turn, name=name, daemon=True)

    @property
    def name(self) -> str:
        """The name of its thread."""
        return self._thread.name

    def start(self) -> None:
        """Begin to turn."""
        self._thread.start()

    def close(self) -> None:
        """Have it end soon, with what runs on it; twice is harmless. `join` waits for it."""
        if self._thread.is_alive():
            # RuntimeError: it has ended in this very moment.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._closing.set)

    def join(self, until_s: float) -> bool:
        """Wait for the end until this time of the monotonic clock; tell whether it has come."""
        if self._thread.ident is None:
            self.loop.close()
            return True
        self._thread.join(max(0.0, until_s - time.monotonic()))
        return not self._thread.is_alive()

    # --- in the thread ------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        asyncio.set_event_loop(self.loop)
        # The same task all the time: with its end anyio would end the child processes.
        staying = self.loop.create_task(self._stay())
        while not staying.done():
            try:
                self.loop.run_until_complete(staying)
            except (SystemExit, KeyboardInterrupt) as error:
                # A task that a handler left behind; asyncio lets these through, and stops the loop.
                logger.warning("user code raised %s on the handlers' loop; it is ignored", type(error).__name__)
            except RuntimeError:
                if self.loop.is_closed():
                    # Nothing can turn it any more.
                    raise
                logger.warning("user code stopped the handlers' loop; it goes on")
        for end in (self._finish_tasks, self.loop.shutdown_asyncgens):
            # RuntimeError: what is being ended stops the loop once more.
            with contextlib.suppress(SystemExit, KeyboardInterrupt, RuntimeError):
                self.loop.run_until_complete(end())
        asyncio.set_event_loop(None)
        self.loop.close()

    async def _stay(self) -> None:
        """Wait for `close`. A handler may cancel every task that it finds: not this one."""
        while not self._closing.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self._closing.wait()

    async def _finish_tasks(self) -> None:
        """Cancel what is left, and wait a moment for it."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=FINISH_WITHIN_S)
