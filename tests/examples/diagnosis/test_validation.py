from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from examples.diagnosis import validation


@pytest.mark.parametrize(
    ("check", "value", "right"),
    [
        (lambda value: validation.check_integer("x", value, 1, 10), 0, "an integer from 1 to 10"),
        (lambda value: validation.check_integer("x", value, 1, 10), True, "an integer"),
        (lambda value: validation.check_integer("x", value, 1, 10), 2.0, "an integer"),
        (lambda value: validation.check_seconds("x", value, 0.1, 60), float("nan"), "from 0.1 to 60"),
        (lambda value: validation.check_seconds("x", value, 0.1, 60), "5", "a number of seconds"),
        (lambda value: validation.check_choice("x", value, {"b", "a"}), "c", "one of a, b"),
        (lambda value: validation.check_choice("x", value, {"b", "a"}), ["a"], "one of a, b"),
        (lambda value: validation.check_host("x", value), "", "a host name or an IP address"),
        (lambda value: validation.check_host("x", value), "two words", "a host name or an IP address"),
        (lambda value: validation.check_host("x", value), "a" * 300, "a host name"),
        (lambda value: validation.check_host("x", value), "-dash.example", "a host name"),
        (lambda value: validation.check_host("x", value), 7, "a host name"),
        (lambda value: validation.check_url("x", value), "ftp://example.com/", "http://"),
        (lambda value: validation.check_url("x", value), "http:///path", "http://"),
        (lambda value: validation.check_url("x", value), "http://user:word@example.com/", "without user name"),
        (lambda value: validation.check_url("x", value), "http://example.com:99999/", "http://"),
        (lambda value: validation.check_url("x", value), "http://example.com:0/", "http://"),
        (lambda value: validation.check_url("x", value), "http://[::1/", "http://"),
        (lambda value: validation.check_url("x", value), "http://e.com/\r\nX: y", "http://"),
        (lambda value: validation.check_url("x", value), "http://e.com/a b", "http://"),
        (lambda value: validation.check_url("x", value), None, "http://"),
        (lambda value: validation.check_folder("x", value), "relative", "absolute path of a folder"),
        (lambda value: validation.check_folder("x", value), "/does/not/exist", "absolute path of a folder"),
        (lambda value: validation.check_folder("x", value), "/with\0nul", "an absolute path"),
        (lambda value: validation.check_folder("x", value), 3, "an absolute path"),
        (lambda value: validation.check_file("x", value), "/", "absolute path of a file"),
        (lambda value: validation.check_pattern("x", value), "(", "a regular expression"),
        (lambda value: validation.check_pattern("x", value), "", "a regular expression"),
        (lambda value: validation.check_pattern("x", value), "a" * 1001, "a regular expression"),
        (lambda value: validation.check_file_name_pattern("x", value), "a/b", "without a slash"),
        (lambda value: validation.check_file_name_pattern("x", value), "", "a pattern of file names"),
    ],
)
def test_what_makes_no_sense_is_refused_with_name_value_and_remedy(
    check: Callable[[object], object], value: object, right: str
) -> None:
    with pytest.raises(ValueError, match=r"^x is .*; give ") as caught:
        check(value)
    assert right in str(caught.value)


def test_a_long_value_is_shown_cut() -> None:
    with pytest.raises(ValueError) as caught:
        validation.check_host("host", "!" * 5000)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "host", ["localhost", "db-1.example.com", "a_b.internal", "192.0.2.7", "::1", "fe80::1%eth0", "x."]
)
def test_hosts_as_people_write_them_are_taken(host: str) -> None:
    assert validation.check_host("host", host) == host


def test_a_url_is_taken_apart() -> None:
    address = validation.check_url("url", "https://example.com/health?full=1")
    assert address == (True, "example.com", 443, "/health?full=1")
    assert validation.check_url("url", "http://[::1]:8080") == (False, "::1", 8080, "/")


def test_paths_numbers_and_patterns_come_back_ready_to_use(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch()
    assert validation.check_folder("folder", str(tmp_path)) == tmp_path
    assert validation.check_file("file", str(file)) == file
    assert validation.check_seconds("within_s", 3, 1, 5) == 3.0
    assert validation.check_integer("port", 443, 1, 65535) == 443
    assert validation.check_choice("family", "ipv4", {"ipv4"}) == "ipv4"
    assert validation.check_file_name_pattern("names", "*.log") == "*.log"
    assert validation.check_pattern("pattern", "a+").search("baa")
