from __future__ import annotations

import time

from dashboards.chaos.ledger import HubDeath, Ledger
from moorline.views import NodeView


def node(node_id: str = "a", *, state: str = "online", connected_at: float = 0.0) -> NodeView:
    return NodeView(id=node_id, state=state, connected_at=connected_at)


def test_an_outage_is_over_when_the_node_has_connected_after_the_mend() -> None:
    ledger = Ledger()
    (outage,) = ledger.begin("link_black_hole", ["a"])
    ledger.note_nodes([node(connected_at=time.time() + 60)])
    assert outage.recovered_at is None, "it is not mended yet"
    assert ledger.is_broken("link_black_hole", "a")
    assert ledger.is_broken("link_black_hole")
    assert not ledger.is_broken("link_black_hole", "b")
    ledger.mend([outage])
    assert outage.mended_at is not None
    assert not ledger.is_broken("link_black_hole")
    ledger.note_nodes([node(state="unreachable", connected_at=outage.mended_at + 2)])
    assert outage.recovered_at is None
    ledger.note_nodes([node(connected_at=outage.mended_at - 1)])
    assert outage.recovered_at is None, "that connection may be dead without anybody having noticed"
    ledger.note_nodes([node(connected_at=outage.mended_at + 2)])
    assert outage.recovered_at == outage.mended_at + 2


def test_a_connection_that_outlived_the_fault_was_heard_of_with_its_next_heartbeat() -> None:
    ledger = Ledger()
    (outage,) = ledger.begin("node_paused", ["a"])
    outage.mended_at = time.time() - 10
    ledger.note_nodes([node(connected_at=outage.mended_at - 100)])
    assert outage.recovered_at == outage.mended_at + 1


def test_how_long_nodes_took_is_measured_from_the_ready_hub_to_the_last_connection() -> None:
    ledger = Ledger()
    death = HubDeath(killed_at=100.0, ready_at=102.0, awaited={"a", "b"})
    ledger.hub_deaths.append(death)
    ledger.note_nodes([node("a", connected_at=99.0), node("b", connected_at=103.5)])
    assert (death.awaited, death.back_s) == ({"a"}, 1.5)
    ledger.note_nodes([node("a", connected_at=104.0), node("b", connected_at=103.5)])
    assert (death.awaited, death.back_s) == (set(), 2.0)


def test_a_node_that_something_else_kept_away_is_not_measured() -> None:
    ledger = Ledger()
    ledger.begin("node_paused", ["a"])
    death = HubDeath(killed_at=100.0, ready_at=102.0, awaited={"a"})
    ledger.hub_deaths.append(death)
    ledger.note_nodes([node("a", connected_at=130.0)])
    assert (death.awaited, death.back_s) == (set(), 0.0)


def test_a_node_that_is_not_back_when_the_hub_goes_again_counts_with_the_time_that_it_had() -> None:
    ledger = Ledger()
    soon = HubDeath(killed_at=time.time() - 2, ready_at=time.time() - 1, awaited={"a"})
    late = HubDeath(killed_at=time.time() - 42, ready_at=time.time() - 40, awaited={"a"})
    ledger.hub_deaths += [soon, late]
    ledger.hub_goes_away()
    assert (soon.awaited, soon.back_s) == (set(), 0.0)
    assert late.awaited == set()
    assert late.back_s >= 40
