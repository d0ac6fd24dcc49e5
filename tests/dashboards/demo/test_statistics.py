from __future__ import annotations

import dataclasses

from dashboards.demo.statistics import NodeFigures, check_growth, check_sums

BEFORE = NodeFigures(node_id="n1", first_seen_at=10.0, connects=1, totals={"succeeded": 5, "failed": 1})


def test_figures_that_grew_are_well() -> None:
    after = dataclasses.replace(BEFORE, connects=2, totals={"succeeded": 7, "failed": 1, "lost": 1})
    other = dataclasses.replace(BEFORE, node_id="n2")
    assert check_growth([BEFORE], [other, after]) == []


def test_each_thing_that_shrank_or_changed_is_said() -> None:
    after = NodeFigures(node_id="n1", first_seen_at=11.0, connects=0, totals={"succeeded": 4})
    assert check_growth([BEFORE], [after]) == [
        "node n1: succeeded was 5 and is 4",
        "node n1: failed was 1 and is 0",
        "node n1: connects was 1 and is 0",
        "node n1: first seen at 10.0, and now it is 11.0",
    ]


def test_a_node_that_is_not_known_any_more_is_said() -> None:
    assert check_growth([BEFORE], []) == ["node n1 is not known any more"]


def test_the_sums_over_all_nodes_are_those_that_clients_were_told() -> None:
    other = dataclasses.replace(BEFORE, node_id="n2", totals={"succeeded": 2})
    assert check_sums([BEFORE, other], {"succeeded": 7, "failed": 1}) == []
    assert check_sums([BEFORE], {"succeeded": 6, "failed": 1}) == [
        "the nodes' totals say 5 succeeded, clients were told 6"
    ]
    assert check_sums([BEFORE], {"succeeded": 5}) == ["the nodes' totals say 1 failed, clients were told 0"]
