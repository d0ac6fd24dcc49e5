"""Which hub is dialled next, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from node.decisions.backing_off import BackingOff
from node.decisions.effects import Dial


class Dialing:
    """The way of one node to its hubs: their addresses in turn, and its patience.

    Args:
        hubs: addresses, the one to begin with first.
        luck: gives a number drawn evenly from 0 to 1; handed in so that a run can be repeated.
    """

    def __init__(self, hubs: Sequence[str], luck: Callable[[], float]) -> None:
        self._hubs = hubs
        self._patience = BackingOff(luck)
        self._turn = 0
        self._fatal_in_row = 0
        self._away_spread_s: float | None = None

    @property
    def url(self) -> str:
        """The address whose turn it is."""
        return self._hubs[self._turn]

    def begin(self) -> Dial:
        """Dial the first hub at once."""
        return Dial(url=self.url, after_s=0.0)

    # --- what the hub says --------------------------------------------------------------------------------------------

    def welcomed(self, spread_s: float) -> None:
        """A session has begun: the hub is well, and has said how the fleet is to come back."""
        self._fatal_in_row = 0
        self._away_spread_s = None
        self.spread_named(spread_s)

    def spread_named(self, spread_s: float) -> None:
        """The hub has said anew how the fleet is to come back."""
        self._patience.spread_named(spread_s)

    def sent_away(self, spread_s: float | None) -> None:
        """The hub is about to close, and has said how the fleet is to come back from that."""
        self._away_spread_s = spread_s

    # --- what follows -------------------------------------------------------------------------------------------------

    def after_session(self, reason: str, lived_s: float) -> Dial:
        """A session has ended: dial the same hub."""
        return self._dial(reason, self._patience.after_session(lived_s, self._away_spread_s))

    def after_unknown_session(self, reason: str) -> Dial:
        """The hub does not know the session: dial the same hub, to register."""
        return self._dial(reason, self._patience.after_unknown_session())

    def after_failure(self, reason: str, *, is_fatal: bool = False, retry_after_s: float | None = None) -> Dial:
        """No session came about: dial the next address. A round of all of them is one failure for the backing off, and
        one that was fatal at every address parks the node.
        """
        self._fatal_in_row = self._fatal_in_row + 1 if is_fatal else 0
        self._turn = (self._turn + 1) % len(self._hubs)
        if self._fatal_in_row >= len(self._hubs):
            return Dial(url=self.url, after_s=self._patience.parked(), reason=reason, is_parked=True)
        if self._turn != 0:
            return self._dial(reason, self._patience.before_other_hub())
        return self._dial(reason, self._patience.after_failure(retry_after_s))

    def _dial(self, reason: str, after_s: float) -> Dial:
        return Dial(url=self.url, after_s=after_s, reason=reason)
