"""Open pages of the hub's web page, in a real Chromium that is on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from playwright.sync_api import Page

from benchmarks.chromium import running_browser
from benchmarks.process import until

# A busy machine opens ten pages in some seconds.
OPEN_WITHIN_MS: Final = 60_000

PULSE_WITHIN_S: Final = 60.0

# Pulses that one page remembers: twenty minutes.
REMEMBERED_MAX: Final = 1200

# The frame behind the next one has been painted with what the message brought. The hub's clock is this machine's.
_NOTE_PULSES: Final = f"""
window.lateMs = [];
const Plain = window.EventSource;
window.EventSource = class extends Plain {{
  constructor(...given) {{
    super(...given);
    this.addEventListener("message", (message) => {{
      const event = JSON.parse(message.data);
      if (event.kind !== "hub.pulse") return;
      requestAnimationFrame(() => requestAnimationFrame(() => {{
        if (window.lateMs.length < {REMEMBERED_MAX}) window.lateMs.push(Date.now() - event.at * 1000);
      }}));
    }});
  }}
}};
"""


class Pages:
    """Some pages between enter and exit, each in a profile of its own.

    Args:
        url: the hub's address.
        views: what they show, in turn.
        count: how many.

    ``folder`` is one that is gone afterwards.
    """

    def __init__(self, url: str, views: Sequence[str], count: int) -> None:
        self._url = url
        self._views = views
        self._count = count
        self._pages: list[Page] = []

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self.folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
            browser = ends.enter_context(running_browser())
            for number in range(self._count):
                page = browser.new_context().new_page()
                page.add_init_script(_NOTE_PULSES)
                page.goto(f"{self._url}/#/{self._views[number % len(self._views)]}", timeout=OPEN_WITHIN_MS)
                self._pages.append(page)
            # Asked from here: the page's own policy forbids it to be handed code.
            for page in self._pages:
                until(lambda page=page: page.evaluate("window.lateMs.length"), "a pulse on a page", PULSE_WITHIN_S)  # type: ignore[misc]
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ends.close()

    def late_s(self) -> list[float]:
        """Give for each pulse on each page how long after its moment it was shown."""
        return [late_ms / 1000 for page in self._pages for late_ms in page.evaluate("window.lateMs")]
