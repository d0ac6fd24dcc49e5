from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from protocol.service_manager import STATUS_CHARACTERS_MAX, ServiceManager, manager_of_this_process, message
from tests.protocol.manager import Manager


def found(**environment: str) -> ServiceManager:
    return ServiceManager.found_in(environment, 7)


def test_nobody_is_told_where_nobody_listens() -> None:
    nobody = found()
    assert not nobody.is_there
    nobody.ready("x")
    nobody.alive()
    nobody.stopping()
    assert not ServiceManager().is_there


def test_the_manager_hears_of_readiness_status_life_and_end(systemd: Manager) -> None:
    there = found(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="3000000")
    assert there.is_there
    there.ready("one")
    there.alive()
    there.status("two")
    there.stopping()
    assert systemd.listen() == [
        {"READY": "1", "STATUS": "one"},
        {"WATCHDOG": "1"},
        {"STATUS": "two"},
        {"STOPPING": "1", "STATUS": "stopping"},
    ]


def test_a_status_is_one_line_said_once(systemd: Manager) -> None:
    there = found(NOTIFY_SOCKET=str(systemd.path))
    there.ready("a\nREADY=0  b")
    there.status("a READY=0 b")
    there.status("x" * 10_000)
    assert systemd.listen() == [{"READY": "1", "STATUS": "a READY=0 b"}, {"STATUS": "x" * STATUS_CHARACTERS_MAX}]


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "7"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_it_names(environment: dict[str, str], watchdog_s: float | None) -> None:
    assert found(NOTIFY_SOCKET="/run/x", **environment).watchdog_s == watchdog_s


def test_without_a_watchdog_life_is_not_told(systemd: Manager) -> None:
    found(NOTIFY_SOCKET=str(systemd.path)).alive()
    assert systemd.listen() == []


def test_there_is_no_watchdog_without_a_socket() -> None:
    assert found(WATCHDOG_USEC="1500000").watchdog_s is None


def test_a_socket_may_be_in_the_abstract_namespace() -> None:
    name = f"moorline-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        found(NOTIFY_SOCKET=f"@{name}").ready("x")
        assert listening.recv(100) == message({"READY": "1", "STATUS": "x"})


def test_an_address_of_another_kind_is_passed_over() -> None:
    assert not found(NOTIFY_SOCKET="vsock:2:1234").is_there


def test_a_manager_that_is_gone_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there = found(NOTIFY_SOCKET=str(tmp_path / "gone"))
    there.ready("x")
    there.stopping()
    assert caplog.text.count("cannot be told") == 1


def test_what_a_busy_manager_did_not_take_is_said_with_the_next(systemd: Manager) -> None:
    there = found(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="3000000")
    # Its queue is full after as many datagrams as the system allows.
    for _ in range(int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 10):
        there.alive()
    there.ready("one")
    there.status("two")
    assert not any("READY" in told for told in systemd.listen())
    there.alive()
    there.status("two")
    assert systemd.listen()[-1] == {"READY": "1", "STATUS": "two", "WATCHDOG": "1"}


def test_this_process_reads_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    assert manager_of_this_process().watchdog_s == 2.0
