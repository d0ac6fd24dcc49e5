"""When does this certificate run out, and would a client trust it."""

from __future__ import annotations

import ssl
import time

from examples.diagnosis.connections import (
    CheckFailedError,
    Timings,
    connect,
    deadline,
    look_up,
    open_stream,
    trusting_context,
)
from examples.diagnosis.validation import check_host, check_integer, check_seconds
from examples.diagnosis.x509 import BadCertificateError, Certificate, read_certificate
from moorline import task

WITHIN_S_MAX = 60.0
DAY_S = 86_400


@task(name="diagnosis.certificate_check", timeout_s=WITHIN_S_MAX + 5, labels={"pack": "diagnosis"})
async def certificate_check(
    host: str,
    port: int = 443,
    server_name: str | None = None,
    ca_path: str | None = None,
    within_s: float = 10.0,
) -> dict[str, object]:
    """Look at the certificate of a TLS server: how long it is good for, whom it is for, and whether it is trusted here.

    A certificate that is not trusted is shown all the same: it is fetched once more without checking, and nothing is
    sent.

    Args:
        host: name or address.
        port: 1-65535.
        server_name: the name to ask for and to check, if it is not ``host``.
        ca_path: a PEM file of authorities to trust instead of the system's.
        within_s: give up after this long (0.1-60 s); that is then the result.

    Returns:
        ``host, port, has_certificate, is_trusted, distrust`` (why not), ``days_left`` (negative: expired),
        ``not_before_at, not_after_at`` (seconds since 1970), ``subject, issuer, serial_number, names, address,
        tls_version`` and ``failure``: None or ``{kind, message}``.

    Raises:
        ValueError: an argument makes no sense.
    """
    check_host("host", host)
    check_integer("port", port, 1, 65535)
    name = check_host("server_name", server_name) if server_name is not None else host
    check_seconds("within_s", within_s, 0.1, WITHIN_S_MAX)
    context = trusting_context(ca_path)
    timings = Timings()
    distrust: str | None = None
    certificate: Certificate | None = None
    tls_version: str | None = None
    failure: CheckFailedError | None = None
    try:
        async with deadline(within_s) as deadline_s:
            try:
                certificate, tls_version = await _fetch(host, port, name, context, timings, deadline_s)
            except CheckFailedError as error:
                if error.kind != "certificate":
                    raise
                distrust = str(error)
                certificate, tls_version = await _fetch(host, port, name, _trusting_all(), timings, deadline_s)
    except CheckFailedError as error:
        failure = error
    return {
        "host": host,
        "port": port,
        "has_certificate": certificate is not None,
        "is_trusted": certificate is not None and distrust is None,
        "distrust": distrust,
        **_described(certificate, time.time()),
        "address": timings.addresses[-1] if timings.addresses else None,
        "tls_version": tls_version,
        "failure": failure.as_json() if failure else None,
    }


async def _fetch(
    host: str, port: int, server_name: str, context: ssl.SSLContext, timings: Timings, deadline_s: float
) -> tuple[Certificate, str | None]:
    addresses = await look_up(host, port)
    connected = await connect(addresses, timings, deadline_s)
    _, writer = await open_stream(connected, context, server_name)
    try:
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        der = session.getpeercert(binary_form=True)
        if der is None:
            raise CheckFailedError("tls", "the server showed no certificate")
        return read_certificate(der), session.version()
    except BadCertificateError as error:
        raise CheckFailedError("certificate", str(error)) from None
    finally:
        writer.transport.abort()


def _trusting_all() -> ssl.SSLContext:
    """Make a context that looks at any certificate. Nothing is ever sent over a connection that it made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _described(certificate: Certificate | None, now_at: float) -> dict[str, object]:
    keys = ("days_left", "not_before_at", "not_after_at", "subject", "issuer", "serial_number")
    if certificate is None:
        return {**dict.fromkeys(keys), "names": []}
    return {
        "days_left": round((certificate.not_after_at - now_at) / DAY_S, 1),
        "not_before_at": certificate.not_before_at,
        "not_after_at": certificate.not_after_at,
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial_number": certificate.serial_number,
        "names": list(certificate.names),
    }
