"""Frames in a few words, for the trace."""

from __future__ import annotations

from collections.abc import Sequence

_PLAIN = ("task_id", "attempt", "outcome", "sequence", "instance_id", "session_id", "attempts", "code")
_LISTS = ("keep", "stop", "forget")


def said(frames: Sequence[object]) -> str:
    """Say what frames say."""
    return "; ".join(_say(frame) for frame in frames)


def _say(frame: object) -> str:
    words = [type(frame).__name__]
    for name in _PLAIN:
        value = getattr(frame, name, None)
        if value is not None and value != "":
            words.append(str(value))
    inventory = getattr(frame, "inventory", None)
    if inventory is not None:
        words.append(f"running {inventory.running} results {inventory.results}")
    words += [f"{name} {keys}" for name in _LISTS if (keys := getattr(frame, name, None))]
    return " ".join(words)
