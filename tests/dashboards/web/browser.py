"""A real browser, and pages that nothing may go wrong on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from benchmarks.chromium import ARGUMENTS, NAMES
from tests.programs import program

# A name that somebody else owns and points here.
REBOUND = "--host-resolver-rules=MAP rebound.example 127.0.0.1"

# Generous: these machines are shared. Nothing waits this long unless it has failed.
PATIENCE_MS = 30_000

# What a browser itself says when a hub that it follows is killed.
OF_A_HUB_THAT_IS_AWAY = (
    r"net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|SOCKET_NOT_CONNECTED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)"
)


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """One browser, ended whatever happens."""
    path = program(*NAMES, package="chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, REBOUND])
        try:
            yield browser
        finally:
            await browser.close()


class Visitor:
    """One person at one hub: a context of the browser of their own, and all that went wrong in it.

    Args:
        context: of the browser.
        url: of the hub.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.problems: list[str] = []
        self.tolerated: str | None = None
        """A pattern for what may be said on the console in this test."""

    async def open(self, view: str = "") -> Page:
        """Open a view in a page of its own."""
        page = await self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        await page.goto(f"{self.url}/{view}")
        return page

    def _said(self, message: ConsoleMessage) -> None:
        text = message.text
        if message.type in {"error", "warning"} and not (self.tolerated and re.search(self.tolerated, text)):
            self.problems.append(f"{message.type}: {text} ({message.location.get('url', '')})")


@asynccontextmanager
async def visiting(browser: Browser, url: str, **options: Any) -> AsyncIterator[Visitor]:
    """Visit a hub; in the end nothing may have gone wrong: no error on the console, no breach of the policy."""
    context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    visitor = Visitor(context, url)
    try:
        yield visitor
    finally:
        await context.close()
    assert visitor.problems == [], "\n".join(visitor.problems)


async def has_no_overflow(page: Page) -> bool:
    """Tell whether nothing stands out at the right."""
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return bool(wider == 0)
