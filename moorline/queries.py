"""How filters and times are written in the query of a URL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime


def query_of(**filters: str | Iterable[str] | None) -> dict[str, str]:
    """Give those filters that there are; several words are joined by commas."""
    texts = {key: said if said is None or isinstance(said, str) else ",".join(said) for key, said in filters.items()}
    return {key: text for key, text in texts.items() if text}


def seconds_of(at: datetime | float | None) -> str | None:
    """Write a time as seconds since 1970."""
    if at is None:
        return None
    return repr(at.timestamp() if isinstance(at, datetime) else float(at))
