"""Lists of nodes: filters, orders, pages, and the map."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from hub.decisions.filter_terms import NODE_FIELDS
from hub.decisions.filters import parse
from hub.store.node_views import NodeCell, NodeQuery, NodeSort
from hub.store.nodes import NodeLeft, NodeRegistration, RegisterNode
from hub.store.wishes import NodeWish
from protocol.frames import Inventory
from tests.hub.store.board import Board, offer

# Node id, slots in use, outbox, round trip in ms, as sessions say.
LIVE = [("n1", 2, 5, 1.5), ("n3", 0, 0, None)]


def query(board: Board, text: str = "", **more: Any) -> NodeQuery:
    return NodeQuery(terms=parse(text, NODE_FIELDS), at=board.wall_s, **more)


def listed(board: Board, text: str = "", limit: int = 100, **more: Any) -> list[str]:
    """Read all pages; give the ids."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = board.store.node_page(query(board, text, limit=limit, cursor=cursor, **more))
        found += [node.id for node in page.nodes]
        cursor = page.cursor
        if cursor is None:
            assert page.total == len(found)
            return found
    raise AssertionError("the pages never end")


def register(board: Board, node_id: str, slots: int, handlers: Sequence[str], version: str, **labels: str) -> None:
    registration = NodeRegistration(
        name=f"Host {node_id}", labels=labels, slots=slots, handlers=handlers, version=version
    )
    board.one(
        RegisterNode(
            node_id=node_id,
            instance_id=f"i-{node_id}",
            predecessors=(),
            inventory=Inventory(),
            session_id=f"s-{node_id}",
            registration=registration,
        )
    )


def left(board: Board, node_id: str, *, gone: bool = False) -> None:
    board.one(
        NodeLeft(node_id=node_id, instance_id=f"i-{node_id}", session_id=f"s-{node_id}", reason="away", gone=gone)
    )


def fill(board: Board) -> None:
    """Five nodes, registered 10 s apart: n1 and n3 are online, n2 is unreachable, n4 draining and cordoned, n5 gone."""
    register(board, "n1", 4, ["add", "hash"], "1.2", site="berlin", gpu="h100")
    board.submit(board.new("a", "hash"), board.new("b", "hash"), offers=[offer(2, "n1", "i-n1", ["hash"])])
    board.wait(10)
    register(board, "n2", 8, ["add"], "1.10", site="paris")
    board.wait(10)
    register(board, "n3", 2, [], "1.2", site="Berlin-2")
    board.wait(10)
    register(board, "n4", 1, ["resize"], "2.0")
    board.one(NodeWish(node_id="n4", cordoned=True, draining=True))
    left(board, "n2")
    register(board, "n5", 0, ["add"], "1.2")
    left(board, "n5", gone=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "n1 n2 n3 n4 n5"),
        ("state=online", "n1 n3"),
        ("state!=online,gone", "n2 n4"),
        ("id=n1,n2", "n1 n2"),
        ("node=n1", "n1"),
        ("id~N", "n1 n2 n3 n4 n5"),
        ("name~HOST name!~n1", "n2 n3 n4 n5"),
        ('"host n3"', "n3"),
        ("label.site~berlin", "n1 n3"),
        ("label.site=berlin label.gpu=h100", "n1"),
        ('label.site=""', "n4 n5"),
        ("version=1.2", "n1 n3 n5"),
        ("version~1.", "n1 n2 n3 n5"),
        ("handler=add", "n1 n2 n5"),
        ("handler=hash,resize", "n1 n4"),
        ("handler!=add", "n3 n4"),
        ("handler~S", "n1 n4"),
        ("handler!~d", "n3 n4"),
        ("slots>2", "n1 n2"),
        ("slots=1,2", "n3 n4"),
        ("used>0", "n1"),
        ("free>=2 state=online", "n1 n3"),
        ("cordoned=yes", "n4"),
        ("cordoned!=yes", "n1 n2 n3 n5"),
        ("outbox>0", "n1"),
        ("outbox=0", "n3"),
        ("rtt<2ms", "n1"),
        ("rtt>=1.5", "n1"),
        ("age>=30s", "n1"),
        ("age<30s", "n3 n4"),
        ("seen>5s", "n1 n2 n3"),
        ("connects=1", "n1 n2 n3 n4 n5"),
        ("connects>1", ""),
    ],
)
def test_what_a_filter_finds(board: Board, text: str, expected: str) -> None:
    fill(board)
    assert listed(board, text, live=LIVE) == expected.split()
    assert listed(board, text, 1, live=LIVE) == expected.split()


