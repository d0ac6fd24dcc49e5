"""Look a name up, connect, shake hands: each step timed, each under a deadline, each failure a value with a kind."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from examples.diagnosis.validation import check_file

FailureKind: TypeAlias = Literal[
    "name_unknown", "refused", "unreachable", "timeout", "tls", "certificate", "not_http", "disconnected"
]

Address: TypeAlias = tuple[int, tuple[str, int] | tuple[str, int, int, int]]
"""An address family and what `socket.connect` takes for it."""

# What a reader holds at most before somebody reads: no line of an honest answer is longer.
LINE_BYTES_MAX = 16 * 1024

# A name with more addresses than this is a pool, and a few of them answer the question.
ADDRESSES_MAX = 8


class CheckFailedError(Exception):
    """What was checked is not well. The check that caught it turns it into a result; it never leaves a task."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def as_json(self) -> dict[str, object]:
        """Give the failure as it stands in a result."""
        return {"kind": self.kind, "message": str(self)}


class Stopwatch:
    """Milliseconds since the last lap, on a clock that never jumps."""

    def __init__(self) -> None:
        self._started_s = self._lap_s = time.perf_counter()

    def lap_ms(self) -> float:
        """Give the milliseconds since the last lap, and begin the next."""
        now_s = time.perf_counter()
        elapsed_ms = _milliseconds(now_s - self._lap_s)
        self._lap_s = now_s
        return elapsed_ms

    def total_ms(self) -> float:
        """Give the milliseconds since the watch was made."""
        return _milliseconds(time.perf_counter() - self._started_s)


@dataclass(slots=True, kw_only=True)
class Timings:
    """How long each step took; None for a step that did not come to its end."""

    look_up_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    addresses: list[str] = field(default_factory=list)
    """The addresses that were tried, in order; the last one is the one that answered, if any did."""


@contextlib.asynccontextmanager
async def deadline(within_s: float) -> AsyncIterator[float]:
    """Run a check for at most so long; gives the end on the loop's clock.

    Raises:
        CheckFailedError: `timeout`.
    """
    try:
        async with asyncio.timeout(within_s):
            yield asyncio.get_running_loop().time() + within_s
    except TimeoutError:
        raise CheckFailedError("timeout", f"nothing came of it within {within_s:g} s") from None


def trusting_context(ca_path: str | None) -> ssl.SSLContext:
    """Make a TLS context that trusts the system's authorities, or only those of a PEM file.

    Raises:
        ValueError: the file is not there, or holds no certificate.
    """
    if ca_path is None:
        return ssl.create_default_context()
    path = check_file("ca_path", ca_path)
    try:
        return ssl.create_default_context(cafile=str(path))
    except (ssl.SSLError, OSError) as error:
        raise ValueError(f"ca_path is {ca_path!r}; give a PEM file of certificates (here: {error})") from None


async def look_up(host: str, port: int, family: int = socket.AF_UNSPEC) -> list[Address]:
    """Ask the system's resolver for the addresses of a host, in its order of preference.

    The resolver's thread cannot be stopped: cancelling this only stops waiting for it.

    Raises:
        CheckFailedError: `name_unknown`, with the resolver's words.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise CheckFailedError("name_unknown", f"{host} has no address: {_words(error)}") from None
    return [(entry[0], entry[4]) for entry in found]  # type: ignore[misc]  # AF_UNSPEC gives these two families only


async def connect(addresses: list[Address], timings: Timings, deadline_s: float) -> socket.socket:
    """Connect to the first address that lets us, and give the connected socket, which the caller closes.

    Each address gets an even share of the time that is left until ``deadline_s`` (the loop's clock), so that one that
    swallows packets leaves some for the next.

    Raises:
        CheckFailedError: none answered; says why for the last one.
    """
    loop = asyncio.get_running_loop()
    failure = CheckFailedError("unreachable", "there is no address to connect to")
    tried = addresses[:ADDRESSES_MAX]
    for index, (family, address) in enumerate(tried):
        timings.addresses.append(str(address[0]))
        share_s = max(0.0, deadline_s - loop.time()) / (len(tried) - index)
        try:
            return await _connect_one(family, address, share_s)
        except CheckFailedError as error:
            failure = error
    raise failure


async def open_stream(
    connected: socket.socket, context: ssl.SSLContext | None, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Make streams of a connected socket, after a TLS handshake if a context is given. The socket is theirs from
    then on.

    Raises:
        CheckFailedError: `certificate` if it was not accepted, `tls` for the rest of what can go wrong.
    """
    server_name = host if context is not None else None
    try:
        return await asyncio.open_connection(
            sock=connected, ssl=context, server_hostname=server_name, limit=LINE_BYTES_MAX
        )
    except ssl.SSLCertVerificationError as error:
        raise CheckFailedError("certificate", error.verify_message or str(error)) from None
    except ssl.SSLError as error:
        raise CheckFailedError("tls", f"the TLS handshake failed: {error.reason or error}") from None
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise CheckFailedError("tls", f"the connection ended in the TLS handshake: {_words(error)}") from None


def family_name(family: int) -> str:
    """Give ``ipv6`` or ``ipv4``."""
    return "ipv6" if family == socket.AF_INET6 else "ipv4"


async def _connect_one(
    family: int, address: tuple[str, int] | tuple[str, int, int, int], share_s: float
) -> socket.socket:
    attempt = socket.socket(family, socket.SOCK_STREAM)
    try:
        attempt.setblocking(False)
        async with asyncio.timeout(share_s):
            await asyncio.get_running_loop().sock_connect(attempt, address)
    except BaseException as error:
        # Also when this is cancelled: the socket is nobody's yet.
        attempt.close()
        if isinstance(error, OSError):
            raise _connect_failure(f"{address[0]} port {address[1]}", error, share_s) from None
        raise
    return attempt


def _connect_failure(where: str, error: OSError, share_s: float) -> CheckFailedError:
    if isinstance(error, TimeoutError):
        return CheckFailedError("timeout", f"{where} did not answer within {share_s:.1f} s")
    if isinstance(error, ConnectionRefusedError):
        return CheckFailedError("refused", f"{where} refused the connection")
    return CheckFailedError("unreachable", f"{where} cannot be reached: {_words(error)}")


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
