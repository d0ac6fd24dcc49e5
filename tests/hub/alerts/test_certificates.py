"""When a certificate runs out, read from files as authorities make them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import trustme

from hub.alerts.certificates import expires_at

SOON = datetime(2031, 5, 17, 18, 0, tzinfo=UTC)
FAR = datetime(2077, 1, 2, 3, 4, 5, tzinfo=UTC)


def pem_of(expires: datetime) -> str:
    leaf = trustme.CA().issue_cert("hub.example", not_after=expires)
    return leaf.cert_chain_pems[0].bytes().decode()


@pytest.mark.parametrize("expires", [SOON, FAR], ids=["UTCTime", "GeneralizedTime"])
def test_both_ways_of_writing_the_time_are_read(expires: datetime) -> None:
    assert expires_at(pem_of(expires)) == expires.timestamp()


def test_of_a_chain_the_first_that_runs_out_counts() -> None:
    assert expires_at(pem_of(FAR) + pem_of(SOON)) == SOON.timestamp()


def test_a_file_without_a_certificate_says_nothing() -> None:
    assert expires_at("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n") is None


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_what_is_no_certificate_is_refused(cut: int) -> None:
    lines = pem_of(SOON).splitlines()
    body = "".join(lines[1:-1])
    # Four characters are three bytes.
    text = "\n".join([lines[0], body[: 4 * cut], lines[-1]])
    with pytest.raises(ValueError, match=r"X\.509|validity|time"):
        expires_at(text)
