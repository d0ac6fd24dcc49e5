"""What child processes say beside their results."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from node.process_reports import Message, ReportReceiver, ReportSender


def test_messages_arrive_whole_and_in_order(tmp_path: Path) -> None:
    receiver = ReportReceiver(tmp_path)
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
def test_what_is_not_a_message_is_skipped(tmp_path: Path, datagram: bytes) -> None:
    receiver = ReportReceiver(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, receiver.address)
    assert receiver.read() == []
    receiver.close()


@pytest.mark.parametrize("folder", ["short", "long" * 40])
def test_nothing_is_left_behind_however_long_the_folders_path(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    receiver = ReportReceiver(tmp_path / folder)
    path = Path(receiver.address)
    assert path.is_socket()
    receiver.close()
    receiver.close()
    assert not path.exists()
    assert list((tmp_path / folder).iterdir()) == []
    assert path.parent.exists() == (folder == "short")


def test_the_temporary_folder_of_a_node_that_was_killed_goes_with_the_next(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    killed = ReportReceiver(folder)
    killed._socket.close()
    ReportReceiver(folder).close()
    assert not Path(killed.address).parent.exists()


def test_what_a_dead_node_left_is_replaced(tmp_path: Path) -> None:
    dead = ReportReceiver(tmp_path)
    dead._socket.close()
    receiver = ReportReceiver(tmp_path)
    sender = ReportSender(receiver.address)
    sender.send(("begun", "t", 1))
    assert receiver.read() == [("begun", "t", 1)]
    sender.close()
    receiver.close()


def test_a_message_for_a_node_that_is_gone_is_lost_if_it_may_be(tmp_path: Path) -> None:
    receiver = ReportReceiver(tmp_path)
    sender = ReportSender(receiver.address)
    receiver.close()
    sender.offer(("log", "t", 1, "INFO", "line"))
    with pytest.raises(OSError, match="No such file"):
        sender.send(("begun", "t", 1))
    sender.close()


def test_a_node_that_does_not_read_costs_a_child_no_time(tmp_path: Path) -> None:
    receiver = ReportReceiver(tmp_path)
    sender = ReportSender(receiver.address)
    for _ in range(10_000):
        sender.offer(("log", "t", 1, "INFO", "x" * 1000))
    assert 0 < len(receiver.read()) < 10_000
    sender.close()
    receiver.close()
