"""Two thousand seeds, clean: in four parts, so that they spread over processes."""

from __future__ import annotations

import pytest

from tests.simulation.runner import run_here

SEEDS = 2_000
PARTS = 4


# A seed takes some 40 ms; a machine that is shared by everybody may take ten times as long.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_holds_in_every_seed(part: int) -> None:
    for report in run_here(range(part, SEEDS, PARTS)):
        assert report.is_clean, (
            f"{report.promise}: {report.what}; replay it: python -m tests.simulation --seed {report.seed} --verbose"
        )
