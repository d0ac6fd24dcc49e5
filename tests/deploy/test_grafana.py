from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.metric_names import exported, named
from tests.deploy.test_prometheus import promtool

DASHBOARD: dict[str, Any] = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "moorline.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
QUERIES = [
    *(target["expr"] for panel in PANELS for target in panel.get("targets", ())),
    *(annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]),
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_names_metrics_that_are_exported(query: str) -> None:
    assert named(query)
    assert named(query) <= exported()


def test_queries_are_queries(tmp_path: Path) -> None:
    plain = [query.replace("$__rate_interval", "1m") for query in QUERIES]
    group = {"name": "g", "rules": [{"record": f"r{number}", "expr": query} for number, query in enumerate(plain)]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
    promtool("check", "rules", "rules.yml", cwd=tmp_path)


def test_variables_ask_for_a_metric_that_is_exported() -> None:
    for variable in DASHBOARD["templating"]["list"]:
        assert variable["type"] == "datasource" or named(variable["query"]) <= exported()


def test_each_query_goes_to_the_data_source_and_the_hub_that_were_chosen() -> None:
    for panel in PANELS:
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
    for query in QUERIES:
        assert query.count("{") == query.count('job=~"$job", instance=~"$instance"')


def test_panels_have_their_own_places_and_numbers() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations([panel["gridPos"] for panel in PANELS], 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)
        assert one["x"] + one["w"] <= 24


def test_all_metrics_of_nodes_tasks_and_the_store_are_on_it() -> None:
    """Who adds a metric thinks of the dashboard; some say nothing over time."""
    shown = set().union(*map(named, QUERIES))
    shown = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in shown}
    names = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in exported()}
    unshown = {name for name in names - shown if name.startswith("moorline_")}
    assert unshown == {
        *("moorline_hub_info", "moorline_store_operations_total"),
        "moorline_disk_size_bytes",
    }
