"""Open pages of the hub's web page, in a real Chromium that is on this machine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from playwright.sync_api import Page, sync_playwright

from benchmarks.process import until

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

# Without a sandbox, which root may not have; and nothing that asks the net by itself.
ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)

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
    """

    def __init__(self, url: str, views: Sequence[str], count: int) -> None:
        self._url = url
        self._views = views
        self._count = count
        self._pages: list[Page] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=_chromium(), args=list(ARGUMENTS))
        for number in range(self._count):
            page = self._browser.new_context().new_page()
            page.add_init_script(_NOTE_PULSES)
            page.goto(f"{self._url}/#/{self._views[number % len(self._views)]}", timeout=OPEN_WITHIN_MS)
            self._pages.append(page)
        # Asked from here: the page's own policy forbids it to be handed code.
        for page in self._pages:
            until(lambda page=page: page.evaluate("window.lateMs.length"), "a pulse on a page", PULSE_WITHIN_S)  # type: ignore[misc]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._browser.close()
        self._playwright.stop()
        self._folder.cleanup()

    @property
    def folder(self) -> Path:
        """A folder that is gone afterwards."""
        return Path(self._folder.name)

    def late_s(self) -> list[float]:
        """Give for each pulse on each page how long after its moment it was shown."""
        return [late_ms / 1000 for page in self._pages for late_ms in page.evaluate("window.lateMs")]


def _chromium() -> str:
    """Give where it is. Raises RuntimeError if there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError(f"there is no Chromium ({', '.join(NAMES)}): apt-get install chromium")
    return found
