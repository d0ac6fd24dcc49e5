"""When a certificate runs out, from its file. Reads that one field (RFC 5280, 4.1) and judges nothing.

Python's ``ssl`` takes apart only what it trusts; a hub's own certificate is often signed by an authority that its
machine does not know.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from typing import Final

_SEQUENCE, _VERSION_TAG, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18

_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def expires_at(pem: str) -> float | None:
    """Give when the first certificate of a chain in PEM runs out that does; None if there is none in it.

    Raises:
        ValueError: a certificate cannot be read.
    """
    ends = [_not_after(ssl.PEM_cert_to_DER_cert(text)) for text in _PEM.findall(pem)]
    return min(ends, default=None)


def _not_after(der: bytes) -> float:
    try:
        _, certificate, _ = _element(der)
        _, to_be_signed, _ = _element(certificate)
        rest = to_be_signed
        tag, _, behind = _element(rest)
        if tag == _VERSION_TAG:
            rest = behind
        # Serial number, algorithm, issuer; then the validity.
        for _ in range(3):
            _, _, rest = _element(rest)
        tag, validity, _ = _element(rest)
        if tag != _SEQUENCE:
            raise ValueError("there is no validity where it should be")
        _, _, rest = _element(validity)
        tag, text, _ = _element(rest)
        return _time(tag, text.decode("ascii"))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"this is no X.509 certificate: {error}") from None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Give the tag and the content of the first element (X.690, 8.1), and what stands behind it."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("this is no X.509 certificate: it ends too early")
    return tag, data[start:end], data[end:]


def _time(tag: int, text: str) -> float:
    if tag == _UTC_TIME:
        # Two digits of the year: 50 and above are of the last century (RFC 5280, 4.1.2.5.1).
        text = f"{'19' if int(text[:2]) >= 50 else '20'}{text}"
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"this is no time of a certificate: tag {tag:#x}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
