"""The Chromium of this machine: the system's own, since its drivers' downloads come from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

# What it is called, by system. The tests of the page look for it and start it by these names and arguments too.
NAMES: Final = ("chromium", "chromium-browser", "google-chrome")

# Without a sandbox, which root may not have; and nothing that asks the net by itself.
ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Give a browser without a window; end it.

    Raises:
        RuntimeError: there is none on this machine.
    """
    path = next((path for name in NAMES if (path := shutil.which(name))), None)
    if path is None:
        raise RuntimeError(f"there is no Chromium ({', '.join(NAMES)}): apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
