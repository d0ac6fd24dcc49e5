"""Do one thing to each of those that were named, and say in which state they are then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from moorline.presentation import Styled, coloured, print_columns, print_document

if TYPE_CHECKING:
    from moorline.views import NodeView, TaskView


T = TypeVar("T")


async def each(act: Callable[[str], Awaitable[T]], ids: Sequence[str]) -> list[T]:
    """Act one by one: the first that does not work ends it, and those before are done."""
    return [await act(one) for one in dict.fromkeys(ids)]


def show_states(views: Sequence[TaskView] | Sequence[NodeView], key: str, *, as_json: bool) -> None:
    """Print the states: a line each, or all as one document under ``key``."""
    if as_json:
        print_document({key: list(views)})
        return
    width = max(len(view.id) for view in views)
    for view in views:
        cordoned = getattr(view, "cordoned", False)
        state = Styled(f"{view.state}, cordoned", "yellow") if cordoned else coloured(view.state)
        print_columns([(view.id, width), (state, 0)])
