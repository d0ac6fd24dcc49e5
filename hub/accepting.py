"""The end of a listening socket: nobody falls between being accepted and being known to the server."""

from __future__ import annotations

import asyncio
from typing import Final

# asyncio takes a connection from the kernel in one turn of the loop, makes its transport in the next, and tells its
# protocol in the one after that. Only then can a server that is closed find it among its own.
ACCEPTED_WITHIN_TURNS: Final = 3


async def accept_no_more(server: asyncio.Server) -> None:
    """Take nobody from the kernel any more, wait until each who was taken has its protocol, and then stop listening.

    A server that is closed in between makes no transport for whoever was taken: Python 3.11 gives up half way, and the
    socket stays open until the garbage is collected. Others would miss the connection when they close theirs.
    Connections that are still in a TLS handshake are not waited for. Twice is harmless.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        # uvloop has no such reader, and tells the protocol in the same turn.
        loop.remove_reader(listening.fileno())
    for _ in range(ACCEPTED_WITHIN_TURNS):
        await asyncio.sleep(0)
    server.close()
