from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboards.terminal.node_map import SLOT, draw, legend
from dashboards.terminal.snapshot import MapNode


def nodes(count: int, slots: int = 4, used: int = 1, state: str = "online") -> list[MapNode]:
    return [MapNode(f"n{number}", state, slots, used, False) for number in range(count)]


def text_of(found: list[MapNode], width: int, height: int) -> str:
    return "\n".join(each.plain for each in draw(found, width, height).lines)


def test_each_slot_has_a_cell_and_nodes_stand_apart() -> None:
    assert text_of(nodes(2), 20, 5) == "■□□□ ■□□□"


def test_nodes_of_one_slot_need_no_gaps() -> None:
    assert text_of(nodes(4, slots=1, used=0), 20, 5) == "□□□□"


def test_a_node_that_is_away_or_takes_nothing_new_looks_different() -> None:
    assert text_of(nodes(1, state="unreachable"), 20, 5) == "▲▲▲▲"
    assert text_of([MapNode("n", "online", 4, 1, True)], 20, 5) == "■⊘⊘⊘"


def test_where_slots_do_not_fit_a_cell_is_a_node_and_says_how_full_it_is() -> None:
    drawing = draw([*nodes(40, used=0), *nodes(40, used=4)], 80, 1)
    assert drawing.scale == "a cell is a node"
    assert drawing.lines[0].plain == "▁" * 40 + "█" * 40


def test_where_nodes_do_not_fit_a_cell_is_several_and_shows_the_worst() -> None:
    drawing = draw([*nodes(99), *nodes(1, state="unreachable")], 10, 1)
    assert drawing.scale == "a cell is 10 nodes"
    assert drawing.lines[0].plain == "▃" * 9 + "▲"


def test_a_node_that_is_gone_takes_no_room() -> None:
    assert draw(nodes(3, state="gone"), 20, 5).lines == []


def test_the_legend_names_what_is_there() -> None:
    assert [text for text, _ in legend(nodes(1), SLOT)] == ["■ busy", "□ free"]
    assert "▲ away" in [text for text, _ in legend(nodes(1, state="unreachable"), SLOT)]


some_nodes = st.lists(
    st.builds(
        MapNode,
        st.just("n"),
        st.sampled_from(["online", "draining", "unreachable", "gone", "new"]),
        st.integers(0, 300),
        st.integers(0, 300),
        st.booleans(),
    ),
    max_size=60,
)


@given(found=some_nodes, width=st.integers(1, 120), height=st.integers(1, 30))
def test_the_map_always_fits(found: list[MapNode], width: int, height: int) -> None:
    lines = draw(found, width, height).lines
    assert len(lines) <= height
    assert all(each.cell_len <= width for each in lines)
