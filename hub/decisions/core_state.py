"""What the rooms of the hub's core share: how the hub is run, who is in session, who is away, what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from hub.decisions.absences import Absences
from hub.decisions.backlog import BACKLOG_BYTES_MAX
from hub.decisions.intake import IntakeBounds
from hub.decisions.roster import Roster
from hub.store.tasks import WEEK_S
from protocol.frames import HubLimits


class CoreSettings(Struct, frozen=True, kw_only=True):
    """What the core must know of how the hub is run."""

    hub_id: str
    version: str = ""
    heartbeat_s: float = 10.0
    admissions_per_s: float = 300.0
    limits: HubLimits = HubLimits()
    retention_s: float = WEEK_S
    retention_count: int = 1_000_000
    gone_after_s: float = 3600.0
    backlog_bytes_max: int = BACKLOG_BYTES_MAX
    intake: IntakeBounds = IntakeBounds()


class CoreState:
    """Made once, by the core, and handed to each of its rooms.

    ``luck`` gives a number drawn evenly from 0 to 1. ``is_stopping`` and ``degraded`` (why the store takes no commits,
    or None) are set by the core alone; the rooms look at them. ``roster`` and ``absences`` change by their own methods
    only. ``counts`` says what happened so far, by name; every room adds to it.
    """

    __slots__ = ("absences", "counts", "degraded", "is_stopping", "luck", "roster", "settings")

    def __init__(self, settings: CoreSettings, luck: Callable[[], float]) -> None:
        self.settings = settings
        self.luck = luck
        self.is_stopping = False
        self.degraded: str | None = None
        self.roster = Roster(settings.admissions_per_s)
        self.absences = Absences()
        self.counts: Counter[str] = Counter()
