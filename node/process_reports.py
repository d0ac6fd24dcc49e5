"""What a child process says to its node beside its result: one JSON message a datagram on a Unix socket.

A datagram is there as a whole or not at all, and no lock is shared: a child may be killed between any two instructions.
Messages: ``["hello", task_id, attempt, pid]`` (it may be killed by this id now), ``["begun", task_id, attempt]`` (the
handler starts; its time counts from here), ``["progress", task_id, attempt, done, total, message]`` and
``["log", task_id, attempt, level, message]``.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

SOCKET_NAME: Final = "reports.sock"

# Where the state folder's path is too long for a socket: says in which temporary folder it is.
NOTE_NAME: Final = "reports.folder"

# The kernel's limit for a socket's path (unix(7)), less the zero byte at its end.
PATH_BYTES_MAX: Final = 107

# The longest message is a log line; what does not fit is cut by the child.
DATAGRAM_BYTES_MAX: Final = 64 * 1024

# How many datagrams are read in one go before the session's loop looks after other things.
READ_MAX: Final = 1_000

# A child waits so long for the node to read, where its message must not be lost.
SEND_WITHIN_S: Final = 10.0

Pid: TypeAlias = Annotated[int, msgspec.Meta(gt=1)]
Hello: TypeAlias = tuple[Literal["hello"], str, int, Pid]
Begun: TypeAlias = tuple[Literal["begun"], str, int]
Progressed: TypeAlias = tuple[Literal["progress"], str, int, float, float | None, str]
Logged: TypeAlias = tuple[Literal["log"], str, int, str, str]
Message: TypeAlias = Hello | Begun | Progressed | Logged

_decoders: Final = {
    "hello": msgspec.json.Decoder(Hello),
    "begun": msgspec.json.Decoder(Begun),
    "progress": msgspec.json.Decoder(Progressed),
    "log": msgspec.json.Decoder(Logged),
}
_encoder: Final = msgspec.json.Encoder()


class ReportReceiver:
    """The node's end; only this user's processes can reach it.

    Args:
        folder: where its socket is; no other receiver may have it. What a dead one left there is replaced. If the path
            is too long for a socket, it is in a temporary folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        path = folder.resolve() / SOCKET_NAME
        self._note = folder / NOTE_NAME
        self._forget_temporary()
        if len(os.fsencode(path)) > PATH_BYTES_MAX:
            temporary = Path(tempfile.mkdtemp(prefix="moorline-"))
            self._note.write_text(str(temporary))
            path = temporary / SOCKET_NAME
        path.unlink(missing_ok=True)
        self._path = path
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.bind(self.address)

    def fileno(self) -> int:
        """Give the descriptor to wait on."""
        return self._socket.fileno()

    def read(self) -> list[Message]:
        """Give what has come. What is not one of ours is skipped."""
        messages: list[Message] = []
        with contextlib.suppress(BlockingIOError):
            while len(messages) < READ_MAX:
                message = _decode(self._socket.recv(DATAGRAM_BYTES_MAX))
                if message is not None:
                    messages.append(message)
        return messages

    def close(self) -> None:
        """Close it and leave nothing behind; twice is harmless."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
        self._forget_temporary()

    def _forget_temporary(self) -> None:
        """Remove the temporary folder that this receiver made, or one that was killed before it could."""
        with contextlib.suppress(OSError):
            temporary = Path(self._note.read_text())
            self._note.unlink()
            (temporary / SOCKET_NAME).unlink(missing_ok=True)
            temporary.rmdir()


class ReportSender:
    """A child's end. A message that does not get through is dropped, if it may be."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def send(self, message: Message) -> None:
        """Send a message that must arrive. Raises OSError if the node does not read it in time."""
        self._socket.settimeout(SEND_WITHIN_S)
        self._socket.sendto(_encoder.encode(message), self._address)

    def offer(self, message: Message) -> None:
        """Send a message that may be lost."""
        with contextlib.suppress(OSError, ValueError):
            self._socket.settimeout(0)
            self._socket.sendto(_encoder.encode(message), self._address)

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _decode(datagram: bytes) -> Message | None:
    try:
        kind = msgspec.json.decode(datagram)[0]
        decoded: Message = _decoders[kind].decode(datagram)
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError):
        return None
    return decoded
