from __future__ import annotations

from dashboards.charts import bar, columns, resampled, spark_line


def test_the_spark_line_rises_with_the_numbers() -> None:
    assert spark_line([0, 1, 2, 3, 4]) == "▁▃▅▇█"
    assert spark_line([0, 0]) == "▁▁"
    assert spark_line([]) == ""


def test_what_is_not_known_is_a_gap() -> None:
    assert spark_line([1, None, 1]) == "█ █"
    assert columns([None, 2.0], 1) == [" █"]


def test_a_peak_is_kept_when_numbers_share_a_place() -> None:
    assert resampled([1, 9, 1, 1], 2) == [9, 1]
    assert resampled([None, None, 3], 3) == [None, None, 3]
    assert resampled([1, 2], 4) == [1, 1, 2, 2]
    assert resampled([], 4) == []


def test_columns_over_several_lines_stand_on_the_lowest() -> None:
    assert columns([1.0, 2.0], 2, 2.0) == [" █", "██"]


def test_what_is_more_than_nothing_is_to_be_seen() -> None:
    assert columns([0.001, 100.0], 1, 100.0) == ["▁█"]


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(0.5, 4) == ("━━", "──")
    assert bar(7.0, 4) == ("━━━━", "")
