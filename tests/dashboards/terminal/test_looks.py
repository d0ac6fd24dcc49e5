from __future__ import annotations

from rich.cells import cell_len

from dashboards.charts import SPARKS
from dashboards.terminal.bindings import BINDINGS
from dashboards.terminal.looks import (
    ASCII,
    EVENT_LOOKS,
    LEVEL_LOOKS,
    NODE_LOOKS,
    SEVERITY_LOOKS,
    TASK_LOOKS,
    event_look,
    node_look,
)

LOOKS = [
    look for table in (TASK_LOOKS, NODE_LOOKS, LEVEL_LOOKS, SEVERITY_LOOKS, EVENT_LOOKS) for look in table.values()
]


def test_each_glyph_is_one_cell_and_has_an_ascii_character() -> None:
    drawn = {*SPARKS, *"━─■□▲·⊘◐↑↓…‖", *(look.glyph for look in LOOKS)}
    drawn |= {character for binding in BINDINGS for character in binding.label if not character.isascii()}
    assert all(cell_len(glyph) == 1 for glyph in drawn)
    assert drawn <= set(ASCII)
    assert all(len(told) == 1 and told.isascii() and told != "?" for glyph, told in ASCII.items() if glyph != "◌")


def test_states_are_told_apart_without_colours_and_in_ascii() -> None:
    for table in (TASK_LOOKS, NODE_LOOKS):
        assert len({look.glyph for look in table.values()}) == len(table)
        assert len({ASCII[look.glyph] for look in table.values()}) == len(table)
        assert len({look.word for look in table.values()}) == len(table)


def test_neither_red_nor_green_is_used() -> None:
    assert not [look for look in LOOKS if "red" in look.style or "green" in look.style]


def test_an_event_looks_like_the_state_that_it_led_to() -> None:
    assert event_look("task.failed", "failed") == TASK_LOOKS["failed"]
    assert event_look("node.unreachable") == NODE_LOOKS["unreachable"]
    assert event_look("alert.firing").word == "firing"


def test_a_node_that_is_away_is_not_called_cordoned() -> None:
    assert node_look("online", cordoned=True).word == "cordoned"
    assert node_look("unreachable", cordoned=True).word == "unreachable"
