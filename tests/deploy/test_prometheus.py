"""The rules of `deploy/prometheus`, by promtool, which comes with Debian's package `prometheus`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.metric_names import exported, named
from tests.programs import program

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = ("recording.rules.yml", "alerting.rules.yml")


def promtool(*arguments: str, cwd: Path = FOLDER) -> str:
    """Run promtool; give what it said, which is an error unless it ended well."""
    tool = program("promtool", package="prometheus")
    done = subprocess.run([tool, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(file: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / file).read_text())["tests"]
    return found


@pytest.mark.parametrize("file", RULES)
def test_rules_are_rules(file: str) -> None:
    promtool("check", "rules", file)


def test_the_settings_of_prometheus_are_settings(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "moorline.token").write_text("secret")
    promtool("check", "config", "prometheus.yml", cwd=tmp_path)


@pytest.mark.parametrize("file", ["recording.test.yml", "alerting.test.yml"])
def test_rules_do_what_their_tests_say(file: str) -> None:
    promtool("test", "rules", file)


@pytest.mark.parametrize("file", RULES)
def test_rules_name_metrics_and_records_that_there_are(file: str) -> None:
    records = {rule["record"] for rule in rules("recording.rules.yml")}
    for rule in rules(file):
        query = rule["expr"]
        assert named(query) <= exported(), rule
        used = {word for word in query.replace("(", " ").split() if word.startswith("instance") and ":" in word}
        assert used <= records, rule
        assert named(query) | used, rule


def test_each_record_has_a_test() -> None:
    tested = {each["expr"] for case in cases("recording.test.yml") for each in case["promql_expr_test"]}
    assert {rule["record"] for rule in rules("recording.rules.yml")} == tested


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    samples = str([each["promql_expr_test"] for each in cases("alerting.test.yml") if "promql_expr_test" in each])
    for rule in rules("alerting.rules.yml"):
        assert f'alertname="{rule["alert"]}"' in samples


def test_each_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    for rule in rules("alerting.rules.yml"):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} == set(rule["annotations"])
        assert "$labels.instance" in rule["annotations"]["summary"]
