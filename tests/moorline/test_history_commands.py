from __future__ import annotations

import json

from tests.moorline.cli_hub import CliHub, run


def test_errors_are_shown_by_group(hub: CliHub) -> None:
    assert "Nothing has gone wrong." in run(hub, "errors").stderr
    hub.groups = [
        {
            "id": "00ff",
            "name": "add",
            "kind": "error",
            "type": "ValueError",
            "message": "no #",
            "place": "app/tasks.py:7 in add",
            "count": 12,
            "first_at": 1.0,
            "last_at": 2.0,
        }
    ]
    head, row = run(hub, "errors", "--limit", "5").stdout.splitlines()
    assert head.split() == ["COUNT", "LAST", "FIRST", "TASK", "ERROR", "PLACE", "GROUP"]
    for words in ("12", "add", "ValueError: no #", "app/tasks.py:7 in add", "00ff"):
        assert words in row
    assert json.loads(run(hub, "errors", "--json").stdout)["groups"][0]["count"] == 12


def test_the_audit_log_is_shown(hub: CliHub) -> None:
    assert "Nobody has done anything yet." in run(hub, "audit").stderr
    hub.lines = [
        {
            "id": 1,
            "at": 3.0,
            "who": "ann (tok_1)",
            "role": "admin",
            "address": "10.0.0.7",
            "action": "node.drain",
            "target": "n1",
            "detail": "",
        }
    ]
    head, row = run(hub, "audit").stdout.splitlines()
    assert head.split() == ["WHEN", "WHO", "ROLE", "FROM", "ACTION", "TARGET", "DETAIL"]
    assert row.split() == [
        "1970-01-01",
        "00:00:03Z",
        "ann",
        "(tok_1)",
        "admin",
        "10.0.0.7",
        "node.drain",
        "n1",
        "-",
    ]
    assert json.loads(run(hub, "audit", "--json").stdout)["entries"][0]["target"] == "n1"
