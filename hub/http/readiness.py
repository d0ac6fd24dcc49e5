"""Whether a hub lives and can serve, and if not, why: for load balancers, service managers and people. Pure."""

from __future__ import annotations

from hub.http.backend import Health


def reasons_not_alive(health: Health) -> list[str]:
    """Say what only starting again can mend."""
    return [] if health.writes else ["the thread that commits has ended, which is a bug in Moorline"]


def reasons_not_ready(health: Health) -> list[str]:
    """Say what keeps a hub from serving."""
    reasons = reasons_not_alive(health)
    if not health.listening:
        reasons.append("nodes are not accepted yet")
    if health.degraded is not None:
        reasons.append(f"the store takes no commits: {health.degraded}")
    if health.disk is not None and health.disk.is_short:
        reasons.append(
            f"the disk of the state folder has {health.disk.free_bytes // 1024**2} MiB left; commits will soon fail"
        )
    if health.stopping:
        reasons.append("the hub is stopping")
    return reasons
