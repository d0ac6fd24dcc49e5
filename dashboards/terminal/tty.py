"""A terminal that is borrowed: keys come one by one, and another screen is shown; given back as it was, on every way
out.
"""

from __future__ import annotations

import contextlib
import os
import termios
import tty
from types import TracebackType
from typing import Any, Final, Self

# The other screen, no cursor, no wrapping at the edge, and pasted text in brackets (it must not act as keys).
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[0m\x1b[2J"
_LEAVE: Final = "\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[0m\x1b[?1049l"

# Where termios keeps the modes of input, and the control characters.
_IFLAG: Final = 0
_CC: Final = 6

# Where the size cannot be told.
SIZE_DEFAULT: Final = (80, 24)


class Terminal:
    """A terminal between enter and exit; `leave` and `enter` also for a while, when the process is stopped.

    Args:
        keys: the descriptor that keys are read from.
        screen: the descriptor that pictures are written to.
    """

    def __init__(self, keys: int, screen: int) -> None:
        self.keys: Final = keys
        self._screen = screen
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def is_entered(self) -> bool:
        """Whether the terminal is ours now."""
        return self._before is not None

    @property
    def is_in_foreground(self) -> bool:
        """Whether this process may write to the terminal and read from it, as far as the shell is concerned."""
        try:
            return os.tcgetpgrp(self.keys) == os.getpgrp()
        except OSError:
            return False

    def enter(self) -> None:
        """Take the terminal; twice is harmless. Ctrl-C stays a signal.

        Ctrl-Z comes as a key: a signal would reach all of a process group at once, and the shell would have the
        terminal back before we have left it. Ctrl-S comes as a key, too: a terminal that is held keeps whoever writes
        to it waiting, deaf even to a signal.
        """
        if self._before is None:
            self._before = termios.tcgetattr(self.keys)
        tty.setcbreak(self.keys, termios.TCSANOW)
        modes = termios.tcgetattr(self.keys)
        modes[_IFLAG] &= ~termios.IXON
        modes[_CC][termios.VSUSP] = os.fpathconf(self.keys, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(self.keys, termios.TCSANOW, modes)
        self.write(_ENTER)

    def leave(self) -> None:
        """Give the terminal back as it was; twice is harmless."""
        before, self._before = self._before, None
        if before is None:
            return
        # A terminal that is gone, because its window was closed, needs nothing any more.
        with contextlib.suppress(OSError, termios.error):
            self.write(_LEAVE)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self.keys, termios.TCSADRAIN, before)

    def size(self) -> tuple[int, int]:
        """Give columns and lines."""
        try:
            size = os.get_terminal_size(self._screen)
        except OSError:
            return SIZE_DEFAULT
        return (size.columns or SIZE_DEFAULT[0], size.lines or SIZE_DEFAULT[1])

    def write(self, text: str) -> None:
        """Write all of a text. Raises OSError if the terminal is gone."""
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(self._screen, rest) :]
