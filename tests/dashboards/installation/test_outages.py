from __future__ import annotations

from dashboards.installation.outages import Outage, silences


def test_silences_that_touch_are_joined_and_take_the_name_of_the_longest() -> None:
    outages = [
        Outage(node="a", kind="link_reset", began_at=1, mended_at=1, recovered_at=3),
        Outage(node="a", kind="hub_killed", began_at=2, mended_at=5, recovered_at=9),
        Outage(node="a", kind="node_paused", began_at=20, mended_at=25, recovered_at=26),
        Outage(node="a", kind="link_late", began_at=9, mended_at=20, recovered_at=21),
        Outage(node="b", kind="node_killed", began_at=30),
    ]
    found = silences(outages, now_at=40)
    assert [(s.began_at, s.until_at, s.kind) for s in found["a"]] == [(1, 9, "hub_killed"), (20, 26, "node_paused")]
    assert [(s.began_at, s.until_at) for s in found["b"]] == [(30, 40)]
