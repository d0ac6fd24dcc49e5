from __future__ import annotations

import json
import time

from click.testing import Result

from moorline import SyncClient
from tests.moorline.cli_hub import CliHub
from tests.moorline.cli_hub import run as run_any


def run(hub: CliHub, *arguments: str) -> Result:
    return run_any(hub, "alert", *arguments)


def alert(state: str = "firing", **more: object) -> dict[str, object]:
    now_s = time.time()
    return {
        "id": f"a-{state}", "rule": "node_unreachable", "severity": "warning", "subject": "n1", "state": state,
        "message": "node n1 is unreachable", "value": 61.0, "since_at": now_s - 61, "fired_at": now_s - 1,
        "resolved_at": None, "silenced_until": None, **more,
    }  # fmt: skip


def channel(**more: object) -> dict[str, object]:
    return {"name": "ops", "kind": "webhook", "severity": "warning", "waiting": 0, "failures": 0, "failure": "", **more}


def test_a_list_is_a_table_of_what_fires_and_is_pending(hub: CliHub) -> None:
    hub.alerts |= {
        "alerts": [alert(silenced_until=time.time() + 7200.5), alert("pending", subject="n2"), alert("resolved")],
        "channels": [channel()],
    }
    result = run(hub, "list")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RULE", "STATE", "SEVERITY", "SINCE", "MESSAGE", "SILENCED"]
    assert lines[1].split()[:3] == ["node_unreachable", "firing", "warning"]
    assert lines[1].endswith("ends in 2h")
    assert lines[2].split()[1] == "pending"
    assert len(lines) == 3
    assert len(run(hub, "list", "--all").stdout.splitlines()) == 4
    assert json.loads(run(hub, "list", "--json").stdout)["alerts"][0]["subject"] == "n1"


def test_a_list_says_when_nothing_fires_and_when_nobody_would_be_told(hub: CliHub) -> None:
    result = run(hub, "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing fires." in result.stderr
    assert "Nobody is told: there are no channels." in result.stderr


def test_a_list_has_the_silences_and_the_channels_that_take_nothing(hub: CliHub) -> None:
    silence = {
        "id": "silence-1", "rule": "", "subject": "n1", "made_at": 1.0, "until_at": time.time() + 3600.5 * 3,
        "comment": "moving house", "who": "ops (tok_1)",
    }  # fmt: skip
    hub.alerts |= {"silences": [silence], "channels": [channel(waiting=3, failures=2, failure="HTTP 500")]}
    result = run(hub, "list")
    assert result.stdout.splitlines()[-1].split() == [
        "silence-1",
        "all",
        "n1",
        "+3h",
        "ops",
        "(tok_1)",
        "moving",
        "house",
    ]
    assert "The channel ops takes nothing (3 messages wait): HTTP 500" in result.stderr


def test_a_silence_is_asked_for_in_the_words_of_the_api(hub: CliHub) -> None:
    result = run(hub, "silence", "node_unreachable", "--subject", "n1", "--for", "2h", "--comment", "moving")
    assert (result.exit_code, result.stdout) == (0, "silence-1\n")
    assert "moorline alert unsilence silence-1" in result.stderr
    assert run(hub, "silence", "--for", "30m", "--json").exit_code == 0
    assert hub.silences == [
        {"for_s": 7200.0, "rule": "node_unreachable", "subject": "n1", "comment": "moving"},
        {"for_s": 1800.0, "comment": ""},
    ]
    assert run(hub, "silence").exit_code == 2, "for how long must be said"


def test_a_silence_can_be_ended(hub: CliHub) -> None:
    result = run(hub, "unsilence", "silence-1")
    assert (result.exit_code, result.stderr) == (0, "Silence silence-1 has ended.\n")
    assert json.loads(run(hub, "unsilence", "silence-1", "--json").stdout)["id"] == "silence-1"
    assert run(hub, "unsilence", "other").exit_code == 5


def test_a_test_prints_what_each_channel_answers(hub: CliHub) -> None:
    hub.tested = [{"channel": "ops", "ok": True, "detail": "HTTP 204"}]
    result = run(hub, "test")
    assert (result.exit_code, result.stdout) == (0, "ops  ok      HTTP 204\n")
    hub.tested.append({"channel": "script", "ok": False, "detail": "exit status 1"})
    result = run(hub, "test")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "script  failed  exit status 1"
    result = run(hub, "test", "--json")
    assert (result.exit_code, json.loads(result.stdout)["channels"]) == (1, hub.tested)


def test_a_test_without_channels_ends_with_5(hub: CliHub) -> None:
    result = run(hub, "test")
    assert result.exit_code == 5
    assert "this hub has no channels" in result.stderr


def test_programs_without_an_event_loop_ask_the_same(hub: CliHub) -> None:
    hub.alerts |= {"alerts": [alert()], "channels": [channel()]}
    hub.tested = [{"channel": "ops", "ok": True, "detail": "HTTP 204"}]
    with SyncClient(hub.url) as client:
        assert client.alerts().alerts[0].subject == "n1"
        assert client.silence(for_s=60, rule="disk_low").id == "silence-1"
        assert client.end_silence("silence-1").until_at == 1700000000.0
        assert [test.ok for test in client.test_alerts()] == [True]