def test_what_no_session_says_is_not_known(board: Board) -> None:
    fill(board)
    assert listed(board, "outbox>=0") == []
    assert listed(board, "rtt!=7ms") == []
    assert listed(board, "used=2") == ["n1"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("id", "n1 n2 n3 n4 n5"),
        ("name", "n1 n2 n3 n4 n5"),
        ("state", "n2 n4 n1 n3 n5"),
        ("version", "n2 n1 n3 n5 n4"),
        ("slots", "n5 n4 n3 n1 n2"),
        ("used", "n2 n3 n4 n5 n1"),
        ("free", "n5 n4 n1 n3 n2"),
        ("outbox", "n3 n1 n2 n4 n5"),
        ("rtt", "n1 n2 n3 n4 n5"),
        ("age", "n4 n3 n1 n2 n5"),
        ("seen", "n4 n5 n3 n2 n1"),
        ("connects", "n1 n2 n3 n4 n5"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 100])
def test_an_order_holds_over_pages(board: Board, sort: NodeSort, expected: str, limit: int) -> None:
    fill(board)
    assert listed(board, "", limit, sort=sort, live=LIVE) == expected.split()


@pytest.mark.parametrize("sort", get_args(NodeSort))
@pytest.mark.parametrize("limit", [1, 3])
def test_the_other_way_round_gives_the_same_nodes(board: Board, sort: NodeSort, limit: int) -> None:
    fill(board)
    turned = listed(board, "", limit, sort=sort, is_descending=True, live=LIVE)
    assert sorted(turned) == ["n1", "n2", "n3", "n4", "n5"]
    assert turned == listed(board, "", sort=sort, is_descending=True, live=LIVE)


def test_what_is_not_known_comes_last_in_both_directions(board: Board) -> None:
    fill(board)
    assert listed(board, "", 1, sort="outbox", is_descending=True, live=LIVE) == ["n1", "n3", "n2", "n4", "n5"]
    assert listed(board, "", 1, sort="age", is_descending=True) == ["n1", "n3", "n4", "n2", "n5"]


def test_a_page_says_how_many_match(board: Board) -> None:
    fill(board)
    page = board.store.node_page(query(board, "version=1.2", limit=2))
    assert ([node.id for node in page.nodes], page.total) == (["n1", "n3"], 3)
    assert page.cursor is not None
    page = board.store.node_page(query(board, "version=1.2", limit=2, cursor=page.cursor))
    assert ([node.id for node in page.nodes], page.total, page.cursor) == (["n5"], 3, None)


def test_a_cursor_holds_while_nodes_come_and_time_passes(board: Board) -> None:
    fill(board)
    page = board.store.node_page(query(board, sort="age", limit=2))
    assert [node.id for node in page.nodes] == ["n4", "n3"]
    board.wait(0.123456789)
    register(board, "n0", 1, [], "1")
    page = board.store.node_page(query(board, sort="age", limit=5, cursor=page.cursor))
    assert [node.id for node in page.nodes] == ["n1", "n2", "n5"]


def test_a_cursor_keeps_every_digit_of_a_time(board: Board) -> None:
    for number in range(20):
        board.wait(1e-6)
        register(board, f"n{number:02}", 1, [], "1")
    assert listed(board, "", 1, sort="age") == [f"n{number:02}" for number in reversed(range(20))]


def _cursor(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "\u0663", _cursor({}), _cursor(["id"]), _cursor(["id", False, 2**70, "a"]), _cursor([1, 2, 3, 4])],
)
def test_a_cursor_that_is_none_of_ours_is_refused(board: Board, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor is"):
        board.store.node_page(query(board, cursor=cursor))


def test_a_cursor_of_another_order_is_refused(board: Board) -> None:
    fill(board)
    cursor = board.store.node_page(query(board, limit=1)).cursor
    for more in ({"sort": "name"}, {"is_descending": True}):
        with pytest.raises(ValueError, match="another order"):
            board.store.node_page(query(board, cursor=cursor, **more))


def test_the_map_shows_all_nodes(board: Board) -> None:
    assert board.store.node_map() == []
    fill(board)
    assert board.store.node_map() == [
        NodeCell("n1", "online", 4, 2, False),
        NodeCell("n2", "unreachable", 8, 0, False),
        NodeCell("n3", "online", 2, 0, False),
        NodeCell("n4", "draining", 1, 0, True),
        NodeCell("n5", "gone", 0, 0, False),
    ]
