"""A network that delays, swallows, cuts and refuses, and keeps what it delivers in order."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

from tests.simulation.agenda import Agenda, Trace
from tests.simulation.process import Process

# How long a node's dialer waits for a hub to answer a handshake.
DIAL_WITHIN_S = 10.0

# How long who closes a connection waits for the other side's word.
CLOSE_WITHIN_S = 5.0


class Accepted:
    """The hub's yes to a handshake; names the process that says it, or not."""

    def __init__(self, hub_instance: str) -> None:
        self.hub_instance = hub_instance


class Rejected:
    """The hub's no: come back after so many seconds, if it says so."""

    def __init__(self, retry_after_s: float | None) -> None:
        self.retry_after_s = retry_after_s


class Closed:
    """The end of a connection, as one side sees it. ``code`` 1006: it broke."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


Item = bytes | Accepted | Rejected | Closed


class Peer(Protocol):
    """One end of a line."""

    def run(self, action: Callable[[], None]) -> None:
        """Do this when the process can."""
        ...

    def take(self, line: Line, item: Item) -> None:
        """Something came."""
        ...


class Way:
    """One direction of a line. What arrives is read in order, when the reader's process comes to it."""

    def __init__(self, line: Line, reader: Peer) -> None:
        self._line = line
        self.reader = reader
        self._under_way: deque[Item] = deque()
        self._arrived: deque[Item] = deque()
        self._last_s = 0.0
        self.is_dead = False

    def send(self, item: Item) -> None:
        """Send something; a dead way swallows it without a word."""
        if self.is_dead:
            return
        network = self._line.network
        is_handshake = isinstance(item, Accepted | Rejected)
        delay_s = network.fast_s() if is_handshake else network.delay_s(self._line.node_id)
        self._last_s = max(self._last_s, network.agenda.now_s + delay_s)
        self._under_way.append(item)
        network.agenda.at(self._last_s, self._arrive)

    def finish(self, closed: Closed) -> None:
        """Take nothing more; what is on the way arrives, and then the end."""
        self.send(closed)
        self.is_dead = True

    def end(self, closed: Closed | None, after_s: float) -> None:
        """Lose what is on the way; the reader sees the end then, or never if ``closed`` is None."""
        self.is_dead = True
        self._under_way.clear()
        if closed is not None:
            self._line.network.agenda.after(after_s, lambda: self._read(closed))

    def _arrive(self) -> None:
        if self._under_way:
            self._read(self._under_way.popleft())

    def _read(self, item: Item) -> None:
        self._arrived.append(item)
        self.reader.run(self._hand_over)

    def _hand_over(self) -> None:
        if self._arrived:
            self.reader.take(self._line, self._arrived.popleft())


class Line:
    """A connection between a node's process and a hub's."""

    def __init__(self, network: Network, number: int, node_id: str, node: Peer, hub: Peer) -> None:
        self.network = network
        self.number = number
        self.node_id = node_id
        self.to_hub = Way(self, hub)
        self.to_node = Way(self, node)
        self.is_answered = False

    def cut(self, *, node_sees: bool, hub_sees: bool) -> None:
        """Break it; each side sees that soon, or never."""
        luck = self.network.luck
        self.to_node.end(Closed(1006, "broke") if node_sees else None, luck.random() * 0.5)
        self.to_hub.end(Closed(1006, "broke") if hub_sees else None, luck.random() * 0.5)

    def leave(self, way: Way, back: Way) -> None:
        """One end is gone. Its system sends what the process had handed over, or nothing, or not even the end."""
        back.end(None, 0.0)
        chance = self.network.luck.random()
        if chance < 0.5:
            way.finish(Closed(1006, "closed by its system"))
        else:
            way.end(Closed(1006, "broke") if chance < 0.85 else None, self.network.luck.random() * 0.5)


class Network:
    """All lines, and how well each node's link is."""

    def __init__(self, agenda: Agenda, trace: Trace, luck: random.Random) -> None:
        self.agenda = agenda
        self.luck = luck
        self._trace = trace
        self._last = 0
        self.lines: dict[int, Line] = {}
        self._blocked_until_s: dict[str, float] = {}
        self._slow_until_s: dict[str, float] = {}
        self._longest_s: dict[str, float] = {}

    def delay_s(self, node_id: str) -> float:
        """Give how long the next message takes."""
        if self._slow_until_s.get(node_id, 0.0) > self.agenda.now_s:
            return self.luck.uniform(0.5, self._longest_s[node_id])
        return self.fast_s()

    def fast_s(self) -> float:
        """Give how long a message takes where nothing is wrong, and a handshake always."""
        return self.luck.uniform(0.0005, 0.03)

    def block(self, node_id: str, seconds: float) -> None:
        """Let no dial of this node through for so long."""
        self._blocked_until_s[node_id] = self.agenda.now_s + seconds

    def slow(self, node_id: str, seconds: float, longest_s: float) -> None:
        """Let what this node sends and is sent take up to ``longest_s``, for so long."""
        self._longest_s[node_id] = longest_s
        self._slow_until_s[node_id] = self.agenda.now_s + seconds

    def heal(self) -> None:
        """Let every dial through again. Lines that are dead stay dead until somebody notices."""
        self._blocked_until_s.clear()
        self._slow_until_s.clear()

    def dial(self, node_id: str, node: Process, peer: Peer, hub: Peer | None) -> Line | None:
        """Begin a handshake; None if it is refused at once. What becomes of it the node is told as an item."""
        if hub is None or self._blocked_until_s.get(node_id, 0.0) > self.agenda.now_s:
            return None
        self._last += 1
        line = Line(self, self._last, node_id, peer, hub)
        self.lines[line.number] = line
        self._trace.note("network", f"line {line.number}: {node.name} dials")
        return line

    def drop(self, line: Line) -> None:
        """Forget a line that both sides have left."""
        self.lines.pop(line.number, None)

    def of_node(self, node_id: str) -> list[Line]:
        """Give the lines of a node, newest last."""
        return [line for line in self.lines.values() if line.node_id == node_id]
