from __future__ import annotations

import re
from collections import Counter

from hub.decisions.departures import DEPARTURES
from hub.decisions.lifecycle import TaskState
from hub.decisions.meter import OTHER, Meter
from hub.metrics.reading import ChannelReading, Counts
from hub.metrics.samples import NAMES_MAX
from hub.metrics.table import METRICS
from tests.hub.metrics.readings import histogram, shown


def test_names_follow_the_rules_of_prometheus() -> None:
    names = Counter(metric.name for metric in METRICS)
    assert max(names.values()) == 1
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*", metric.name)
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert metric.about.endswith(".")


def test_no_label_names_a_task_or_a_node() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert labels == {
        "channel", "code", "direction", "hub_id", "kind", "method", "name", "reason", "route", "severity", "state",
        "status", "verdict", "version",
    }  # fmt: skip
    assert [metric.name for metric in METRICS if "name" in metric.labels] == [
        "task_wait_seconds", "task_run_seconds", "attempts_failed"
    ]  # fmt: skip


def test_the_queue_and_its_oldest_task_are_shown() -> None:
    values = shown()
    assert values["moorline_tasks", (("state", "queued"),)] == 3
    assert values["moorline_oldest_queued_age_seconds", ()] == 10.0
    assert values["moorline_nodes", (("state", "unreachable"),)] == 1


def test_what_the_hub_knows_is_shown_while_the_store_does_not_answer() -> None:
    values = shown(stats=None, degraded=True)
    assert values["moorline_store_up", ()] == 0
    assert values["moorline_hub_degraded", ()] == 1
    assert values["moorline_sessions", ()] == 2
    assert not [name for name, _ in values if name in {"moorline_tasks", "moorline_nodes"}]


def test_counters_of_known_values_are_there_before_anything_happened() -> None:
    values = shown(counts=Counts())
    for reason in DEPARTURES:
        assert values["moorline_disconnects_total", (("reason", reason),)] == 0
    for state in TaskState:
        assert values["moorline_task_moves_total", (("state", state.value),)] == 0
    assert values["moorline_handshakes_refused_total", (("reason", "admission"),)] == 0
    assert values["moorline_results_total", (("verdict", "quarantined"),)] == 0


def test_what_was_counted_is_shown_by_its_class() -> None:
    counts = Counts(
        core={"registrations": 2, "resumptions": 3, "disconnects_silent": 4, "results_foreign": 5, "refused_new": 6},
        gateway={"admission": 7, "novel": 8},
        events={"submitted": 9, "task.running": 10, "node.online": 11},
        requests={("GET", "/v1/tasks/{id}", 404): 12},
    )
    values = shown(counts=counts)
    assert values["moorline_registrations_total", (("kind", "registered"),)] == 2
    assert values["moorline_registrations_total", (("kind", "resumed"),)] == 3
    assert values["moorline_disconnects_total", (("reason", "silent"),)] == 4
    assert values["moorline_results_total", (("verdict", "foreign"),)] == 5
    assert values["moorline_registrations_refused_total", (("code", "new"),)] == 6
    assert values["moorline_handshakes_refused_total", (("reason", "admission"),)] == 7
    assert values["moorline_handshakes_refused_total", (("reason", "novel"),)] == 8
    assert values["moorline_tasks_submitted_total", ()] == 9
    assert values["moorline_task_moves_total", (("state", "running"),)] == 10
    labels = (("method", "GET"), ("route", "/v1/tasks/{id}"), ("status", "404"))
    assert values["moorline_http_requests_total", labels] == 12


def test_names_beyond_the_limit_share_a_series() -> None:
    meter = Meter()
    runs = meter.runs | {f"n{number}": histogram(1.0) for number in range(NAMES_MAX + 20)}
    values = shown(runs=runs)
    names = {dict(labels)["name"] for name, labels in values if name == "moorline_task_run_seconds_count"}
    assert names == {*(f"n{number}" for number in range(NAMES_MAX)), OTHER}
    assert values["moorline_task_run_seconds_count", (("name", OTHER),)] == 20


def test_what_the_meter_put_together_stays_together() -> None:
    runs = {OTHER: histogram(1.0, 2.0)} | {f"n{number}": histogram(1.0) for number in range(NAMES_MAX)}
    values = shown(runs=runs)
    assert values["moorline_task_run_seconds_count", (("name", OTHER),)] == 3


def test_failures_have_the_names_of_the_run_times() -> None:
    runs = {f"n{number}": histogram(1.0) for number in range(NAMES_MAX + 2)} | {OTHER: histogram(1.0)}
    failures = {"n0": 3, f"n{NAMES_MAX}": 4, OTHER: 5}
    values = shown(runs=runs, failures=failures)
    counted = {
        dict(labels)["name"]: n for (name, labels), n in values.items() if name == "moorline_attempts_failed_total"
    }
    assert len(counted) == NAMES_MAX + 1
    assert (counted["n0"], counted["n1"], counted[OTHER]) == (3, 0, 9)
    assert shown(failures={})["moorline_attempts_failed_total", (("name", "work"),)] == 0


def test_channels_for_alerts_say_how_they_are() -> None:
    values = shown(channels=[ChannelReading(name="pager", waiting=2, failures=7)])
    assert values["moorline_alert_messages_waiting", (("channel", "pager"),)] == 2
    assert values["moorline_alert_channel_failures", (("channel", "pager"),)] == 7


def test_a_hub_without_tls_has_no_certificate() -> None:
    assert ("moorline_tls_certificate_expires_seconds", ()) not in shown()
    assert shown(certificate_expires_at=5.0)["moorline_tls_certificate_expires_seconds", ()] == 5.0


def test_a_name_may_be_anything() -> None:
    name = 'a"b\\c\nd'
    assert shown(runs={name: histogram(1.0)})["moorline_task_run_seconds_count", (("name", name),)] == 1
