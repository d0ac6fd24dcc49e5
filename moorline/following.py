"""How handles get their outcomes: one event stream for what this client submitted, questions for everything else.

The stream names this client's origin, so that the hub sends it nothing that somebody else submitted. It is open before
the first task is submitted, and resumes where it broke off: no outcome is missed. Where the hub says that events were
lost, or an event came without its value, the hub is asked for the tasks themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, Final
from weakref import WeakValueDictionary

from moorline.api import Api
from moorline.errors import HubError, HubUnavailableError, NotFoundError
from moorline.event_stream import EventStream, Message
from moorline.handles import TaskHandle
from moorline.outcomes import Forgotten, decoded_outcome, outcome_of
from moorline.pauses import Pauses
from moorline.transport import Transport
from moorline.views import FINAL_STATES

logger = logging.getLogger(__name__)

AnyHandle = TaskHandle[Any]

_KINDS: Final = ",".join(sorted(f"task.{state}" for state in FINAL_STATES))

# As many ids as fit a URL of 4 KiB, which every proxy takes.
IDS_PER_QUESTION: Final = 100

# A question for one task's outcome is held open by the hub for this long; then it is asked anew.
WAIT_S: Final = 30.0
# So many of them at once; more take turns with short ones.
WAITS_MAX: Final = 32


class Following:
    """The outcomes of one client. Use it on one event loop; close it.

    Args:
        api, transport: the way to the hub.
        origin: the mark that this client puts on what it submits.
        pauses: between tries to reach the hub.
    """

    def __init__(self, api: Api, transport: Transport, *, origin: str, pauses: Pauses) -> None:
        self._api = api
        self._transport = transport
        self._filters = {"origin": origin, "kind": _KINDS}
        self._pauses = pauses
        # Weak: what the program dropped needs no outcome, however many tasks it fires and forgets.
        self._handles: WeakValueDictionary[str, AnyHandle] = WeakValueDictionary()
        self._stream: EventStream | None = None
        self._stream_task: asyncio.Task[None] | None = None
        self._greeted: asyncio.Future[None] | None = None
        # Handles whose tasks the hub has to be asked for.
        self._doubtful: dict[str, AnyHandle] = {}
        self._asking: asyncio.Task[None] | None = None
        self._waits: dict[AnyHandle, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(WAITS_MAX)

    @property
    def is_open(self) -> bool:
        """Whether the stream has been opened, and is being followed."""
        return (
            self._greeted is not None
            and self._greeted.done()
            and self._stream_task is not None
            and not self._stream_task.done()
        )

    async def open(self, within_s: float) -> None:
        """Open the stream, or wait until it is; twice is harmless. Cancelling it leaves the stream to be opened.

        Raises:
            HubUnavailableError: the hub is not there within ``within_s`` seconds.
            HubError: it will never let this client listen.
        """
        if self.is_open:
            return
        if self._stream_task is None or self._stream_task.done():
            self._stream = EventStream(self._transport, self._filters, pauses=self._pauses)
            self._greeted = asyncio.get_running_loop().create_future()
            self._stream_task = asyncio.create_task(self._follow(self._stream), name="moorline outcomes")
        if self._greeted is None or self._stream is None:
            raise AssertionError("a stream is followed that was never made")
        stream = self._stream
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(self._greeted)
        except TimeoutError as error:
            failure = stream.last_failure or HubUnavailableError("it does not answer")
            message = f"no hub within {within_s:g} s: {failure.message}"
            raise HubUnavailableError(message, remedy=failure.remedy) from error

    def add(self, handle: AnyHandle) -> None:
        """Settle this handle when its outcome comes by the stream."""
        self._handles[handle.id] = handle

    def remove(self, handle: AnyHandle) -> None:
        """Forget a handle whose task was never accepted, or goes by another id."""
        self._handles.pop(handle.id, None)

    def doubt(self, handles: Iterable[AnyHandle]) -> None:
        """Ask the hub for these tasks, soon: their outcomes may have been told already."""
        self._doubtful.update((handle.id, handle) for handle in handles)
        if self._doubtful and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask(), name="moorline questions")

    def wait_for(self, handle: AnyHandle) -> None:
        """Settle a handle whose outcome does not come by the stream; ends by itself when nobody waits any more."""
        if not handle.is_streamed and handle not in self._waits:
            task = asyncio.create_task(self._wait(handle), name=f"moorline wait {handle.id}")
            self._waits[handle] = task
            task.add_done_callback(lambda _: self._waits.pop(handle, None))

    async def close(self) -> None:
        """Stop listening. Whoever still waits for an outcome gets HubUnavailableError. Twice is harmless."""
        owned = [task for task in (self._stream_task, self._asking, *self._waits.values()) if task is not None]
        waiting = list(self._waits)
        for task in owned:
            task.cancel()
        await asyncio.gather(*owned, return_exceptions=True)
        # Cancelled tasks tell nobody themselves.
        self._greet(HubUnavailableError("the client was closed before the hub answered"))
        self._forget(
            [*self._handles.values(), *waiting], HubUnavailableError("the client was closed before the outcome")
        )

    # --- the stream ---------------------------------------------------------------------------------------------------

    async def _follow(self, stream: EventStream) -> None:
        try:
            async with aclosing(stream.batches()) as batches:
                async for batch in batches:
                    self._take(batch)
        except HubError as error:
            self._give_up(error)
        except Exception as error:  # the top of a task: nobody may wait for ever for what it would have told
            logger.exception("the event stream cannot be followed")
            self._give_up(HubError(f"the event stream cannot be followed: {error!r}"))

    def _take(self, batch: list[Message]) -> None:
        handles = self._handles
        for event, _, data in batch:
            if event == "message":
                outcome = decoded_outcome(data)
                handle = handles.get(outcome.task_id)
                if handle is None:
                    continue
                if outcome.is_whole:
                    del handles[outcome.task_id]
                    handle.settle(outcome)
                else:
                    self.doubt([handle])
            elif event == "hello":
                self._greet(None)
            elif event == "reset":
                logger.warning("the hub no longer has all events; asking it for %d tasks", len(handles))
                self.doubt(list(handles.values()))

    def _greet(self, error: HubError | None) -> None:
        if self._greeted is None or self._greeted.done():
            return
        if error is None:
            self._greeted.set_result(None)
        else:
            self._greeted.set_exception(error)
            # Retrieved here, in case nobody waits to be told.
            self._greeted.exception()

    def _give_up(self, error: HubError) -> None:
        self._greet(error)
        self._forget(list(self._handles.values()), error)

    def _forget(self, handles: Iterable[AnyHandle], error: HubError) -> None:
        for handle in handles:
            self._handles.pop(handle.id, None)
            handle.settle(Forgotten(error))

    # --- questions ----------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Ask for all doubtful tasks; through absences of the hub, however long."""
        failures = 0
        while self._doubtful:
            some = list(self._doubtful.values())[:IDS_PER_QUESTION]
            try:
                await self._ask_for(some)
            except HubUnavailableError as error:
                failures += 1
                await asyncio.sleep(self._pauses.after(failures, error.retry_after_s))
                continue
            except HubError as error:
                self._forget(some, error)
            except Exception as error:  # the top of a task: nobody may wait for ever for what it would have found
                logger.exception("the hub cannot be asked for %d tasks", len(some))
                self._forget(some, HubError(f"the hub cannot be asked for the task: {error!r}"))
            failures = 0
            for handle in some:
                self._doubtful.pop(handle.id, None)

    async def _ask_for(self, handles: list[AnyHandle]) -> None:
        # What is on its way to the hub may not be there yet.
        expected = [handle for handle in handles if handle.is_accepted]
        found = {view.id: view for view in await self._api.tasks_by_id([handle.id for handle in handles])}
        for handle in handles:
            view = found.get(handle.id)
            if view is not None and view.is_final and not handle.is_done:
                whole = await self._api.task(handle.id)
                self._handles.pop(handle.id, None)
                handle.settle(outcome_of(whole))
        gone = [handle for handle in expected if handle.id not in found]
        for handle in gone:
            remedy = "its store was emptied, or an older backup restored: see whether the task ran, and submit it anew"
            self._forget([handle], NotFoundError(f"the hub no longer has task {handle.id}", remedy=remedy))

    async def _wait(self, handle: AnyHandle) -> None:
        failures = 0
        while handle.is_watched:
            wait_s = WAIT_S if len(self._waits) <= WAITS_MAX else 1.0
            try:
                async with self._turns:
                    view = await self._api.task(handle.id, wait_s=wait_s)
            except HubUnavailableError as error:
                failures += 1
                await asyncio.sleep(self._pauses.after(failures, error.retry_after_s))
            except HubError as error:
                handle.settle(Forgotten(error))
            except Exception as error:  # the top of a task: nobody may wait for ever for what it would have found
                logger.exception("the hub cannot be asked for task %s", handle.id)
                handle.settle(Forgotten(HubError(f"the hub cannot be asked for the task: {error!r}")))
            else:
                failures = 0
                if view.is_final:
                    handle.settle(outcome_of(view))
