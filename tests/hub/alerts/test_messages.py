"""What receivers get: one shape of JSON, ids that stay, a signature, and words for people."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from msgspec.structs import replace

from hub.alerts.messages import ALERTS_PER_MESSAGE, LINES_MAX, HubName, in_words, outbound, signature, trial_message
from hub.store.alerts import AlertRow

HUB = HubName(id="hub-1", version="1.2.3")


def row(number: int = 1, **more: Any) -> AlertRow:
    values: dict[str, Any] = {
        "id": f"alert-{number}",
        "rule": "node_unreachable",
        "kind": "node_unreachable",
        "subject": f"n{number}",
        "node_id": f"n{number}",
        "severity": "warning",
        "state": "firing",
        "message": f"node n{number} is unreachable: reset",
        "value": 61.5,
        "since_at": 1_700_000_000.0,
        "fired_at": 1_700_000_060.0,
    }
    return AlertRow(**values | more)


def test_a_message_says_all_about_its_alerts() -> None:
    (message,) = outbound(HUB, "ops", [row()], 1_700_000_061.0)
    assert json.loads(message.body) == {
        "version": 1,
        "id": message.id,
        "at": 1_700_000_061.0,
        "test": False,
        "hub": {"id": "hub-1", "version": "1.2.3"},
        "alerts": [
            {
                "id": "alert-1",
                "rule": "node_unreachable",
                "kind": "node_unreachable",
                "severity": "warning",
                "state": "firing",
                "subject": "n1",
                "node_id": "n1",
                "message": "node n1 is unreachable: reset",
                "value": 61.5,
                "since_at": 1_700_000_000.0,
                "fired_at": 1_700_000_060.0,
                "resolved_at": None,
            }
        ],
    }
    assert (message.channel, message.made_at) == ("ops", 1_700_000_061.0)


def test_the_same_news_for_the_same_channel_has_the_same_id() -> None:
    (first,) = outbound(HUB, "ops", [row()], 1.0)
    (again,) = outbound(HUB, "ops", [row()], 2.0)
    (elsewhere,) = outbound(HUB, "mail", [row()], 1.0)
    (over,) = outbound(HUB, "ops", [replace(row(), state="resolved", resolved_at=3.0)], 1.0)
    assert first.id == again.id
    assert len({first.id, elsewhere.id, over.id}) == 3


def test_many_alerts_are_cut_into_messages() -> None:
    messages = outbound(HUB, "ops", [row(number) for number in range(ALERTS_PER_MESSAGE + 1)], 1.0)
    assert [len(json.loads(message.body)["alerts"]) for message in messages] == [ALERTS_PER_MESSAGE, 1]


def test_the_signature_is_what_the_reference_says() -> None:
    right = hmac.new(b"secret", b"1700000000." + b'{"a":1}', hashlib.sha256).hexdigest()
    assert signature(b"secret", "1700000000", b'{"a":1}') == f"v1={right}"


def test_people_get_a_title_and_a_line_for_each_alert() -> None:
    (message,) = outbound(HUB, "mail", [row()], 1.0)
    title, text = in_words(message.body)
    assert title == "[moorline hub-1] firing: node n1 is unreachable: reset"
    assert text == ("FIRING warning node_unreachable: node n1 is unreachable: reset (since 2023-11-14 22:13:20 UTC)")
    many = [row(number) for number in range(LINES_MAX + 3)]
    many[0] = replace(many[0], state="resolved", resolved_at=2.0)
    (message,) = outbound(HUB, "mail", many, 1.0)
    title, text = in_words(message.body)
    assert title == f"[moorline hub-1] {LINES_MAX + 2} firing, 1 resolved"
    assert len(text.splitlines()) == LINES_MAX + 1
    assert text.endswith("and 3 more")


def test_a_test_says_that_it_is_one() -> None:
    message = trial_message(HUB, "mail", "test-1", 5.0)
    said = json.loads(message.body)
    assert (said["test"], said["id"], said["alerts"][0]["rule"]) == (True, "test-1", "test")
    assert in_words(message.body)[0] == "[moorline hub-1] test"
