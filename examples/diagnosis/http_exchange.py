"""One HTTP/1.1 request and its answer on an open stream (RFC 9112), read no further than a check needs.

A library would hide the moment of the first byte, which is what people ask for when they say that something is slow.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from examples.diagnosis.connections import CheckFailedError
from examples.diagnosis.validation import HttpAddress

# Twice what common servers allow a request to have.
HEADER_LINES_MAX = 200
# `103 Early Hints` and its like may come before the answer; more than a few is an attack.
INTERIM_ANSWERS_MAX = 5
READ_BYTES = 64 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: ([^\r\n]*))?\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


@dataclass(slots=True, kw_only=True)
class Answer:
    """What has come back so far; ``status`` is None until the status line has come."""

    status: int | None = None
    reason: str | None = None
    location: str | None = None
    body_bytes: int | None = None
    is_body_complete: bool | None = None


async def exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    address: HttpAddress,
    answer: Answer,
    *,
    method: str,
    body_bytes_max: int,
    on_first_byte: Callable[[], None],
) -> None:
    """Send the request, and fill in the answer as it comes.

    Raises:
        CheckFailedError: `not_http`, or `disconnected` if the connection ended in the middle.
    """
    try:
        writer.write(_request(address, method))
        first_byte = await reader.readexactly(1)
        on_first_byte()
        headers = await _read_head(reader, answer, first_byte)
        answer.body_bytes = 0
        if method == "HEAD" or answer.status in {204, 304}:
            answer.is_body_complete = True
        else:
            answer.is_body_complete = await _read_body(reader, headers, answer, body_bytes_max)
    except asyncio.LimitOverrunError:
        raise CheckFailedError("not_http", "the answer has a line that is longer than HTTP servers send") from None
    except asyncio.IncompleteReadError:
        raise CheckFailedError("disconnected", "the connection was closed before the answer was complete") from None
    except (ConnectionError, ssl.SSLError) as error:
        raise CheckFailedError("disconnected", f"the connection ended early: {error}") from None


def _request(address: HttpAddress, method: str) -> bytes:
    host = f"[{address.host}]" if ":" in address.host else address.host
    usual_port = 443 if address.is_secure else 80
    authority = host if address.port == usual_port else f"{host}:{address.port}"
    return (
        f"{method} {address.target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: moorline-diagnosis\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


async def _read_head(reader: asyncio.StreamReader, answer: Answer, first_byte: bytes) -> dict[str, str]:
    read_before = first_byte
    for _ in range(INTERIM_ANSWERS_MAX):
        line = read_before + await reader.readuntil(b"\n")
        matched = _STATUS_LINE.fullmatch(line)
        if matched is None:
            raise CheckFailedError("not_http", f"the answer is not HTTP/1: it begins {line[:40]!r}")
        headers = await _read_headers(reader)
        status = int(matched[1])
        if status >= 200:
            answer.status = status
            answer.reason = (matched[2] or b"").decode("latin-1").strip()[:200]
            answer.location = headers.get("location")
            return headers
        read_before = b""
    raise CheckFailedError("not_http", "the answer is nothing but interim answers (1xx)")


async def _read_headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(HEADER_LINES_MAX):
        line = await reader.readuntil(b"\n")
        if line in {b"\r\n", b"\n"}:
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise CheckFailedError("not_http", f"the answer has more than {HEADER_LINES_MAX} header lines")


async def _read_body(
    reader: asyncio.StreamReader, headers: dict[str, str], answer: Answer, body_bytes_max: int
) -> bool:
    """Count the body's bytes, and tell whether that was all of it."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader, answer, body_bytes_max)
    length = headers.get("content-length", "")
    if length.isdecimal():
        return await _read_counted(reader, int(length), answer, body_bytes_max)
    return await _read_to_the_end(reader, answer, body_bytes_max)


async def _read_counted(reader: asyncio.StreamReader, length: int, answer: Answer, body_bytes_max: int) -> bool:
    before = answer.body_bytes or 0
    wanted = min(length, body_bytes_max - before)
    remaining = wanted
    while remaining > 0:
        piece = await reader.read(min(READ_BYTES, remaining))
        if not piece:
            raise asyncio.IncompleteReadError(b"", remaining)
        remaining -= len(piece)
        answer.body_bytes = before + wanted - remaining
    return wanted == length


async def _read_chunks(reader: asyncio.StreamReader, answer: Answer, body_bytes_max: int) -> bool:
    while True:
        line = await reader.readuntil(b"\n")
        matched = _CHUNK_SIZE.fullmatch(line)
        if matched is None:
            raise CheckFailedError("not_http", f"the body has no chunk size where one should be: {line[:40]!r}")
        size = int(matched[1], 16)
        if size == 0:
            return True
        if not await _read_counted(reader, size, answer, body_bytes_max):
            return False
        await reader.readuntil(b"\n")


async def _read_to_the_end(reader: asyncio.StreamReader, answer: Answer, body_bytes_max: int) -> bool:
    count = 0
    while count < body_bytes_max:
        piece = await reader.read(min(READ_BYTES, body_bytes_max - count))
        if not piece:
            return True
        count += len(piece)
        answer.body_bytes = count
    return not await reader.read(1)
