"""The loop that puts it together: keys in, what is looked at, what is heard of the hub, pictures out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Final

from dashboards.terminal.acting import Actor
from dashboards.terminal.footer import filter_line
from dashboards.terminal.keys import ESCAPE_WITHIN_S, Key, KeyDecoder
from dashboards.terminal.look import look_of
from dashboards.terminal.picture import render
from dashboards.terminal.pressing import Sight, press
from dashboards.terminal.screen import Screen
from dashboards.terminal.snapshot import Snapshot
from dashboards.terminal.source import Source
from dashboards.terminal.state import FilterInput, Quit, Redraw, State, Suspend
from dashboards.terminal.tty import Terminal

# Frames are at least so far apart: what changes faster cannot be read, and costs.
FRAME_S: Final = 0.25
# A key is answered sooner.
KEY_FRAME_S: Final = 0.02
# Ages grow by the second.
TICK_S: Final = 1.0

READ_BYTES: Final = 4096

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Top:
    """The dashboard on one terminal.

    Args:
        terminal: entered and left by this.
        screen: what is drawn on.
        source: what is heard of the hub.
        actor: what does what is confirmed.
        state: what is looked at in the beginning.
        parent: the process beside which this is shown; once it is gone, the picture ends.
    """

    def __init__(
        self,
        *,
        terminal: Terminal,
        screen: Screen,
        source: Source,
        actor: Actor,
        state: State,
        parent: int | None = None,
    ) -> None:
        self._terminal = terminal
        self._screen = screen
        self._source = source
        self._actor = actor
        self._state = state
        self._parent = parent
        self._decoder = KeyDecoder()
        self._escape: asyncio.TimerHandle | None = None
        self._dirty = source.changed
        self._pressed = asyncio.Event()
        self._end = asyncio.Event()
        self._still: Snapshot | None = None
        self.signal_number = 0
        """The signal that ended it; 0: a key did."""

    async def run(self) -> None:
        """Show the hub until somebody leaves. The terminal is given back whatever happens."""
        with self._terminal, self._signals(), self._parent_watched():
            loop = asyncio.get_running_loop()
            loop.add_reader(self._terminal.keys, self._readable)
            try:
                async with asyncio.TaskGroup() as group:
                    working = [
                        group.create_task(self._source.run(), name="source"),
                        group.create_task(self._draw_for_ever(), name="drawing"),
                        group.create_task(self._actor.run(), name="acting"),
                    ]
                    await self._end.wait()
                    for task in working:
                        task.cancel()
            finally:
                loop.remove_reader(self._terminal.keys)
                if self._escape is not None:
                    self._escape.cancel()

    # --- drawing -----------------------------------------------------------------------------------------------------

    async def _draw_for_ever(self) -> None:
        while True:
            self._dirty.clear()
            self._pressed.clear()
            if self._parent is not None and os.getppid() != self._parent:
                self._end.set()
            self._draw()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._dirty.wait()
            await self._pause()

    async def _pause(self) -> None:
        """Wait until another frame may be drawn; a key ends the wait."""
        if not self._pressed.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FRAME_S):
                    await self._pressed.wait()
        if self._pressed.is_set():
            await asyncio.sleep(KEY_FRAME_S)

    def _sight(self) -> Sight:
        """Give what is on the screen: the newest, or what it was when it was held still."""
        snapshot = self._source.snapshot()
        if not self._state.is_still:
            self._still = None
        elif self._still is None:
            self._still = snapshot
        width, height = self._terminal.size()
        return Sight(self._still or snapshot, width, height)

    def _draw(self) -> None:
        if not self._terminal.is_entered:
            # In the background the terminal is somebody else's.
            if not self._terminal.is_in_foreground:
                return
            self._enter_again()
        self._state = self._actor.noted(self._state)
        snapshot, width, height = self._sight()
        self._source.look_at(look_of(snapshot, self._state, height))
        cursor = None
        if isinstance(self._state.dialog, FilterInput):
            cursor = (height - 1, filter_line(self._state.dialog, width)[1])
        self._screen.draw(render(snapshot, self._state, width, height), cursor)

    # --- keys --------------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        if self._escape is not None:
            self._escape.cancel()
            self._escape = None
        try:
            piece = os.read(self._terminal.keys, READ_BYTES)
        except OSError:
            piece = b""
        if not piece:
            # The terminal is gone.
            self._end.set()
            return
        self._press(self._decoder.feed(piece))
        if self._decoder.is_waiting:
            loop = asyncio.get_running_loop()
            self._escape = loop.call_later(ESCAPE_WITHIN_S, lambda: self._press(self._decoder.flush()))

    def _press(self, keys: list[Key]) -> None:
        for key in keys:
            pressed = press(self._state, key, self._sight())
            self._state = pressed.state
            for intent in pressed.intents:
                match intent:
                    case Quit():
                        self._end.set()
                    case Suspend():
                        self._suspend(os.getpgrp())
                    case Redraw():
                        self._screen.forget()
                    case _:
                        self._actor.do(intent)
        self._pressed.set()
        self._dirty.set()

    # --- signals -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self._ended, number)
        if not self._state.is_beside_hub:
            loop.add_signal_handler(signal.SIGINT, self._ended, signal.SIGINT)
        loop.add_signal_handler(signal.SIGWINCH, self._resized)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend, None)
        loop.add_signal_handler(signal.SIGCONT, self._continued)
        try:
            yield
        finally:
            for number in (*ENDING, signal.SIGINT, signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT):
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def _parent_watched(self) -> Iterator[None]:
        """End at once when the parent has: its shell writes to the terminal again. Elsewhere than on Linux it takes a
        second, see `_draw_for_ever`.
        """
        try:
            if self._parent is None or not hasattr(os, "pidfd_open"):
                raise OSError
            descriptor = os.pidfd_open(self._parent)
        except OSError:
            yield
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, self._end.set)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def _ended(self, number: int) -> None:
        self.signal_number = number
        self._end.set()

    def _resized(self) -> None:
        self._screen.forget()
        self._pressed.set()
        self._dirty.set()

    def _suspend(self, group: int | None) -> None:
        """Give the terminal back and stop: this process, or with Ctrl-Z all of its group; goes on here once the shell
        continues it.
        """
        loop = asyncio.get_running_loop()
        self._terminal.leave()
        # In the background, what is typed is the shell's: reading it would stop the whole process group, with a hub.
        loop.remove_reader(self._terminal.keys)
        loop.remove_signal_handler(signal.SIGTSTP)
        if group is None:
            os.kill(os.getpid(), signal.SIGTSTP)
        else:
            os.killpg(group, signal.SIGTSTP)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend, None)

    def _continued(self) -> None:
        if self._terminal.is_in_foreground:
            self._enter_again()
            self._pressed.set()
            self._dirty.set()

    def _enter_again(self) -> None:
        self._terminal.enter()
        asyncio.get_running_loop().add_reader(self._terminal.keys, self._readable)
        self._screen.forget()
