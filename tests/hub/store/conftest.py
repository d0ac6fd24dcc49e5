"""Backends: a new one joins the conformance suite by adding its way to open a store here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.store.contract import Store
from hub.store.sqlite import SqliteStore
from tests.hub.store.board import Board


def _open_sqlite(folder: Path) -> Store:
    return SqliteStore.open(folder / "hub.db", durability="normal")


BACKENDS: dict[str, Callable[[Path], Store]] = {"sqlite": _open_sqlite}


@pytest.fixture(params=sorted(BACKENDS))
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open the store of this test, again and again the same one."""
    backend = BACKENDS[request.param]
    return lambda: backend(tmp_path)


@pytest.fixture
def board(open_store: Callable[[], Store]) -> Iterator[Board]:
    store = open_store()
    board = Board(store)
    yield board
    # A test may have closed the first and opened another.
    board.store.close()
    store.close()
