"""Read what an operator wants to know from an X.509 certificate (RFC 5280), trusted or not.

Python's ``ssl`` takes a certificate apart only if it trusts it; yet the expired and the unknown ones are what one
looks for. This reads the few fields that a check tells, and nothing else: it judges nothing, and what is trusted is
OpenSSL's to say.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

_SEQUENCE, _SET, _OID, _INTEGER = 0x30, 0x31, 0x06, 0x02
_OCTETS, _BOOLEAN, _UTC_TIME, _GENERALIZED_TIME = 0x04, 0x01, 0x17, 0x18
_VERSION_TAG, _EXTENSIONS_TAG = 0xA0, 0xA3
_DNS_NAME_TAG, _IP_ADDRESS_TAG = 0x82, 0x87

_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
# RFC 4514 §3, and the address of a person that old authorities put into names.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_ENCODINGS = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}

# Certificates of large content networks carry about a hundred names; a result stays small whatever one claims.
NAMES_MAX = 200


class BadCertificateError(Exception):
    """The bytes are no certificate, or one that is put together wrongly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The fields of a certificate that people look at. Names are written as RFC 4514 does, most specific last."""

    subject: str
    issuer: str
    serial_number: str
    not_before_at: float
    not_after_at: float
    names: tuple[str, ...]
    """DNS names and IP addresses that it is for, at most 200."""


def read_certificate(der: bytes) -> Certificate:
    """Take a certificate in DER apart.

    Raises:
        BadCertificateError: it cannot be read.
    """
    try:
        return _read(der)
    except (ValueError, IndexError, StopIteration, OverflowError) as error:
        raise BadCertificateError(f"this is no X.509 certificate: {str(error) or 'it ends too early'}") from None


def _read(der: bytes) -> Certificate:
    outer = _Reader(der)
    to_be_signed = _Reader(_Reader(outer.take(_SEQUENCE)).take(_SEQUENCE))
    to_be_signed.skip_if(_VERSION_TAG)
    serial_number = to_be_signed.take(_INTEGER)
    to_be_signed.take(_SEQUENCE)
    issuer = to_be_signed.take(_SEQUENCE)
    validity = _Reader(to_be_signed.take(_SEQUENCE))
    subject = to_be_signed.take(_SEQUENCE)
    to_be_signed.take(_SEQUENCE)
    return Certificate(
        subject=_name(subject),
        issuer=_name(issuer),
        serial_number=f"{int.from_bytes(serial_number, 'big'):X}",
        not_before_at=_time(*validity.next()),
        not_after_at=_time(*validity.next()),
        names=tuple(_alternative_names(to_be_signed)),
    )


class _Reader:
    """Walks over the elements of one level (ITU-T X.690 §8.1: tag, length, content)."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        return self._position >= len(self._content)

    def next(self) -> tuple[int, bytes]:
        """Give the tag and the content of the next element."""
        tag = self._content[self._position]
        length = self._content[self._position + 1]
        start = self._position + 2
        if length >= 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise ValueError(f"an element has a length of {count} bytes")
            length = int.from_bytes(self._content[start : start + count], "big")
            start += count
        end = start + length
        if end > len(self._content):
            raise ValueError("an element is longer than what holds it")
        self._position = end
        return tag, self._content[start:end]

    def take(self, tag: int) -> bytes:
        """Give the content of the next element, which must have this tag."""
        found, content = self.next()
        if found != tag:
            raise ValueError(f"an element has tag 0x{found:02x} where 0x{tag:02x} should be")
        return content

    def skip_if(self, tag: int) -> None:
        """Pass the next element over if it has this tag."""
        if self._content[self._position] == tag:
            self.next()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """Give the elements that are left."""
        while not self.is_at_end:
            yield self.next()


def _name(content: bytes) -> str:
    parts = []
    for _, relative in _Reader(content).rest():
        for _, pair in _Reader(relative).rest():
            attribute = _Reader(pair)
            kind = _object_identifier(attribute.take(_OID))
            parts.append(f"{_SHORT_NAMES.get(kind, kind)}={_text(*attribute.next())}")
    return ", ".join(parts)[:1000]


def _text(tag: int, content: bytes) -> str:
    return content.decode(_ENCODINGS.get(tag, "utf-8"), "replace")[:200]


def _object_identifier(content: bytes) -> str:
    numbers = []
    value = 0
    for byte in content:
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))


def _time(tag: int, content: bytes) -> float:
    """Give seconds since 1970. RFC 5280 §4.1.2.5: both forms end in Z; two digits of a year are 1950 to 2049."""
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"a time has tag 0x{tag:02x}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _alternative_names(to_be_signed: _Reader) -> list[str]:
    names: list[str] = []
    for tag, content in to_be_signed.rest():
        if tag != _EXTENSIONS_TAG:
            continue
        for _, extension in _Reader(_Reader(content).take(_SEQUENCE)).rest():
            fields = _Reader(extension)
            if _object_identifier(fields.take(_OID)) != _SUBJECT_ALTERNATIVE_NAME:
                continue
            fields.skip_if(_BOOLEAN)
            names.extend(_general_names(fields.take(_OCTETS)))
    return names[:NAMES_MAX]


def _general_names(content: bytes) -> Iterator[str]:
    for tag, name in _Reader(_Reader(content).take(_SEQUENCE)).rest():
        if tag == _DNS_NAME_TAG:
            yield name.decode("ascii", "backslashreplace")
        elif tag == _IP_ADDRESS_TAG and len(name) in {4, 16}:
            yield str(ipaddress.ip_address(name))
