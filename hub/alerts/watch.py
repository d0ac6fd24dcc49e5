"""Looks every few seconds at what the hub measures, has it judged, stores what follows and hands it on.

In the usual case a message leaves after the commit that holds it, with the alert that it is about. A hub whose store
takes no commits tells people all the same, since that is what they must know: its messages leave from memory, and what
is to be stored waits for the store, at most `UNSAVED_MAX` alerts.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from hub.alerts.channels import Channel
from hub.alerts.deliver import ChannelState, Courier
from hub.alerts.engine import AlertEngine, AlertView, Decision
from hub.alerts.facts import HubStart
from hub.alerts.lookout import Lookout, Watched
from hub.alerts.messages import HubName
from hub.alerts.reading import AlertSettings
from hub.alerts.rules import Rule
from hub.alerts.senders import Sender, Sent, senders_for
from hub.errors import HubStoppingError
from hub.store.alerts import AlertMemory, AlertRow, ForgetMessages, NoteAlerts, PutSilence, SilenceRow
from protocol.logs import fields

logger = logging.getLogger(__name__)

# How long a message waits for the commit that holds it. A commit takes milliseconds; one that takes longer is what
# people may have to be told about.
SAVED_WITHIN_S: Final = 2.0

# Alerts that wait for a store that takes no commits; some 1 KiB each. Past it the changes of further looks are told and
# not stored. What one look finds is stored whatever it is: `hub.alerts.engine.OPEN_MAX` bounds it.
UNSAVED_MAX: Final = 2_000

# Lines in the log about one look; the store has them all.
LOGGED_MAX: Final = 100


class AlertWatch:
    """The alerts of a hub that runs.

    Args:
        watched: the hub.
        settings: rules and channels.
        hub: who tells.
        certificate_paths: the hub's certificates.
        make_senders: makes what sends.
        unsaved_max: how many alerts may wait for the store. Both for tests.

    Raises:
        SettingsError: a channel names what is not there.
    """

    def __init__(
        self,
        watched: Watched,
        settings: AlertSettings,
        hub: HubName,
        *,
        certificate_paths: Sequence[Path] = (),
        make_senders: Callable[[Mapping[str, Channel], str], Mapping[str, Sender]] = senders_for,
        unsaved_max: int = UNSAVED_MAX,
    ) -> None:
        self._watched = watched
        self._settings = settings
        self._hub = hub
        self._make_senders = make_senders
        self._courier = Courier(hub, self._senders_of(settings), clock=watched.now, forget=self._forget)
        self._engine = AlertEngine(settings, hub)
        self._lookout = Lookout(watched, hub.version, certificate_paths)
        self._reloading = asyncio.Lock()
        self._unsaved = 0
        self._unsaved_max = unsaved_max
        self._saving: set[asyncio.Task[None]] = set()
        self._handed_on: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None

    # --- starting and stopping ----------------------------------------------------------------------------------------

    async def start(self, found: HubStart | None = None) -> None:
        """Take up what an earlier process left, and begin to look. ``found``: what the hub found when it started, None
        on a new store. Raises StoreUnavailableError.
        """
        self._lookout.begin(found)
        kept: AlertMemory = await self._watched.read(lambda store: store.alerts())
        now = self._watched.now()
        self._engine = AlertEngine(self._settings, self._hub, kept.alerts, kept.silences, now)
        self._courier.start(kept.messages)
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="alert watch")

    async def stop(self) -> None:
        """End; what is not delivered is kept in the store. Twice is harmless."""
        task, self._task = self._task, None
        async with self._reloading:
            await self._end(task)

    async def _end(self, task: asyncio.Task[None] | None) -> None:
        ending = [*self._saving, *([] if task is None else [task])]
        for one in ending:
            one.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._courier.stop()

    async def reload(self, settings: AlertSettings) -> None:
        """Follow other rules, and tell through other channels, from the next look on. Nothing that fires or waits to
        be told is forgotten.

        Raises:
            SettingsError: a channel names what is not there; all stays as it was.
        """
        async with self._reloading:
            senders = self._senders_of(settings)
            self._settings = settings
            self._engine.revise(settings)
            await self._courier.revise(senders)

    def _senders_of(self, settings: AlertSettings) -> Mapping[str, Sender]:
        return self._make_senders({channel.name: channel for channel in settings.channels}, self._hub.version)

    # --- looking ------------------------------------------------------------------------------------------------------

    def note_alarm(self, kind: str, node_id: str, message: str) -> None:
        """Take note of an alarm for the next look."""
        self._lookout.note_alarm(kind, node_id, message)

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # The top of the task: a fault here must not end the watch for good.
                logger.exception("a look for alerts failed")
            await asyncio.sleep(self._settings.every_s)

    async def look(self) -> None:
        """Look once, and carry out what follows."""
        self._carry_out(self._engine.look(await self._lookout.look()))

    # --- carrying out -------------------------------------------------------------------------------------------------

    def _carry_out(self, decision: Decision) -> None:
        if not decision.alerts and not decision.messages:
            return
        _log(decision.news)
        if self._unsaved and self._unsaved + len(decision.alerts) > self._unsaved_max:
            logger.error("%d changes of alerts wait for the store; this one is told and not stored", self._unsaved)
            self._courier.take(decision.messages, is_kept=False)
            return
        before, self._handed_on = self._handed_on, asyncio.Event()
        saving = asyncio.get_running_loop().create_task(
            self._save(decision, before, self._handed_on), name="alert save"
        )
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)

    async def _save(self, decision: Decision, before: asyncio.Event | None, handed_on: asyncio.Event) -> None:
        """Store what follows from a look, and hand the messages on: after the commit, or if it is long in coming; and
        always after those of the look ``before``.
        """
        self._unsaved += len(decision.alerts)
        try:
            stored = self._watched.put(NoteAlerts(alerts=decision.alerts, messages=decision.messages))
            within_s = SAVED_WITHIN_S if self._watched.why_degraded() is None else 0.0
            await asyncio.wait([stored], timeout=within_s)
            if before is not None:
                await before.wait()
            self._courier.take(decision.messages)
            handed_on.set()
            await stored
        except HubStoppingError:
            logger.debug("the hub stopped before %d changes of alerts were stored", len(decision.alerts))
        except Exception:
            # The store's own fault; the messages are on their way.
            logger.exception("changes of alerts could not be stored")
        finally:
            handed_on.set()
            self._unsaved -= len(decision.alerts)

    def _forget(self, ids: Sequence[str]) -> None:
        # It stands behind the operation that brings the messages, so the order is right whenever they are committed.
        # Nobody waits for it; a failure means that a message is sent once more after a restart.
        self._watched.put(ForgetMessages(ids=ids))

    # --- what the API asks --------------------------------------------------------------------------------------------

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by name."""
        return self._engine.rules

    def counts(self) -> tuple[int, int]:
        """Count the alerts that fire, and those of them that are critical."""
        return self._engine.counts()

    def shown(self) -> list[AlertView]:
        """Give the alerts: firing, pending, and those that are over."""
        return self._engine.shown(self._watched.now())

    def silences(self) -> list[SilenceRow]:
        """Give the silences that are not over."""
        return self._engine.silences(self._watched.now())

    def channels(self) -> list[tuple[Channel, ChannelState]]:
        """Give each channel, and how it is."""
        states = {state.channel: state for state in self._courier.states()}
        return [(channel, states[channel.name]) for channel in self._settings.channels]

    async def silence(self, *, rule: str, subject: str, for_s: float, comment: str, who: str) -> SilenceRow:
        """Tell nobody of these alerts for a time; returns after the commit. Raises HubDegradedError."""
        now = self._watched.now()
        row = SilenceRow(
            id=f"silence-{secrets.token_hex(6)}",
            rule=rule,
            subject=subject,
            made_at=now.wall_s,
            until_at=now.wall_s + for_s,
            comment=comment,
            who=who,
        )
        await self._watched.perform(PutSilence(silence=row))
        self._engine.put_silence(row, now)
        return row

    async def end_silence(self, silence_id: str) -> SilenceRow | None:
        """End a silence now; None if there is none. Returns after the commit. Raises HubDegradedError."""
        known = self._engine.get_silence(silence_id)
        if known is None:
            return None
        now = self._watched.now()
        row = replace(known, until_at=min(known.until_at, now.wall_s))
        await self._watched.perform(PutSilence(silence=row))
        self._engine.put_silence(row, now)
        return row

    async def test(self) -> dict[str, Sent]:
        """Send a test through each channel; give what came of it."""
        return await self._courier.test()


def _log(news: Sequence[AlertRow]) -> None:
    for row in news[:LOGGED_MAX]:
        about = fields(node_id=row.node_id, alert=row.rule)
        logger.warning("alert %s: %s: %s", row.state, row.rule, row.message, extra=about)
    if len(news) > LOGGED_MAX:
        logger.warning("alerts: and %d more changes at once", len(news) - LOGGED_MAX)
