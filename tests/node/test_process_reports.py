"""What child processes say beside their results."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from node.process_reports import Message, ReportReceiver, ReportSender


def test_messages_arrive_whole_and_in_order() -> None:
    receiver = ReportReceiver()
    sender = ReportSender(receiver.address)
    said: list[Message] = [
        ("hello", "t", 1, 4711),
        ("begun", "t", 1),
        ("progress", "t", 1, 0.5, None, "ü"),
        ("log", "t", 1, "INFO", "line"),
    ]
    sender.send(said[0])
    for message in said[1:]:
        sender.offer(message)
    assert receiver.read() == said
    assert receiver.read() == []
    sender.close()
    receiver.close()


@pytest.mark.parametrize(
    "datagram", [b"", b"{}", b"[]", b"[1]", b'["hello"]', b'["hello","t",1,0]', b'["hello","t",1,"x"]', b"\xff"]
)
def test_what_is_not_a_message_is_skipped(datagram: bytes) -> None:
    receiver = ReportReceiver()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, receiver.address)
    assert receiver.read() == []
    receiver.close()


def test_nothing_is_left_behind_and_saying_something_afterwards_is_harmless_if_it_may_be_lost() -> None:
    receiver = ReportReceiver()
    folder = Path(receiver.address).parent
    sender = ReportSender(receiver.address)
    receiver.close()
    receiver.close()
    assert not folder.exists()
    sender.offer(("log", "t", 1, "INFO", "line"))
    with pytest.raises(OSError, match="No such file"):
        sender.send(("begun", "t", 1))
    sender.close()


def test_a_node_that_does_not_read_costs_a_child_no_time() -> None:
    receiver = ReportReceiver()
    sender = ReportSender(receiver.address)
    for _ in range(10_000):
        sender.offer(("log", "t", 1, "INFO", "x" * 1000))
    assert 0 < len(receiver.read()) < 10_000
    sender.close()
    receiver.close()
