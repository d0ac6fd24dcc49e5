"""Which event loop a node turns."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from node import event_loops


def test_it_is_uvloops_where_it_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = event_loops.new_event_loop()
    assert isinstance(loop, uvloop.Loop)
    loop.close()
    monkeypatch.setattr(event_loops, "find_spec", lambda _: None)
    loop = event_loops.new_event_loop()
    assert isinstance(loop, asyncio.SelectorEventLoop)
    loop.close()
