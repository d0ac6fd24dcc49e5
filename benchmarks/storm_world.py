"""A hub that comes back, and a fleet that wants in: the real policy of both sides, in virtual time.

The nodes are `node.decisions.core.NodeCore`, the door is `hub.decisions.admission.Admission` as `hub.door` asks it;
left out is the network, and the time that a handshake takes. Two rivals come to the same door: exponential waits with
full jitter, as described by M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), and exponential
waits without.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from hub.decisions.admission import Admission, retry_after_header_s
from node.decisions.core import NodeCore, Profile
from node.decisions.effects import Dial, Effect, Send
from protocol.frames import HubFrame, Registered, Resume, UnknownSession

# How long the session lived before the hub was killed: longer than a node needs to trust its hub again.
LIVED_S: Final = 3600.0

# The rivals' waits: the usual base, and the cap of the design.
BASE_S: Final = 1.0
CAP_S: Final = 30.0


class Caller(Protocol):
    """One node, as the world sees it: each method gives the seconds until its next dial."""

    def lost(self, now_s: float) -> float:
        """The hub was killed."""
        ...

    def failed(self, now_s: float, retry_after_s: float | None) -> float:
        """A dial failed: nothing listens, or the door refused with ``Retry-After``."""
        ...

    def admitted(self, now_s: float) -> float | None:
        """The door let it in; None: it is back."""
        ...


class MoorlineNode:
    """A real node's decisions, against a hub whose earlier process it had a session with.

    Args:
        luck: gives a number drawn evenly from 0 to 1.
        named_spread_s: what the hub has told it about how to come back.
    """

    __slots__ = ("_connection", "_core", "_spread_s")

    def __init__(self, luck: Callable[[], float], named_spread_s: float) -> None:
        self._core = NodeCore(Profile(node_id="n", instance_id="i", hubs=("ws://hub",), slots=1), luck=luck)
        self._spread_s = named_spread_s
        self._connection = 1
        self._core.begin()
        self._core.connected(1, -LIVED_S, hub_instance="killed")
        self._core.received(1, [self._welcome("first")], -LIVED_S)

    def lost(self, now_s: float) -> float:
        """Lose the session, as by a killed hub."""
        return _wait_s(self._core.disconnected(self._connection, 1006, "the connection broke", now_s))

    def failed(self, now_s: float, retry_after_s: float | None) -> float:
        """Fail to connect."""
        return _wait_s(self._core.dial_failed("refused", now_s, retry_after_s=retry_after_s))

    def admitted(self, now_s: float) -> float | None:
        """Greet the hub; what it does not know is registered with the next connection."""
        self._connection += 1
        said = self._core.connected(self._connection, now_s, hub_instance="started")
        greeting = next(effect for effect in said if isinstance(effect, Send)).frames[0]
        if isinstance(greeting, Resume):
            unknown: list[HubFrame] = [UnknownSession(session_id=greeting.session_id)]
            return _wait_s(self._core.received(self._connection, unknown, now_s))
        self._core.received(self._connection, [self._welcome("second")], now_s)
        return None

    def _welcome(self, session_id: str) -> Registered:
        return Registered(session_id=session_id, hub_id="h", heartbeat_s=10.0, spread_s=self._spread_s)


def _wait_s(effects: Sequence[Effect]) -> float:
    return next(effect for effect in effects if isinstance(effect, Dial)).after_s


class ExponentialNode:
    """A rival: it waits ``min(cap, base * 2**k)``, times a number drawn evenly from 0 to 1 if it is given ``luck``."""

    __slots__ = ("_failures", "_luck")

    def __init__(self, luck: Callable[[], float] | None) -> None:
        self._luck = luck
        self._failures = 0

    def lost(self, now_s: float) -> float:  # noqa: ARG002 - it looks at no clock
        """Lose the session."""
        return self._next_s()

    def failed(self, now_s: float, retry_after_s: float | None) -> float:  # noqa: ARG002 - nor at what the hub wishes
        """Fail to connect."""
        return self._next_s()

    def admitted(self, now_s: float) -> float | None:  # noqa: ARG002
        """Be back."""
        return None

    def _next_s(self) -> float:
        wait_s = min(CAP_S, BASE_S * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return wait_s if self._luck is None else wait_s * self._luck()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What happens: ``nodes`` lose their hub at 0 s; it is ready again at ``outage_s`` and admits ``admissions_per_s``.

    ``horizon_s`` after the hub is ready the world ends, whoever is still out.
    """

    nodes: int
    outage_s: float = 10.0
    admissions_per_s: float = 300.0
    horizon_s: float = 600.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How it went. Times count from the moment the hub is ready; ``back_s`` is sorted, one for each node that is back.

    ``tries`` are dials by node; ``dials`` and ``admissions`` are counts by whole second, dials while the hub is away at
    negative seconds.
    """

    storm: Storm
    back_s: Sequence[float]
    tries: Sequence[int]
    dials: Counter[int]
    admissions: Counter[int]

    def back_within_s(self, share: float) -> float | None:
        """Give the time by which this share of the fleet was back; None if it never was."""
        place = math.ceil(share * self.storm.nodes) - 1
        return self.back_s[place] if place < len(self.back_s) else None


def run(storm: Storm, make_caller: Callable[[Callable[[], float]], Caller]) -> Course:
    """Let it happen, with nodes that ``make_caller`` makes when it is handed their luck."""
    luck = random.Random(storm.seed).random
    callers = [make_caller(luck) for _ in range(storm.nodes)]
    agenda = [(caller.lost(0.0), place) for place, caller in enumerate(callers)]
    heapq.heapify(agenda)
    door = Admission(storm.admissions_per_s)
    ends_s = storm.outage_s + storm.horizon_s
    tries = [0] * storm.nodes
    back_s: list[float] = []
    dials: Counter[int] = Counter()
    admissions: Counter[int] = Counter()
    while agenda and agenda[0][0] < ends_s:
        now_s, place = agenda[0]
        tries[place] += 1
        second = int((now_s - storm.outage_s) // 1)
        dials[second] += 1
        wait_s: float | None
        if now_s < storm.outage_s:
            wait_s = callers[place].failed(now_s, None)
        elif (refused_s := door.admit(now_s)) is not None:
            wait_s = callers[place].failed(now_s, float(retry_after_header_s(refused_s)))
        else:
            admissions[second] += 1
            wait_s = callers[place].admitted(now_s)
        if wait_s is None:
            back_s.append(now_s - storm.outage_s)
            heapq.heappop(agenda)
        else:
            heapq.heapreplace(agenda, (now_s + wait_s, place))
    return Course(storm=storm, back_s=back_s, tries=tries, dials=dials, admissions=admissions)
