"""Does it answer, and how quickly: a TCP port, an HTTP address."""

from __future__ import annotations

import ssl

from examples.diagnosis.connections import (
    CheckFailedError,
    Stopwatch,
    Timings,
    connect,
    deadline,
    look_up,
    open_stream,
    trusting_context,
)
from examples.diagnosis.http_exchange import Answer, exchange
from examples.diagnosis.validation import (
    HttpAddress,
    check_choice,
    check_host,
    check_integer,
    check_seconds,
    check_url,
)
from moorline import task

# Longer than this nobody waits for a connection; the tasks' own timeout stands above it.
WITHIN_S_MAX = 60.0
TASK_TIMEOUT_S = WITHIN_S_MAX + 5

# All that matters of a page comes early; a download of 10 MiB in a health check is a mistake.
BODY_BYTES_MAX = 10 * 1024 * 1024


@task(name="diagnosis.tcp_check", timeout_s=TASK_TIMEOUT_S, labels={"pack": "diagnosis"})
async def tcp_check(host: str, port: int, within_s: float = 5.0) -> dict[str, object]:
    """Say whether a TCP port answers, and how long the name and the connection took.

    Args:
        host: name or address.
        port: 1-65535.
        within_s: give up after this long (0.1-60 s); that is then the result.

    Returns:
        ``host, port, is_reachable, address, look_up_ms, connect_ms, failure``; the last is None or ``{kind, message}``.

    Raises:
        ValueError: an argument makes no sense.
    """
    check_host("host", host)
    check_integer("port", port, 1, 65535)
    check_seconds("within_s", within_s, 0.1, WITHIN_S_MAX)
    timings = Timings()
    failure: CheckFailedError | None = None
    try:
        async with deadline(within_s) as deadline_s:
            watch = Stopwatch()
            addresses = await look_up(host, port)
            timings.look_up_ms = watch.lap_ms()
            connected = await connect(addresses, timings, deadline_s)
            timings.connect_ms = watch.lap_ms()
            connected.close()
    except CheckFailedError as error:
        failure = error
    return {
        "host": host,
        "port": port,
        "is_reachable": failure is None,
        "address": timings.addresses[-1] if timings.addresses else None,
        "look_up_ms": timings.look_up_ms,
        "connect_ms": timings.connect_ms,
        "failure": failure.as_json() if failure else None,
    }


@task(name="diagnosis.http_check", timeout_s=TASK_TIMEOUT_S, labels={"pack": "diagnosis"})
async def http_check(
    url: str,
    within_s: float = 10.0,
    method: str = "GET",
    body_bytes_max: int = 1024 * 1024,
    ca_path: str | None = None,
) -> dict[str, object]:
    """Send one HTTP request, and say what came back and where the time went.

    Redirects are reported and not followed: each hop is a question of its own. Compression is not asked for.

    Args:
        url: ``http://`` or ``https://``.
        within_s: give up after this long (0.1-60 s); that is then the result.
        method: ``GET`` or ``HEAD``.
        body_bytes_max: read no more of the body than this (0-10,485,760 bytes).
        ca_path: a PEM file of authorities to trust instead of the system's.

    Returns:
        ``url, has_answered, status, reason, location, body_bytes, is_body_complete, address``, the timings
        ``look_up_ms, connect_ms, tls_ms, first_byte_ms, total_ms`` (each from the end of the step before; the total
        from the start) and ``failure``: None or ``{kind, message}``.

    Raises:
        ValueError: an argument makes no sense.
    """
    address = check_url("url", url)
    check_seconds("within_s", within_s, 0.1, WITHIN_S_MAX)
    check_choice("method", method, {"GET", "HEAD"})
    check_integer("body_bytes_max", body_bytes_max, 0, BODY_BYTES_MAX)
    context = trusting_context(ca_path) if address.is_secure else None
    timings = Timings()
    failure: CheckFailedError | None = None
    answer = Answer()
    watch = Stopwatch()
    try:
        async with deadline(within_s) as deadline_s:
            await _ask(address, method, body_bytes_max, context, timings, answer, deadline_s)
    except CheckFailedError as error:
        failure = error
    return {
        "url": url,
        "has_answered": answer.status is not None,
        "status": answer.status,
        "reason": answer.reason,
        "location": answer.location,
        "body_bytes": answer.body_bytes,
        "is_body_complete": answer.is_body_complete,
        "address": timings.addresses[-1] if timings.addresses else None,
        "look_up_ms": timings.look_up_ms,
        "connect_ms": timings.connect_ms,
        "tls_ms": timings.tls_ms,
        "first_byte_ms": timings.first_byte_ms,
        "total_ms": watch.total_ms(),
        "failure": failure.as_json() if failure else None,
    }


async def _ask(
    address: HttpAddress,
    method: str,
    body_bytes_max: int,
    context: ssl.SSLContext | None,
    timings: Timings,
    answer: Answer,
    deadline_s: float,
) -> None:
    """Fill in the timings and the answer as far as it gets, so that a failure tells what came before it."""
    watch = Stopwatch()
    addresses = await look_up(address.host, address.port)
    timings.look_up_ms = watch.lap_ms()
    connected = await connect(addresses, timings, deadline_s)
    timings.connect_ms = watch.lap_ms()
    reader, writer = await open_stream(connected, context, address.host)
    try:
        if context is not None:
            timings.tls_ms = watch.lap_ms()
        await exchange(
            reader,
            writer,
            address,
            answer,
            method=method,
            body_bytes_max=body_bytes_max,
            on_first_byte=lambda: setattr(timings, "first_byte_ms", watch.lap_ms()),
        )
    finally:
        # Nothing more is wanted, so nothing waits for a polite end.
        writer.transport.abort()
