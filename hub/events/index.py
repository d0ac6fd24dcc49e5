"""Who may want an event, found without asking everybody.

Subscribers that name a task or an origin are found by it, so that the cost of an event does not grow with their number.
"""

from __future__ import annotations

from hub.events.filter import PULSE
from hub.events.subscription import Subscription
from hub.store.events import Event


class Index:
    """Following subscriptions, by the narrowest thing that they name."""

    def __init__(self) -> None:
        # Tuples: who leaves while an event is handed out leaves the others in their places.
        self._all: tuple[Subscription, ...] = ()
        self._by_origin: dict[str, tuple[Subscription, ...]] = {}
        self._by_task: dict[str, tuple[Subscription, ...]] = {}
        self.pulsed: tuple[Subscription, ...] = ()
        """Those who want the pulse, whatever else they want."""
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, subscription: Subscription) -> None:
        """Find it for what is published from now on."""
        self._count += 1
        wanted = subscription.wanted
        if wanted.kinds and wanted.wants_kind(PULSE):
            self.pulsed = (*self.pulsed, subscription)
        if wanted.task:
            self._by_task[wanted.task] = (*self._by_task.get(wanted.task, ()), subscription)
        elif wanted.origin:
            self._by_origin[wanted.origin] = (*self._by_origin.get(wanted.origin, ()), subscription)
        else:
            self._all = (*self._all, subscription)

    def remove(self, subscription: Subscription) -> None:
        """Find it no more."""
        self._count -= 1
        wanted = subscription.wanted
        self.pulsed = _without(self.pulsed, subscription)
        if wanted.task:
            _discard(self._by_task, wanted.task, subscription)
        elif wanted.origin:
            _discard(self._by_origin, wanted.origin, subscription)
        else:
            self._all = _without(self._all, subscription)

    def candidates(self, event: Event) -> tuple[Subscription, ...]:
        """Give those that may want an event: each has still to be asked."""
        found = self._by_origin.get(event.origin, ())
        if self._all:
            found = (*self._all, *found)
        if self._by_task:
            found = (*found, *self._by_task.get(event.task_id, ()))
        return found


def _without(members: tuple[Subscription, ...], subscription: Subscription) -> tuple[Subscription, ...]:
    return tuple(member for member in members if member is not subscription)


def _discard(groups: dict[str, tuple[Subscription, ...]], key: str, subscription: Subscription) -> None:
    groups[key] = _without(groups[key], subscription)
    if not groups[key]:
        del groups[key]
