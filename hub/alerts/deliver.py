"""Delivers messages: for each channel a line of its own, in order, tried again until it is taken or given up.

The messages stand in the store until then, so none is lost in a restart; one that was taken in the moment in which the
hub was killed is sent again, with the same id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from hub.alerts import delivering
from hub.alerts.messages import HubName, trial_message
from hub.alerts.senders import Sender, Sent
from hub.store.alerts import OutboundMessage
from hub.store.now import Now

logger = logging.getLogger(__name__)

# Messages that wait on one channel, 100 KiB each at most. Past it the oldest is given up: of a channel that takes
# nothing for days the last thousand is news, if any is.
WAITING_MAX: Final = 1_000

# How long a hub that stops waits for what is being sent: long enough for an answer that is on its way.
STOP_GRACE_S: Final = 2.0


class ChannelState(Struct, frozen=True, kw_only=True):
    """How a channel is. ``failure`` is what came of the last try, empty if it was taken; ``failures`` how many in a row
    were not.
    """

    channel: str
    waiting: int
    failures: int
    failure: str


class Courier:
    """All lines.

    Args:
        hub: who tells.
        senders: what sends, by channel.
        clock: gives the time.
        forget: called with the ids of messages that are done with: to remove them from the store.
        luck: gives a number drawn evenly from 0 to 1.
    """

    def __init__(
        self,
        hub: HubName,
        senders: Mapping[str, Sender],
        *,
        clock: Callable[[], Now],
        forget: Callable[[Sequence[str]], None],
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._forget = forget
        self._luck = luck
        self._senders = senders
        # Messages that the store never had: nothing is to be removed there.
        self._unkept: set[str] = set()
        self._lines = self._lines_to(senders)

    def _lines_to(self, senders: Mapping[str, Sender]) -> dict[str, _Line]:
        return {name: _Line(name, sender, self._clock, self._done, self._luck) for name, sender in senders.items()}

    def start(self, kept: Sequence[OutboundMessage] = ()) -> None:
        """Begin to deliver, first what an earlier process left."""
        self.take(kept)
        for line in self._lines.values():
            line.start()

    async def revise(self, senders: Mapping[str, Sender]) -> None:
        """Deliver through these from now on; what is being sent is waited for, for a bounded time. What waits on a
        channel that is no more is dropped, as after a restart.
        """
        old_lines, old_senders = self._lines, self._senders
        self._senders = senders
        self._lines = self._lines_to(senders)
        # New messages already wait in the new lines; what waited before goes in front of them.
        await asyncio.gather(*(line.stop() for line in old_lines.values()))
        for name, line in old_lines.items():
            if name in self._lines:
                self._lines[name].add_before(line.waiting())
            else:
                self._drop_strangers(line.waiting())
        for sender in old_senders.values():
            await sender.close()
        for line in self._lines.values():
            line.start()

    def take(self, messages: Sequence[OutboundMessage], *, is_kept: bool = True) -> None:
        """Put messages into the lines of their channels; what is for a channel that is no more is dropped. ``is_kept``:
        the store has them, or will.
        """
        if not is_kept:
            self._unkept.update(message.id for message in messages)
        strangers = [message for message in messages if message.channel not in self._lines]
        self._drop_strangers(strangers)
        for message in messages:
            line = self._lines.get(message.channel)
            if line is not None:
                line.add(message)

    def _drop_strangers(self, messages: Sequence[OutboundMessage]) -> None:
        if messages:
            logger.warning("%d messages are for channels that are no more; dropped", len(messages))
            self._done([message.id for message in messages])

    def _done(self, ids: Sequence[str]) -> None:
        kept = [message_id for message_id in ids if message_id not in self._unkept]
        self._unkept.difference_update(ids)
        if kept:
            self._forget(kept)

    async def test(self) -> dict[str, Sent]:
        """Send a test through each channel at once, past what waits; give what came of it."""
        names = list(self._senders)
        wall_s = self._clock().wall_s
        tests = [
            _sent(name, self._senders[name], trial_message(self._hub, name, f"test-{secrets.token_hex(8)}", wall_s))
            for name in names
        ]
        return dict(zip(names, await asyncio.gather(*tests), strict=True))

    def states(self) -> list[ChannelState]:
        """Say how each channel is."""
        return [line.state() for line in self._lines.values()]

    async def stop(self) -> None:
        """End; what is not delivered stays in the store. Twice is harmless."""
        await asyncio.gather(*(line.stop() for line in self._lines.values()))
        for sender in self._senders.values():
            await sender.close()


class _Line:
    """What waits on one channel."""

    def __init__(
        self,
        name: str,
        sender: Sender,
        clock: Callable[[], Now],
        forget: Callable[[Sequence[str]], None],
        luck: Callable[[], float],
    ) -> None:
        self._name = name
        self._sender = sender
        self._clock = clock
        self._forget = forget
        self._luck = luck
        self._waiting: deque[OutboundMessage] = deque()
        self._has_some = asyncio.Event()
        self._failures = 0
        self._refusals = 0
        self._failure = ""
        self._is_stopping = False
        self._sending: asyncio.Task[Sent] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=f"alerts to {self._name}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._is_stopping = True
        if self._sending is not None:
            # It ends by itself, with what was taken noted as such.
            await asyncio.wait([task], timeout=STOP_GRACE_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def add(self, message: OutboundMessage) -> None:
        self._waiting.append(message)
        if len(self._waiting) > WAITING_MAX:
            # The first may be on its way.
            oldest = self._waiting[1]
            del self._waiting[1]
            logger.error("message %s for the channel %s is given up: %d wait", oldest.id, self._name, WAITING_MAX)
            self._forget([oldest.id])
        self._has_some.set()

    def add_before(self, messages: Sequence[OutboundMessage]) -> None:
        """Add what is older than all that waits here; called before `start`."""
        newer = self.waiting()
        self._waiting.clear()
        for message in [*messages, *newer]:
            self.add(message)

    def waiting(self) -> list[OutboundMessage]:
        return list(self._waiting)

    def state(self) -> ChannelState:
        return ChannelState(
            channel=self._name, waiting=len(self._waiting), failures=self._failures, failure=self._failure
        )

    async def _work(self) -> None:
        while not self._is_stopping:
            await self._has_some.wait()
            message = self._waiting[0]
            sent = await self._send(message)
            if sent.is_taken:
                self._note_taken(message)
            elif not self._note_failure(message, sent) and not self._is_stopping:
                await asyncio.sleep(delivering.pause_s(self._failures, self._luck()))

    async def _send(self, message: OutboundMessage) -> Sent:
        self._sending = asyncio.get_running_loop().create_task(_sent(self._name, self._sender, message))
        try:
            return await self._sending
        except asyncio.CancelledError:
            self._sending.cancel()
            raise
        finally:
            self._sending = None

    def _note_taken(self, message: OutboundMessage) -> None:
        if self._failures:
            logger.warning("the channel %s takes messages again", self._name)
        self._failures, self._refusals, self._failure = 0, 0, ""
        self._drop(message)

    def _note_failure(self, message: OutboundMessage, sent: Sent) -> bool:
        """Count a failure; tell whether the message is given up."""
        self._failures += 1
        self._refusals += sent.is_refused
        self._failure = sent.detail
        if self._failures == 1:
            logger.warning("the channel %s does not take a message: %s; trying on", self._name, sent.detail)
        if not delivering.is_given_up(self._clock().wall_s - message.made_at, self._refusals):
            return False
        self._refusals = 0
        logger.error("message %s for the channel %s is given up: %s", message.id, self._name, sent.detail)
        self._drop(message)
        return True

    def _drop(self, message: OutboundMessage) -> None:
        self._waiting.popleft()
        if not self._waiting:
            self._has_some.clear()
        self._forget([message.id])


async def _sent(name: str, sender: Sender, message: OutboundMessage) -> Sent:
    """Try once. The edge of a sender: a fault of its own is a failure like any other."""
    try:
        return await sender.send(message)
    except Exception as error:
        logger.exception("the channel %s failed", name)
        return Sent(is_taken=False, detail=repr(error))
