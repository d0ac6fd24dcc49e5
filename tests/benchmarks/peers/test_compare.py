from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.__main__ import compare
from benchmarks.peers.catalogue import peers_named
from benchmarks.peers.environments import UnavailableError
from benchmarks.peers.figures import Figures
from benchmarks.peers.peer import Peer
from benchmarks.peers.processes import ProgramError
from benchmarks.peers.record import Entry, Record
from tests.benchmarks.peers.comparisons import figures


def compared(do: Callable[[Peer, int], Figures], rounds: int) -> tuple[list[str], dict[str, Entry], list[str]]:
    """Compare Moorline, NATS and Celery with work of a test's own; give who did it in which order, entries, words."""
    peers = peers_named("nats,celery")
    record = Record(rounds=rounds, payload_bytes=100, conditions={}, entries=[Entry.of(peer) for peer in peers])
    order: list[str] = []
    said: list[str] = []

    def work(peer: Peer) -> Figures:
        order.append(peer.name)
        return do(peer, order.count(peer.name))

    compare(peers, rounds, work, record, said.append)
    return order, {entry.name: entry for entry in record.entries}, said


def test_everybody_has_a_turn_before_anybody_has_another() -> None:
    order, entries, said = compared(lambda _, turn: figures(turn * 100), 3)
    assert order == ["moorline", "nats", "celery"] * 3
    assert [done.tasks_per_s for done in entries["nats"].rounds.values()] == [100, 200, 300]
    assert len(said) == 9


def test_who_cannot_be_had_is_left_out_of_the_later_rounds_and_the_others_go_on() -> None:
    def do(peer: Peer, turn: int) -> Figures:
        if peer.name == "nats":
            raise UnavailableError("no wheel")
        return figures(turn)

    order, entries, said = compared(do, 2)
    assert order == ["moorline", "nats", "celery", "moorline", "celery"]
    assert entries["nats"].left_out == "no wheel"
    assert any("no wheel" in line for line in said)


def test_who_fails_once_has_another_chance_and_the_failure_is_kept() -> None:
    def do(peer: Peer, turn: int) -> Figures:
        if peer.name == "celery" and turn == 1:
            raise ProgramError("worker ended")
        return figures(turn)

    _, entries, _ = compared(do, 2)
    assert entries["celery"].failures == {1: "worker ended"}
    assert list(entries["celery"].rounds) == [2]
