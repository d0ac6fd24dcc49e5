from __future__ import annotations

import contextlib
import ssl

import pytest
import trustme
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from examples.diagnosis.x509 import BadCertificateError, read_certificate

AUTHORITY = trustme.CA(organization_name="Harbour")
ISSUED = AUTHORITY.issue_cert("a.example", "*.b.example", "192.0.2.7", "2001:db8::1", common_name="Kai Nr. 1, Süd")
DER = ssl.PEM_cert_to_DER_cert(ISSUED.cert_chain_pems[0].bytes().decode())


def test_the_fields_are_those_that_a_library_reads() -> None:
    known = x509.load_der_x509_certificate(DER)
    read = read_certificate(DER)
    assert read.not_before_at == known.not_valid_before_utc.timestamp()
    assert read.not_after_at == known.not_valid_after_utc.timestamp()
    assert int(read.serial_number, 16) == known.serial_number
    assert read.names == ("a.example", "*.b.example", "192.0.2.7", "2001:db8::1")
    assert "CN=Kai Nr. 1, Süd" in read.subject
    assert "O=Harbour" in read.issuer


def test_a_certificate_after_2049_writes_its_time_in_the_long_form() -> None:
    root = ssl.PEM_cert_to_DER_cert(AUTHORITY.cert_pem.bytes().decode())
    known = x509.load_der_x509_certificate(root)
    read = read_certificate(root)
    assert read.not_after_at == known.not_valid_after_utc.timestamp()
    assert read.names == ()


@pytest.mark.parametrize("missing", [1.0, 0.99, 0.5, 0.1, 0.0])
def test_a_cut_certificate_is_refused(missing: float) -> None:
    length = int(len(DER) * (1 - missing))
    with pytest.raises(BadCertificateError):
        read_certificate(DER[: min(length, len(DER) - 1)])


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_read_or_refused(noise: bytes) -> None:
    with pytest.raises(BadCertificateError):
        read_certificate(noise)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_certificate_with_one_wrong_byte_is_read_or_refused(position: int, byte: int) -> None:
    spoilt = DER[:position] + bytes([byte]) + DER[position + 1 :]
    with contextlib.suppress(BadCertificateError):
        read_certificate(spoilt)
