"""A connection of a client: how it is answered where no handler can, and what ends when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from hub.http.answers import error_answer
from hub.http.errors import InternalError, MalformedRequestError

logger = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """A connection of a client."""

    __slots__ = ("_is_lost", "_waiting")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_lost = False
        self._waiting: asyncio.Task[Any] | None = None

    def connection_lost(self, exc: BaseException | None) -> None:
        """End what only waits for something to tell a client that has left."""
        super().connection_lost(exc)
        self._is_lost = True
        if self._waiting is not None:
            self._waiting.cancel()

    def wait_in(self, task: asyncio.Task[Any] | None) -> None:
        """Note which task only waits for this client, None: none does. It is cancelled once the client has left."""
        self._waiting = task
        if task is not None and self._is_lost:
            task.cancel()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer to what is no HTTP, or to a handler that could not be answered for."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        self.keep_alive(val=False)
        if status < 500:
            problem = " ".join((message or str(exc) or "it cannot be understood").split())[:200]
            answer = error_answer(MalformedRequestError(f"the request is refused: {problem}", "HTTP/1.1 (RFC 9112)"))
        else:
            logger.error("a request of %s failed", request.remote, exc_info=exc)
            answer = error_answer(InternalError("an error of the hub", "report it with what the hub's log says"))
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Note in a line why a connection was dropped: handlers log their own errors."""
        logger.info("a connection is dropped: %s %r", args[0] if args else "", kw.get("exc_info"))


@contextlib.contextmanager
def while_connected(request: web.Request) -> Iterator[None]:
    """Cancel what is done inside once the client has left. For handlers that wait long and change nothing: a wait for
    somebody who is gone would hold the place of somebody who is there.
    """
    connection = request.protocol
    if not isinstance(connection, Connection):
        yield
        return
    connection.wait_in(asyncio.current_task())
    try:
        yield
    finally:
        connection.wait_in(None)
