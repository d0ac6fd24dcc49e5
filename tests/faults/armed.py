"""Starting a process again with a failpoint that only this start has: its next one finds nothing in its way."""

from __future__ import annotations

from collections.abc import Callable

from tests.end_to_end.processes import Process


def restart(process: Process, failpoint: str, start: Callable[[], None] | None = None) -> None:
    """Kill a process if it lives, and start it with a failpoint.

    Args:
        process: the hub or a node.
        failpoint: `protocol.failpoints`.
        start: how it is started, where not with its own ``start``: a hub that may die first does not become ready.
    """
    process.kill()
    process.arm(failpoint)
    (start or process.start)()
    process.arm(None)
