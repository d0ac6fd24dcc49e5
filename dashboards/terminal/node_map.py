"""The fleet on one screen: a cell for each slot, or where that is too much, for each node or for some. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from rich.text import Text

from dashboards.terminal.looks import BAD, BUSY, DIM, WELL
from dashboards.terminal.snapshot import MapNode
from dashboards.terminal.texts import line

# How full a node is, where it has one cell: empty, then by eighths.
_FILLED: Final = "▁▂▃▄▅▆▇█"

SLOT: Final = "a cell is a slot"

FULL, FREE, AWAY, CORDONED, GONE = "■", "□", "▲", "⊘", "·"

# Worst first: what a cell shows that stands for several nodes.
_ORDER: Final = {"unreachable": 0, "draining": 1, "online": 2, "gone": 3}


class Group(NamedTuple):
    """Cells that stay together: characters and their style."""

    runs: tuple[tuple[str, str], ...]
    width: int


class Drawing(NamedTuple):
    """The map, and what one of its cells stands for."""

    lines: list[Text]
    scale: str


def draw(nodes: Sequence[MapNode], width: int, height: int) -> Drawing:
    """Draw nodes in their order on so much room, as closely as they fit."""
    nodes = [node for node in nodes if node.state != "gone"]
    if not nodes or width < 1 or height < 1:
        return Drawing([], "")
    tries: tuple[tuple[str, Callable[[MapNode], Group], int], ...] = (
        # Nodes of one slot each need no gaps to be told apart.
        (SLOT, _slots, int(any(node.slots > 1 for node in nodes[: len(nodes) // 2 + 1]))),
        (SLOT, _slots, 0),
        ("a cell is a node", _one, 0),
    )
    room = width * height
    for scale, group_of, gap in tries:
        # Before it is laid out: what cannot fit at all costs nothing.
        least = sum(max(1, node.slots) for node in nodes) if group_of is _slots else len(nodes)
        if least <= room:
            flowed = _flow([group_of(node) for node in nodes], width, gap, height)
            if flowed is not None:
                return Drawing(flowed, scale)
    per_cell = -(-len(nodes) // room)
    parts = [nodes[start : start + per_cell] for start in range(0, len(nodes), per_cell)]
    flowed = _flow([_several(part) for part in parts], width, 0, height)
    return Drawing(flowed or [], f"a cell is {per_cell} nodes")


def legend(nodes: Sequence[MapNode], scale: str) -> list[tuple[str, str]]:
    """Give what the cells mean, as far as there are such."""
    if scale == SLOT:
        marks = [(f"{FULL} busy", WELL), (f"{FREE} free", DIM)]
    else:
        marks = [(f"{_FILLED[0]} idle", DIM), (f"{_FILLED[3]} half full", WELL), (f"{_FILLED[7]} full", WELL)]
    states = {node.state for node in nodes}
    if "unreachable" in states:
        marks.append((f"{AWAY} away", BAD))
    if "draining" in states or any(node.cordoned for node in nodes):
        marks.append((f"{CORDONED} takes nothing new", BUSY))
    return marks


def _slots(node: MapNode) -> Group:
    slots = max(1, node.slots)
    busy = max(0, min(node.slots_in_use, slots))
    match node.state:
        case "unreachable":
            return Group(((AWAY * slots, BAD),), slots)
        case "gone":
            return Group(((GONE * slots, DIM),), slots)
        case "online" if not node.cordoned:
            return Group(((FULL * busy, WELL), (FREE * (slots - busy), DIM)), slots)
        case _:
            return Group(((FULL * busy, BUSY), (CORDONED * (slots - busy), BUSY)), slots)


def _one(node: MapNode) -> Group:
    return _several([node])


def _several(nodes: Sequence[MapNode]) -> Group:
    worst = min((node.state for node in nodes), key=lambda state: _ORDER.get(state, 1))
    if worst == "unreachable":
        return Group(((AWAY, BAD),), 1)
    slots = sum(node.slots for node in nodes)
    busy = sum(node.slots_in_use for node in nodes)
    if worst == "online" and not all(node.cordoned for node in nodes):
        glyph = _FILLED[min(7, busy * 8 // slots)] if slots else FREE
        return Group(((glyph, WELL if busy else DIM),), 1)
    return Group(((GONE, DIM),), 1) if worst == "gone" else Group(((CORDONED, BUSY),), 1)


def _flow(groups: Sequence[Group], width: int, gap: int, height: int) -> list[Text] | None:
    """Lay groups out in lines; one that does not fit behind the others begins a line. None: it is too much."""
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0
    for group in groups:
        space = gap if used else 0
        if used + space + group.width > width and used:
            lines.append([])
            used, space = 0, 0
        if len(lines) > height:
            return None
        if space:
            lines[-1].append((" " * space, ""))
            used += space
        used = _put(lines, group, used, width)
    return [line(*_joined(runs)) for runs in lines] if len(lines) <= height else None


def _put(lines: list[list[tuple[str, str]]], group: Group, used: int, width: int) -> int:
    """Put a group behind what stands there, over several lines if it is wider than one; give the cells then used."""
    for text, style in group.runs:
        rest = text
        while rest:
            if used == width:
                lines.append([])
                used = 0
            piece, rest = rest[: width - used], rest[width - used :]
            lines[-1].append((piece, style))
            used += len(piece)
    return used


def _joined(runs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join neighbours of the same style: a line is then some pieces, not some hundred."""
    made: list[tuple[str, str]] = []
    for text, style in runs:
        # A space has no colour of its own: it goes with what is before it.
        if made and (made[-1][1] == style or not text.strip()):
            made[-1] = (made[-1][0] + text, made[-1][1])
        else:
            made.append((text, style))
    return made
