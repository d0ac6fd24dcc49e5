from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from hub.http.login_cookie import KEY_BYTES, KEY_NAME, LoginSigner, kept_key


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = kept_key(tmp_path)
    assert len(key) == KEY_BYTES
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600
    assert kept_key(tmp_path) == key
    assert [path.name for path in tmp_path.iterdir()] == [KEY_NAME]


def test_a_key_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    key = kept_key(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o644)
    assert kept_key(tmp_path) != key
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short", b"%%%", b"AAAA"])
def test_a_damaged_key_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    kept_key(tmp_path)
    (tmp_path / KEY_NAME).write_bytes(damaged)
    key = kept_key(tmp_path)
    assert len(key) == KEY_BYTES
    assert kept_key(tmp_path) == key


def test_a_hub_starts_where_the_key_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(kept_key(tmp_path / "missing")) == KEY_BYTES
    assert "logins to the web page will end with this run" in caplog.text


def test_what_one_key_signed_another_does_not_take() -> None:
    one, other = LoginSigner(b"a" * KEY_BYTES), LoginSigner(b"b" * KEY_BYTES)
    text = one.issue("tok_a", 0.0)
    assert one.token_of(text, 0.0) == "tok_a"
    assert other.token_of(text, 0.0) is None
    assert one.is_csrf_of(text, one.csrf_of(text))
    assert not one.is_csrf_of(text, other.csrf_of(text))


@pytest.mark.parametrize("text", ["", ".", "....", "1.tok.9999999999.", "\udcff.x", "é"])
def test_what_nobody_signed_is_no_login(text: str) -> None:
    assert LoginSigner(b"a" * KEY_BYTES).token_of(text, 0.0) is None
