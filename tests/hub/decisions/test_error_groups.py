from __future__ import annotations

import pytest

from hub.decisions.error_groups import MESSAGE_CHARACTERS_MAX, fingerprint, folded, place_of
from protocol.frames import TaskError

TRACEBACK = """Traceback (most recent call last):
  File "/home/ann/pack/src/pack/tasks.py", line 12, in resize
    return shrink(image)
           ^^^^^^^^^^^^^
  File "/home/ann/venv/lib/python3.11/site-packages/imaging/core.py", line 340, in shrink
    raise ValueError(f"no image: {name}")
ValueError: no image: 17.png
"""


def error(message: str = "no image: 17.png", **more: str) -> TaskError:
    values = {"kind": "error", "type": "ValueError", "traceback": TRACEBACK} | more
    return TaskError(message=message, **values)  # type: ignore[arg-type]


def test_errors_are_alike_whatever_their_messages_say() -> None:
    first, second = fingerprint("resize", error()), fingerprint("resize", error("no image: cat.png"))
    assert first.id == second.id
    assert len(first.id) == 16
    assert int(first.id, 16) >= 0


@pytest.mark.parametrize(
    "other",
    [
        fingerprint("crop", error()),
        fingerprint("resize", error(kind="timeout")),
        fingerprint("resize", error(type="KeyError")),
        fingerprint("resize", error(traceback=TRACEBACK.replace("340", "341"))),
        fingerprint("resize", error(traceback="")),
    ],
)
def test_another_name_kind_type_or_place_makes_another_group(other: object) -> None:
    assert getattr(other, "id", "") != fingerprint("resize", error()).id


def test_the_place_is_the_last_frame_and_does_not_depend_on_where_things_are_installed() -> None:
    assert place_of(TRACEBACK) == "imaging/core.py:340 in shrink"
    elsewhere = TRACEBACK.replace("/home/ann/venv/lib/python3.11", "/opt/x/lib/python3.13")
    assert place_of(elsewhere) == place_of(TRACEBACK)


@pytest.mark.parametrize(
    ("traceback", "place"),
    [
        ("", ""),
        ("(the traceback cannot be had: RuntimeError)", ""),
        ('  File "/srv/app/tasks.py", line 3, in <module>\n    1/0', "srv/app/tasks.py:3 in <module>"),
        ('  File "/home/me/a/b/c/tasks.py", line 3, in run\n', "b/c/tasks.py:3 in run"),
        ('  File "C:\\packs\\app\\tasks.py", line 3, in run', "packs/app/tasks.py:3 in run"),
        ('  File "tasks.py", line 3\n    a b\nSyntaxError: invalid syntax', "tasks.py:3"),
        ('  File "tasks.py", line 3, in run\nValueError: File "', "tasks.py:3 in run"),
        ('…le "cut.py", line 3, in run\n', ""),
    ],
)
def test_the_place_of_odd_tracebacks(traceback: str, place: str) -> None:
    assert place_of(traceback) == place


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no image: 17.png", "no image: #.png"),
        ("timed out after 3.5 s at 10.0.0.7:8080", "timed out after # s at #:#"),
        ("<Thing object at 0x7f3a9c>", "<Thing object at #>"),
        ("job 550e8400-e29b-41d4-a716-446655440000 failed", "job # failed"),
        ("commit deadbeef0 of facade", "commit # of facade"),
        ("two\n  lines", "two lines"),
        ("", ""),
    ],
)
def test_numbers_and_ids_of_a_message_are_not_shown(message: str, shown: str) -> None:
    assert folded(message) == shown


def test_a_long_message_is_cut() -> None:
    shown = folded("word " * 10_000)
    assert len(shown) == MESSAGE_CHARACTERS_MAX
    assert shown.endswith("…")
