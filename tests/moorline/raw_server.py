"""A server of bytes: reads the head of each request, answers what a function says, and hangs up."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

REQUEST_BYTES_MAX = 64 * 1024
# Only against a test that went wrong: an honest peer speaks at once.
PATIENCE_S = 20.0


class RawServer:
    """Listens between enter and exit. One connection at a time, as they come."""

    def __init__(self, answer: Callable[[bytes], bytes], context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; twice is harmless."""
        with contextlib.suppress(OSError):
            # Wakes the thread out of accept; closing alone would not.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(PATIENCE_S)
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        if self._context is not None:
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._talk(secured)
        else:
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) < REQUEST_BYTES_MAX:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
            if request.startswith(b"\x16"):
                # A TLS handshake where none is spoken.
                return
        connection.sendall(self._answer(request))
