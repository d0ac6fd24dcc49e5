"""The hub is killed under an open page, and the page is back without a reload."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from moorline import Client
from tests.dashboards.web.browser import OF_A_HUB_THAT_IS_AWAY, PATIENCE_MS, Visitor
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

expect.set_options(timeout=PATIENCE_MS)


async def test_a_page_survives_a_hub_that_is_killed(visitor: Visitor, fleet: Fleet) -> None:
    visitor.tolerated = OF_A_HUB_THAT_IS_AWAY
    page = await visitor.open("#/tasks?filter=name=noop")
    async with Client(fleet.hub.url) as client:
        await (await client.submit(app.noop)).result()
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await page.evaluate("globalThis.isTheSamePage = true")

    fleet.hub.kill()
    await expect(page.get_by_role("alert")).to_contain_text("The hub is away since")
    await expect(page.locator("main.is-away tr[data-row]")).to_have_count(1)
    assert "Hub away" in await page.title()

    fleet.hub.start()
    await expect(page.locator(".away")).to_have_count(0)
    async with Client(fleet.hub.url) as client:
        await (await client.submit(app.noop)).result()
    await expect(page.locator("main:not(.is-away) tr[data-row]")).to_have_count(2)
    assert await page.evaluate("globalThis.isTheSamePage")


async def test_a_page_that_is_opened_while_the_hub_is_away_comes_up_when_it_is_back(
    visitor: Visitor, fleet: Fleet
) -> None:
    visitor.tolerated = OF_A_HUB_THAT_IS_AWAY
    page = await visitor.open()
    await expect(page.locator(".verdict")).to_be_visible()
    fleet.hub.kill()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.keyboard.press("2")
    await expect(page.locator("main h1")).to_have_text("Nodes")
    await expect(page.get_by_text("Not read yet: the hub is away.")).to_be_visible()
    fleet.hub.start()
    await expect(page.locator("tr[data-row]", has_text="n1")).to_be_visible()


async def test_an_action_that_met_no_hub_does_not_claim_to_be_sent_again(visitor: Visitor, fleet: Fleet) -> None:
    visitor.tolerated = OF_A_HUB_THAT_IS_AWAY
    page = await visitor.open("#/tasks")
    await expect(page.get_by_role("button", name="Cancel all…")).to_be_visible()
    fleet.hub.kill()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_role("button", name="Cancel all…").click()
    await expect(page.locator(".words p")).to_contain_text("nothing is sent again")
    fleet.hub.start()
    await expect(page.locator(".away")).to_have_count(0)
