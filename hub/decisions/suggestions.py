"""What somebody may have meant who wrote a word that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Name what there is, the likeliest first."""
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"{guess}there {'are' if len(known) > 1 else 'is'}: {', '.join(known) or 'none'}"


def nearest(name: str, known: Sequence[str]) -> str:
    """Name the likeliest alone, as a sentence behind another; nothing if none is likely."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]}?" if near else ""
