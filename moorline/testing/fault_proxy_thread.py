"""The fault proxy for tests and tools that are not async: on a loop in a thread of its own, with the same verbs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from moorline.testing.fault_link import Direction
from moorline.testing.fault_proxy import FaultProxy

T = TypeVar("T")

# What the loop is asked for takes microseconds; a machine may stand still for a while.
ANSWER_WITHIN_S: Final = 30.0


class FaultProxyThread:
    """A `FaultProxy` whose verbs block until they are done, for any thread. Use it as a context manager.

    Arguments and verbs are those of `FaultProxy`.
    """

    def __init__(
        self, target_host: str, target_port: int, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0
    ) -> None:
        self._proxy = FaultProxy(target_host, target_port, host=host, port=port, seed=seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Twice is harmless; after ``stop`` it is over.

        Raises:
            OSError: the address cannot be had. Nothing is left behind.
        """
        if not self._thread.is_alive():
            self._thread.start()
        try:
            self._run(self._proxy.start())
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop listening, reset what is connected, and end the thread. Twice is harmless."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self._run(self._proxy.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(ANSWER_WITHIN_S)
        self._loop.close()

    # --- what can be seen ---------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._proxy.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._proxy.port

    def url(self, scheme: str, path: str = "") -> str:
        """Give the address to dial."""
        return self._proxy.url(scheme, path)

    @property
    def connections(self) -> tuple[int, ...]:
        """The numbers of those that are open now, oldest first; ``reset`` takes one."""
        return self._ask(lambda proxy: tuple(connection.number for connection in proxy.connections))

    @property
    def connections_total(self) -> int:
        """How many connections clients have made."""
        return self._ask(lambda proxy: proxy.connections_total)

    @property
    def bytes_up(self) -> int:
        """How many bytes have gone to the target."""
        return self._ask(lambda proxy: proxy.bytes_up)

    @property
    def bytes_down(self) -> int:
        """How many bytes have come from the target."""
        return self._ask(lambda proxy: proxy.bytes_down)

    @property
    def bytes_swallowed(self) -> int:
        """How many bytes black holes have taken, both ways."""
        return self._ask(lambda proxy: proxy.bytes_swallowed)

    # --- what can be done ---------------------------------------------------------------------------------------------

    def delay(self, latency_s: float, *, jitter_s: float = 0.0, direction: Direction = "both") -> None:
        """Let everything arrive so much later, give or take the jitter."""
        self._ask(lambda proxy: proxy.delay(latency_s, jitter_s=jitter_s, direction=direction))

    def limit(self, bytes_per_s: float | None, *, direction: Direction = "both") -> None:
        """Let so much through per second, on each connection; None for no limit."""
        self._ask(lambda proxy: proxy.limit(bytes_per_s, direction=direction))

    def black_hole(self, direction: Direction = "both") -> None:
        """Read and drop."""
        self._ask(lambda proxy: proxy.black_hole(direction))

    def stall(self, direction: Direction = "both") -> None:
        """Move nothing and lose nothing."""
        self._ask(lambda proxy: proxy.stall(direction))

    def cut_after(self, byte_count: int, *, direction: Direction = "both") -> None:
        """Reset each connection when it has handed on so many bytes."""
        self._ask(lambda proxy: proxy.cut_after(byte_count, direction=direction))

    def close_slowly(self, close_delay_s: float, *, direction: Direction = "both") -> None:
        """Let an end that closes be seen to be closed only so much later."""
        self._ask(lambda proxy: proxy.close_slowly(close_delay_s, direction=direction))

    def reset(self, number: int | None = None) -> int:
        """Reset the connection of this number, or all; give how many."""
        return self._ask(lambda proxy: proxy.reset(number))

    def refuse(self) -> None:
        """Let new connections be refused."""
        self._ask(lambda proxy: proxy.refuse())

    def accept_then_close(self) -> None:
        """Take new connections and close them at once."""
        self._ask(lambda proxy: proxy.accept_then_close())

    def welcome(self) -> None:
        """Take new connections again."""
        self._ask(lambda proxy: proxy.welcome())

    def mend(self) -> None:
        """End all faults."""
        self._ask(lambda proxy: proxy.mend())

    # --- inside -------------------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[FaultProxy], T]) -> T:
        async def ask() -> T:
            return question(self._proxy)

        return self._run(ask())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(ANSWER_WITHIN_S)
