"""Which events a stream is about."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from hub.store.events import Event

PULSE: Final = "hub.pulse"
"""A kind that only those get who name it: it comes every second, and tells nothing that happened."""


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events a subscriber wants; what is empty does not restrict. ``kinds`` are kinds or prefixes of them."""

    kinds: tuple[str, ...] = ()
    origin: str = ""
    task: str = ""
    node: str = ""
    name: str = ""
    group: str = ""

    def wants(self, event: Event) -> bool:
        """Tell whether this event is meant."""
        return (
            (not self.origin or event.origin == self.origin)
            and (not self.task or event.task_id == self.task)
            and (not self.node or event.node_id == self.node)
            and (not self.name or event.name == self.name)
            and (not self.group or event.group == self.group)
            and (not self.kinds or self.wants_kind(event.kind))
        )

    def wants_kind(self, kind: str) -> bool:
        """Tell whether events of this kind can be meant."""
        return not self.kinds or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in self.kinds)
