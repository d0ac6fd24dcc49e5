from __future__ import annotations

from dashboards.terminal.columns import Column, head, plan, row

COLUMNS = (
    Column(title="NAME", width=6, width_max=20),
    Column(title="STATE", rank=1, width=8),
    Column(title="COUNT", rank=2, width=5, is_right=True),
    Column(title="WHY", rank=3, width=10, width_max=40),
)
CONTENTS = (10, 8, 3, 60)


def test_the_least_important_columns_go_first() -> None:
    kept = [plan(COLUMNS, CONTENTS, width).kept for width in (80, 35, 20, 8)]
    assert kept == [(0, 1, 2, 3), (0, 1, 2), (0, 1), (0,)]


def test_what_is_left_goes_to_those_that_need_it() -> None:
    chosen = plan(COLUMNS, CONTENTS, 60)
    assert sum(chosen.widths) + chosen.gap * 3 == 60
    assert chosen.widths[0] == 10


def test_a_column_gets_no_more_than_it_may() -> None:
    assert plan(COLUMNS, CONTENTS, 200).widths == (10, 8, 5, 40)


def test_rows_and_titles_stand_below_each_other() -> None:
    chosen = plan(COLUMNS, CONTENTS, 40)
    top = head(COLUMNS, chosen, 40).plain
    made = row(COLUMNS, chosen, [("n", ""), ("online", ""), ("7", ""), ("", "")], 40).plain
    assert made.index("online") == top.index("STATE")
    assert made.index("7") == top.index("COUNT") + 4


def test_the_chosen_row_stands_out_in_its_whole_width() -> None:
    chosen = plan(COLUMNS, CONTENTS, 40)
    made = row(COLUMNS, chosen, [("n", "red"), ("online", "blue"), ("7", ""), ("", "")], 40, is_chosen=True)
    assert made.cell_len == 40
    assert [str(span.style) for span in made.spans] == ["reverse"]
