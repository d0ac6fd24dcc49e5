"""What came out of it: one JSON object for programs, and a few lines for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dashboards.installation.judgement import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one demo. The fields are those of the JSON object, in its order."""

    tasks: int
    succeeded: int
    failed: int
    """Tasks with any other final outcome: the client was told so."""
    lost: int
    ran_twice: int
    reruns_after_node_death: int
    hub_kills: int
    node_kills: int
    nodes_back_s: float | None
    """From the restarted hub being ready until all nodes were online; None if it did not come to that."""
    statistics_kept: bool
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether the promise held."""
        return self.lost == 0 and self.ran_twice == 0 and self.statistics_kept

    def as_json(self) -> str:
        """Give the object as one line."""
        return json.dumps(asdict(self), separators=(",", ":"))


def make_report(
    judgement: Judgement,
    *,
    hub_kills: int,
    node_kills: int,
    nodes_back_s: float | None,
    statistics_problems: Sequence[str],
    seconds: float,
) -> Report:
    """Put the judgement and the measurements together.

    Everything that is wrong with a task other than its being lost counts as having run twice: whether nothing explains
    a run or nothing an outcome, somebody did its work on false grounds.
    """
    succeeded = judgement.outcomes.get("succeeded", 0)
    return Report(
        tasks=judgement.accepted,
        succeeded=succeeded,
        failed=sum(judgement.outcomes.values()) - succeeded,
        lost=judgement.count("lost"),
        ran_twice=judgement.count("ran_twice", "unexplained", "wrong_outcome", "unreadable"),
        reruns_after_node_death=judgement.reruns.get("node_killed", 0),
        hub_kills=hub_kills,
        node_kills=node_kills,
        nodes_back_s=None if nodes_back_s is None else round(nodes_back_s, 2),
        statistics_kept=not statistics_problems,
        seconds=round(seconds, 1),
    )


def verdict_lines(report: Report) -> list[tuple[str, bool]]:
    """Give what was checked, in words, and whether it held."""
    reruns = report.reruns_after_node_death
    explained = f"; {reruns} ran again because their node was killed" if reruns else ""
    return [
        (f"{report.lost} lost of {report.tasks} accepted tasks", report.lost == 0),
        (f"{report.ran_twice} ran twice{explained}", report.ran_twice == 0),
        (
            "every node's statistics were kept" if report.statistics_kept else "statistics were lost",
            report.statistics_kept,
        ),
    ]
