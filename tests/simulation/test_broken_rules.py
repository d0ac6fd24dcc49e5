"""The simulation bites: with any of these rules of the design broken, a seed finds it."""

from __future__ import annotations

import itertools

import pytest

from tests.simulation.broken import RULES
from tests.simulation.runner import run_here

SEEDS = 2_000

# Where some were found before: tried first, so that the test is quick. Any other seed will do.
LIKELY = {
    "leases-not-renewed-after-a-full-disk": 38,
    "push-what-an-earlier-instance-had": 15,
    "push-what-was-cancelled-meanwhile": 97,
    "no-margin-behind-a-lease": 153,
    "node-keeps-no-lease": 153,
    "node-looks-at-leases-late": 244,
    "push-before-commit": 36,
    "node-forgets-results-when-restarted": 21,
    "attempts-in-neither": 52,
    "inventory-without-results": 21,
    "node-starts-what-it-had": 11,
    "frames-of-superseded-connections-count": 30,
    "frames-of-connections-that-were-left-count": 51,
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_found(rule: str) -> None:
    seeds = itertools.chain([LIKELY.get(rule, 0)], range(SEEDS))
    found = next((report for report in run_here(seeds, rule) if not report.is_clean), None)
    assert found is not None, f"{SEEDS} seeds do not find {rule}"
    assert found.promise != "nothing raises", found.what
