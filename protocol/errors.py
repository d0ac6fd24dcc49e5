"""What can be wrong with what came over the wire."""

from __future__ import annotations

from protocol.close_codes import CloseCode


class ProtocolError(Exception):
    """Base of everything that a peer can do wrong on the wire."""

    close_code: CloseCode = CloseCode.BAD_FRAME


class BadFrameError(ProtocolError):
    """A line is not a frame: not JSON, a field is missing, or has the wrong type or size.

    Close the connection with ``close_code`` and ``str(error)`` as the reason; nothing of the message was acted on.
    """

    def __init__(self, problem: str, line: bytes = b"") -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line[:200]

    def __str__(self) -> str:
        if not self.line:
            return self.problem
        return f"{self.problem}; the line begins {self.line[:60].decode('utf-8', 'replace')!r}"


class FrameTooBigError(ProtocolError):
    """A message or one line of it is longer than the limit allows."""

    close_code = CloseCode.TOO_BIG

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(what, size_bytes, limit_bytes)
        self.what = what
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"{self.what} has {self.size_bytes} bytes; at most {self.limit_bytes} are allowed"


class OutOfTurnError(ProtocolError):
    """A frame that is fine by itself came when the conversation does not allow it."""

    def __init__(self, frame_type: str, expected: str) -> None:
        super().__init__(frame_type, expected)
        self.frame_type = frame_type
        self.expected = expected

    def __str__(self) -> str:
        return f"frame `{self.frame_type}` came out of turn; expected {self.expected}"
