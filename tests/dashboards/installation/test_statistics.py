from __future__ import annotations

import dataclasses

from dashboards.installation.statistics import NodeFigures, Statistics, check_growth, check_sums, figures_of
from moorline.views import NodeView

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


def test_only_what_may_grow_is_taken_from_what_the_api_says() -> None:
    view = NodeView(id="n1", state="online", first_seen_at=5.0, connects=2, totals={"succeeded": 3.0, "run_s": 1.5})
    figures = figures_of(view)
    assert (figures.node_id, figures.first_seen_at, figures.connects) == ("n1", 5.0, 2)
    assert figures.totals == {"succeeded": 3, "failed": 0, "cancelled": 0, "lost": 0}


def test_each_problem_is_noted_once_and_growth_is_held_against_the_last_word() -> None:
    statistics = Statistics()
    for succeeded in (5.0, 4.0, 4.0, 6.0):
        statistics.note([NodeView(id="n1", state="online", totals={"succeeded": succeeded})])
    for _ in range(2):
        statistics.note([])
    assert statistics.problems == ["node n1: succeeded was 5 and is 4", "node n1 is not known any more"]
