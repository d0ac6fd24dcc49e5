"""What happened of late, as far as rules look back: departures, alarms, attempts by name. Handed each look; bounded."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hub.alerts.facts import Facts, NameCounts

# Departures remembered: a fleet of 5,000 that leaves twice. What is older than the oldest of them counts no more.
DEPARTURES_MAX: Final = 10_000

# Nodes and kinds of alarms remembered; past it the one that was raised longest ago is forgotten.
ALARMS_MAX: Final = 2_000

# Samples of the counts by name: for a window of ten minutes one every five seconds, for a day one every twelve minutes.
SAMPLES_MAX: Final = 120


class RecentAlarm(Struct, frozen=True, kw_only=True):
    """Alarms of one kind about one node: how many since when, when last, and what the last one said."""

    count: int
    since_s: float
    last_s: float
    message: str


class Recents:
    """The past that rules need, in this process.

    Args:
        names_window_s: the longest window over attempts by name that any rule has.
    """

    def __init__(self, names_window_s: float) -> None:
        self._departures: deque[tuple[float, str]] = deque(maxlen=DEPARTURES_MAX)
        self._alarms: dict[tuple[str, str], RecentAlarm] = {}
        self._samples: deque[tuple[float, Mapping[str, NameCounts]]] = deque()
        self._sample_every_s = 0.0
        self.look_back(names_window_s)
        self._newest: Mapping[str, NameCounts] = {}

    def look_back(self, names_window_s: float) -> None:
        """Keep what a window of this length needs from now on."""
        self._sample_every_s = names_window_s / (SAMPLES_MAX - 1)

    def take(self, facts: Facts) -> None:
        """Add what a look brings."""
        now_s = facts.now.steady_s
        self._departures.extend((now_s, node_id) for node_id in facts.departures)
        for alarm in facts.alarms:
            key = (alarm.kind, alarm.node_id)
            before = self._alarms.pop(key, None)
            # Last in the order: the first of all is the one to forget.
            self._alarms[key] = RecentAlarm(
                count=1 if before is None else before.count + 1,
                since_s=now_s if before is None else before.since_s,
                last_s=now_s,
                message=alarm.message,
            )
        while len(self._alarms) > ALARMS_MAX:
            del self._alarms[next(iter(self._alarms))]
        if facts.names is not None:
            self._newest = facts.names
            if not self._samples or now_s - self._samples[-1][0] >= self._sample_every_s:
                self._samples.append((now_s, facts.names))
            while len(self._samples) > SAMPLES_MAX:
                self._samples.popleft()

    def departures(self, window_s: float, now_s: float) -> Counter[str]:
        """Count how often each node left within the window."""
        return Counter(node_id for at_s, node_id in self._departures if now_s - at_s <= window_s)

    def alarms(self, kind: str, hold_s: float, now_s: float) -> dict[str, RecentAlarm]:
        """Give the alarms of a kind by node that were raised within the hold; older ones are forgotten."""
        over = [key for key, alarm in self._alarms.items() if key[0] == kind and now_s - alarm.last_s > hold_s]
        for key in over:
            del self._alarms[key]
        return {node_id: alarm for (of_kind, node_id), alarm in self._alarms.items() if of_kind == kind}

    def names(self, window_s: float, now_s: float) -> dict[str, NameCounts]:
        """Count the attempts of each name that ended within the window, to the nearest sample."""
        earlier: Mapping[str, NameCounts] = {}
        for at_s, sample in self._samples:
            if now_s - at_s < window_s:
                break
            earlier = sample
        found = {}
        for name, counts in self._newest.items():
            before = earlier.get(name, NameCounts(0, 0))
            found[name] = NameCounts(counts.ended - before.ended, counts.failed - before.failed)
        return found
