from __future__ import annotations

from pathlib import Path

from hub.metrics.reference import document

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text() == document(), "write it again: python -m hub.metrics.reference > docs/reference/metrics.md"
