"""Nodes that are as a test says, for what looks at them."""

from __future__ import annotations

from node.decisions.effects import Joined
from node.decisions.health import Connectedness, Holdings, NodeHealth, health_of
from protocol.frames import HubLimits

URL = "ws://hub:8765"


class Node:
    """Connected, until it is told otherwise."""

    def __init__(self) -> None:
        self.link = Connectedness(URL, 10.0)
        self.link.joined(Joined(hub_id="h", session_id="s", url=URL, limits=HubLimits(), is_resumed=False), 20.0)
        self.running = 0
        self.draining = False
        self.is_starting = False

    def look(self) -> NodeHealth | None:
        if self.is_starting:
            return None
        holdings = Holdings(
            draining=self.draining, confirmed_age_s=1.0, running=self.running, slots=4, outbox=0, outbox_writes=True
        )
        return health_of(self.link, holdings, node_id="n", instance_id="i", version="1", pid=7, at=100.0)
