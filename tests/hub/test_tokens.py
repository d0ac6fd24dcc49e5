from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from hub.errors import SettingsError
from hub.settings import DATABASE_NAME
from hub.store.errors import StoreRefusedError
from hub.store.sqlite.store import SqliteStore
from hub.store.tokens import TokenRow
from hub.tokens import TokenBook, create_token, digest_of, list_tokens, revoke_token


def row(token_id: str = "t", secret: str = "s", **more: object) -> TokenRow:
    values: dict[str, object] = {"role": "read"} | more
    return TokenRow(token_id=token_id, name="", digest=digest_of(secret), created_at=0.0, **values)


# --- as people make them --------------------------------------------------------------------------------------------


def test_a_secret_has_256_bits_and_is_stored_nowhere(tmp_path: Path) -> None:
    created = create_token(tmp_path / "state", name="ci", role="submit")
    assert created.secret.startswith("moor_")
    assert len(created.secret) == 5 + 43
    for path in (tmp_path / "state").iterdir():
        assert created.secret.encode() not in path.read_bytes()


def test_a_token_can_be_made_before_the_first_start_in_a_folder_that_is_private(tmp_path: Path) -> None:
    create_token(tmp_path / "a" / "b", name="ci", role="admin")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_token_is_made_and_revoked_while_a_hub_has_the_store_open(tmp_path: Path) -> None:
    hub = SqliteStore.open(tmp_path / DATABASE_NAME, durability="normal")
    try:
        created = create_token(tmp_path, name="n", role="node", expires_in_s=60, node_id="n1")
        book = TokenBook()
        book.replace(hub.tokens(), time.time())
        grant = book.check(created.secret, time.time())
        assert grant is not None
        assert (grant.token_id, grant.role, grant.node_id) == (created.id, "node", "n1")
        assert revoke_token(tmp_path, created.id)
        assert book.replace(hub.tokens(), time.time()) == {created.id}
        assert book.check(created.secret, time.time()) is None
    finally:
        hub.close()


def test_tokens_are_listed_without_their_secrets(tmp_path: Path) -> None:
    created = create_token(tmp_path, name="ci", role="read", expires_in_s=3600)
    (view,) = list_tokens(tmp_path)
    assert (view.id, view.name, view.role, view.node_id, view.revoked_at) == (created.id, "ci", "read", None, None)
    assert view.expires_at == pytest.approx(view.created_at + 3600)


def test_revoking_twice_keeps_the_first_time(tmp_path: Path) -> None:
    created = create_token(tmp_path, name="ci", role="read")
    assert revoke_token(tmp_path, created.id)
    first = list_tokens(tmp_path)[0].revoked_at
    assert revoke_token(tmp_path, created.id)
    assert list_tokens(tmp_path)[0].revoked_at == first


def test_an_unknown_token_cannot_be_revoked(tmp_path: Path) -> None:
    create_token(tmp_path, name="ci", role="read")
    assert not revoke_token(tmp_path, "tok_other")


def test_a_folder_without_a_hub_is_not_made_by_looking_at_it(tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError, match="state folder"):
        list_tokens(tmp_path / "nothing")
    with pytest.raises(StoreRefusedError):
        revoke_token(tmp_path / "nothing", "t")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"role": "root"}, "node, submit, read, admin"),
        ({"name": "a\nb"}, "printable"),
        ({"name": "x" * 300}, "printable"),
        ({"expires_in_s": 0}, "above 0"),
        ({"expires_in_s": float("inf")}, "above 0"),
        ({"node_id": "n1"}, "role node"),
        ({"role": "node", "node_id": "a b"}, "1-128 characters"),
    ],
)
def test_a_value_that_no_token_can_have_is_refused(tmp_path: Path, wrong: dict[str, object], words: str) -> None:
    values: dict[str, object] = {"name": "ci", "role": "read"} | wrong
    with pytest.raises(SettingsError, match=words):
        create_token(tmp_path, **values)  # type: ignore[arg-type]
    assert not (tmp_path / DATABASE_NAME).exists()


# --- as the hub asks for them ---------------------------------------------------------------------------------------


def test_an_unknown_secret_is_no_grant() -> None:
    book = TokenBook()
    book.replace([row(secret="right")])
    assert book.check("wrong", 1.0) is None
    assert book.check("\ud800", 1.0) is None
    assert book.check("right", 1.0) is not None


def test_an_expired_token_is_no_grant_and_is_named_once() -> None:
    book = TokenBook()
    rows = [row("a", "sa", expires_at=10.0), row("b", "sb")]
    assert book.replace(rows, 5.0) == frozenset()
    assert book.check("sa", 9.9) is not None
    assert book.check("sa", 10.0) is None
    assert book.replace(rows, 11.0) == {"a"}
    assert book.replace(rows, 12.0) == frozenset()


def test_a_token_that_vanished_from_the_store_is_ended() -> None:
    book = TokenBook()
    book.replace([row("a")], 1.0)
    assert book.replace([], 1.0) == {"a"}


def test_revoking_the_last_token_does_not_open_the_door() -> None:
    book = TokenBook()
    assert not book.has_tokens
    book.replace([row("a", revoked_at=1.0)], 2.0)
    assert book.has_tokens
