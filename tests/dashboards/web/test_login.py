"""Logging in, in a real browser at a real hub with tokens."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import Struct
from playwright.async_api import Browser, Page, expect

from hub.tokens import CreatedToken, create_token, revoke_token
from moorline import Client
from tests.dashboards.web.browser import OF_A_HUB_THAT_IS_AWAY, PATIENCE_MS, Visitor, visiting
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet, fleet_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

expect.set_options(timeout=PATIENCE_MS)


class Guarded(Struct, frozen=True):
    """A hub with tokens."""

    fleet: Fleet
    read: CreatedToken
    admin: CreatedToken


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    with fleet_in(folder) as fleet:
        read = create_token(fleet.hub.state, name="Ann", role="read")
        admin = create_token(fleet.hub.state, name="Ben", role="admin")
        fleet.hub.start()
        yield Guarded(fleet, read, admin)


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, guarded: Guarded) -> AsyncIterator[Visitor]:
    async with visiting(browser, guarded.fleet.hub.url) as person:
        yield person


async def log_in(page: Page, secret: str) -> None:
    await page.get_by_label("Token").fill(secret)
    await page.get_by_role("button", name="Log in").click()


async def test_a_token_lets_in_and_a_reload_does_not_ask_again(visitor: Visitor, guarded: Guarded) -> None:
    page = await visitor.open("#/nodes")
    await log_in(page, guarded.admin.secret)
    await expect(page.locator("main h1")).to_have_text("Nodes")
    await expect(page.locator(".pill")).to_be_visible()
    await page.reload()
    await expect(page.locator("main h1")).to_have_text("Nodes")
    assert guarded.admin.secret not in await page.evaluate("document.cookie + JSON.stringify(localStorage)")


async def test_a_wrong_token_is_refused_in_words(visitor: Visitor) -> None:
    visitor.tolerated = "status of 401"
    page = await visitor.open()
    await log_in(page, "moor_wrong")
    await expect(page.get_by_role("alert")).to_contain_text("unknown, revoked or expired")


async def test_logging_out_asks_for_a_token_again(visitor: Visitor, guarded: Guarded) -> None:
    # What was asked in the moment of leaving may be refused.
    visitor.tolerated = "status of 401"
    page = await visitor.open()
    await log_in(page, guarded.admin.secret)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    await expect(page.get_by_text("Your login has ended.")).to_have_count(0)
    await page.reload()
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_a_token_that_reads_gives_a_page_that_reads_and_the_hub_enforces_it(
    visitor: Visitor, guarded: Guarded
) -> None:
    async with Client(guarded.fleet.hub.url, token=guarded.admin.secret) as client:
        handle = await client.submit(app.noop)
    page = await visitor.open(f"#/tasks/{handle.id}")
    await log_in(page, guarded.read.secret)
    await expect(page.locator("h1")).to_contain_text("noop")
    await expect(page.get_by_role("button", name=re.compile("Cancel|Retry"))).to_have_count(0)
    await expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    await expect(page.get_by_text("read only")).to_be_visible()
    visitor.tolerated = "status of 403"
    csrf = "(await (await fetch('/v1/me')).json()).csrf"
    status = f"""async () => (await fetch('/v1/tasks/{handle.id}/cancel',
        {{ method: 'POST', headers: {{ 'X-Moorline-CSRF': {csrf} }} }})).status"""
    assert await page.evaluate(status) == 403


async def test_what_an_administrator_does_on_the_page_is_in_the_audit_log(visitor: Visitor, guarded: Guarded) -> None:
    async with Client(guarded.fleet.hub.url, token=guarded.admin.secret) as client:
        handle = await client.submit(app.noop)
    page = await visitor.open(f"#/tasks/{handle.id}")
    await log_in(page, guarded.admin.secret)
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Cancel task").click()
    await expect(page.locator("h1")).to_contain_text("cancelled")
    await page.get_by_role("link", name="Audit").click()
    await expect(page.locator("tr", has_text=handle.id)).to_contain_text("Ben")


async def test_a_login_holds_over_a_restart_and_ends_with_its_token(visitor: Visitor, guarded: Guarded) -> None:
    visitor.tolerated = f"{OF_A_HUB_THAT_IS_AWAY}|status of 401"
    state = guarded.fleet.hub.state
    mine = create_token(state, name="Cleo", role="read")
    guarded.fleet.hub.restart()
    page = await visitor.open()
    await log_in(page, mine.secret)
    await expect(page.locator(".verdict")).to_be_visible()
    guarded.fleet.hub.restart()
    await expect(page.locator(".away")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".verdict")).to_be_visible()
    assert revoke_token(state, mine.id)
    await expect(page.get_by_label("Token")).to_be_visible()
    await expect(page.get_by_text("Your login has ended.")).to_be_visible()
