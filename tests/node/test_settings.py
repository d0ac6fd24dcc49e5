"""Settings that exist are valid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from node.errors import SettingsError
from node.settings import NodeSettings, default_node_id
from protocol.limits import is_identifier


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hubs": []}, "at least one"),
        ({"hubs": ["http://hub"]}, "ws://"),
        ({"hubs": ["ws://"]}, "ws://"),
        ({"hubs": ["ws://hub:99999"]}, "ws://"),
        ({"hubs": ["ws://user:secret@hub"]}, "--token"),
        ({"hubs": ["ws://hub/?a=b"]}, "behind its path"),
        ({"node_id": "a b"}, "node id"),
        ({"slots": 0}, "slots is 0"),
        ({"slots": 5000}, "4096"),
        ({"name": "x" * 300}, "256"),
        ({"labels": {"a b": "c"}}, "label"),
        ({"labels": {"a": "c" * 300}}, "label a"),
        ({"labels": {f"k{number}": "" for number in range(65)}}, "65 labels"),
        ({"name": "a\nb"}, "without control characters, at most 256"),
        ({"labels": {"site": "ber\0lin"}}, r"label site is 'ber\\x00lin'; expected text without control characters"),
        ({"labels": {"site": os.fsdecode(b"be\xfflin")}}, "without control characters"),
        ({"client_key": Path("key")}, "client certificate"),
        ({"proxy": "proxy.example"}, "http://"),
        ({"proxy": "ftp://proxy.example"}, "http://"),
        ({"token": "moor_a\nmoor_b"}, "printable ASCII"),
        ({"drain_timeout_s": -1.0}, "drain timeout"),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_right(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        NodeSettings(**options)


def test_a_secret_in_an_address_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        NodeSettings(hubs=["ws://user:secret@hub"])
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        NodeSettings(proxy="ftp://user:secret@proxy")
    assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        NodeSettings(token="sécret")
    assert "cret" not in str(caught.value)


def test_defaults_are_valid_and_the_state_folder_is_named_after_the_node() -> None:
    settings = NodeSettings(node_id="n1")
    assert settings.resolved_state == Path(".moorline/nodes/n1")
    assert NodeSettings(state=Path("there")).resolved_state == Path("there")
    assert NodeSettings(hubs=["wss://hub/behind/a/proxy"]).resolved_node_id == default_node_id()


@pytest.mark.parametrize(("host", "node_id"), [("web 1.local", "web-1.local"), ("-x-", "x"), ("ü", "node")])
def test_a_host_name_becomes_an_identifier(host: str, node_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert default_node_id() == node_id
    assert is_identifier(node_id)
