from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.figures import TIMES
from benchmarks.peers.report import BEGIN, DOCUMENT, END, figures_table, part, publish, targets_table, with_part
from tests.benchmarks.peers.comparisons import record


def test_moorline_is_first_then_the_fastest_and_floors_are_last() -> None:
    table = figures_table(record(moorline=[5], celery=[1], nats=[9], sqlite=[99]))
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == [
        "**Moorline**",
        "NATS core, request/reply",
        "Celery on Redis",
        "floor: SQLite alone",
    ]


def test_a_row_has_the_median_the_range_the_ratio_and_what_is_on_disk() -> None:
    table = figures_table(record(moorline=[2000, 3000, 4000], nats=[1000, 1000, 1000]))
    ours, theirs = table.splitlines()[2:]
    assert "| 3,000 (2,000-4,000) |" in ours
    assert "SQLite commit, fsync" in ours
    assert f"| 3 (2-4) {TIMES} |" in theirs
    assert "at most once" in theirs


def test_each_target_is_marked_met_or_missed() -> None:
    table = targets_table(record(moorline=[100], nats=[50], jetstream=[50]))
    met, missed, not_measured = table.splitlines()[2:5]
    assert f"≥ 1.2 {TIMES}" in met
    assert met.endswith(f"| 2 {TIMES} | met |")
    assert missed.endswith(f"| 2 {TIMES} | **missed** |")
    assert not_measured.endswith("| not measured | **missed** |")


def test_who_is_left_out_is_named_with_the_reason() -> None:
    made = record(moorline=[10], nats=[], celery=[], taskiq=[5])
    entries = {entry.name: entry for entry in made.entries}
    entries["nats"].left_out = "no wheel for this system"
    entries["celery"].failures = {1: "worker ended with status 1: boom\nat line 7"}
    entries["taskiq"].failures = {1: "once only"}
    text = part(made)
    assert "- NATS core, request/reply: no wheel for this system\n" in text
    assert "- Celery on Redis: failed in every round: worker ended with status 1: boom\n" in text
    assert "Taskiq on Redis (failed in 1 of 1 rounds)" in text


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    text = with_part(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new")
    assert text == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert with_part(text, "new") == text


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines"):
        with_part("before", "new")


def test_a_comparison_is_published_as_table_and_picture(tmp_path: Path) -> None:
    document, picture = tmp_path / "performance.md", tmp_path / "peers.svg"
    document.write_text(DOCUMENT.read_text())
    publish(record(moorline=[10, 20], nats=[5, 6]), document, picture)
    assert "**Moorline**" in document.read_text()
    assert picture.read_text().startswith("<svg")
