"""A bare WebSocket server that accepts and says nothing, with the hub's own settings for connections.

``python -m benchmarks.bare_server PORT AT_S`` listens from `time.monotonic` ``AT_S`` on, or at once if that has passed,
until it is killed.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import sys
import time

from websockets.asyncio.server import ServerConnection, serve

from hub.gateway import BACKLOG, OPEN_WITHIN_S, PING_EVERY_S, PING_TIMEOUT_S
from node.event_loops import new_event_loop


async def keep(socket: ServerConnection) -> None:
    """Keep a connection until its client leaves."""
    await socket.wait_closed()


async def listen(port: int, at_s: float) -> None:
    """Accept whoever comes, for ever."""
    await asyncio.sleep(max(0.0, at_s - time.monotonic()))
    async with serve(
        keep,
        "127.0.0.1",
        port,
        compression=None,
        server_header=None,
        open_timeout=OPEN_WITHIN_S,
        ping_interval=PING_EVERY_S,
        ping_timeout=PING_TIMEOUT_S,
        backlog=BACKLOG,
    ) as server:
        await server.serve_forever()


def main() -> None:
    """Listen as the command line says."""
    port, at_s = sys.argv[1:]
    # Each handshake that somebody breaks off would be a traceback.
    logging.disable(logging.CRITICAL)
    _, descriptors_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_max, descriptors_max))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(listen(int(port), float(at_s)))


if __name__ == "__main__":
    main()
