from __future__ import annotations

import ast

import pytest

from benchmarks.peers.catalogue import MOORLINE, PEERS, SERVER_PACKAGES, peers_named
from benchmarks.peers.figures import TARGETS
from benchmarks.peers.peer import Peer

OURS = {"benchmarks", "dashboards", "hub", "node", "protocol", "tests"}


def test_names_are_unique_and_targets_name_peers() -> None:
    names = [peer.name for peer in PEERS]
    assert len(set(names)) == len(names)
    assert {target.peer for target in TARGETS} <= set(names)


def test_every_version_is_pinned() -> None:
    packages = [package for peer in PEERS for package in peer.packages]
    assert all("==" in package for package in [*packages, *SERVER_PACKAGES])


def test_peers_that_share_an_environment_want_the_same_of_it() -> None:
    wanted: dict[str, tuple[str, ...]] = {}
    for peer in PEERS:
        assert wanted.setdefault(peer.environment, peer.packages) == peer.packages


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_script_imports_nothing_of_ours(peer: Peer) -> None:
    tree = ast.parse(peer.script.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in imported}
    assert not tops & OURS
    assert ("moorline" in tops) is (peer is MOORLINE)


def test_moorline_is_always_among_those_compared() -> None:
    assert [peer.name for peer in peers_named("celery, nats")] == ["moorline", "nats", "celery"]
    assert peers_named("") == PEERS


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"no peer is called rabbit; there are arq, celery"):
        peers_named("rabbit,nats")
