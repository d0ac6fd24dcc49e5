"""What is asked for, and the command that asks for it again."""

from __future__ import annotations

from dataclasses import dataclass

# The least that leaves time for one fault of each kind to begin and end.
SECONDS_MIN = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosSettings:
    """How large it is, what is broken, and for how long. Equal settings make equal plans."""

    minutes: float = 5.0
    nodes: int = 5
    slots: int = 4
    seed: int = 1
    lease_s: float = 20.0
    kill_hub: bool = True
    kill_nodes: bool = True
    cut_links: bool = True
    pause: bool = True

    @property
    def seconds(self) -> float:
        """For how long faults go on."""
        return max(SECONDS_MIN, self.minutes * 60)

    @property
    def node_ids(self) -> tuple[str, ...]:
        """What the nodes are called."""
        width = len(str(self.nodes))
        return tuple(f"node-{number:0{width}}" for number in range(1, self.nodes + 1))

    @property
    def freed_after_s(self) -> float:
        """How long a hub waits before it frees an attempt of a silent node: docs/explanation/guarantees.md."""
        return self.lease_s + 5.0 + 0.01 * self.lease_s

    def command(self) -> str:
        """Give the command that makes the same plan."""
        words = ["moorline", "chaos", "--minutes", f"{self.minutes:g}", "--nodes", str(self.nodes)]
        words += [word for word, is_on in self._flags() if is_on]
        if self.slots != ChaosSettings().slots:
            words += ["--slots", str(self.slots)]
        if self.lease_s != ChaosSettings().lease_s:
            words += ["--lease-s", f"{self.lease_s:g}"]
        return " ".join([*words, "--seed", str(self.seed)])

    def _flags(self) -> tuple[tuple[str, bool], ...]:
        return (
            ("--kill-hub", self.kill_hub),
            ("--kill-nodes", self.kill_nodes),
            ("--cut-links", self.cut_links),
            ("--pause", self.pause),
        )
