"""The views of the page, in a real browser at a real hub with a real node."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from moorline import Client
from tests.dashboards.web.browser import PATIENCE_MS, Visitor, has_no_overflow, visiting
from tests.end_to_end import app
from tests.end_to_end.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

expect.set_options(timeout=PATIENCE_MS)

VIEWS = ("overview", "nodes", "tasks", "errors", "events", "alerts", "audit")

# Would run if it were ever taken for markup.
HOSTILE = "<img src=x onerror='document.title=\"broken in\"'><script>document.title='broken in'</script>"


@pytest_asyncio.fixture(loop_scope="module")
async def client(fleet: Fleet) -> AsyncIterator[Client]:
    async with Client(fleet.hub.url) as client:
        yield client


def row(page: Page, text: str) -> Locator:
    return page.locator("tr[data-row]", has_text=text)


def here(page: Page) -> Locator:
    return page.get_by_role("navigation").locator("[aria-current=page]")


# --- looking --------------------------------------------------------------------------------------------------------


async def test_the_overview_says_how_the_fleet_is(visitor: Visitor) -> None:
    page = await visitor.open()
    await expect(page.locator(".verdict .big")).to_have_text(re.compile("OK|Degraded"))
    await expect(page.get_by_role("link", name="Nodes online")).to_contain_text("1")
    await expect(page.get_by_role("link", name=re.compile("n1: online"))).to_be_visible()
    await expect(page.locator(".chart")).to_have_count(4)


async def test_an_alert_about_a_task_s_name_leads_to_the_tasks_of_this_name(visitor: Visitor, client: Client) -> None:
    # As many as the rule about a name that fails often wants to see.
    failed = [await client.submit(app.fail, message="often") for _ in range(20)]
    page = await visitor.open("#/alerts")
    about = page.get_by_role("link", name=failed[0].name, exact=True)
    await expect(about).to_have_attribute(
        "href", f"#/tasks?filter=state%3Dfailed+name%3D{failed[0].name}", timeout=30_000
    )
    await about.click()
    await expect(row(page, failed[-1].id)).to_be_visible()
    await page.keyboard.press("1")
    cause = page.locator(".troubles a", has_text=f"attempts of {failed[0].name} failed")
    await expect(cause).to_have_attribute("href", f"#/tasks?filter=state%3Dfailed+name%3D{failed[0].name}")
    await page.keyboard.press("j")
    await expect(page.locator(".troubles li").first).to_be_focused()
    await expect(page.locator(".failing li", has_text="RuntimeError")).to_contain_text("ago")


async def test_what_waits_says_for_how_long_and_why(visitor: Visitor, client: Client) -> None:
    waiting = await client.submit(app.noop.options(requires={"gpu": "none"}, timeout_s=90, labels={"for": "why"}))
    page = await visitor.open("#/tasks?filter=label.for=why")
    await expect(row(page, waiting.id).locator("[data-label=Waited] time")).to_be_visible()
    await row(page, waiting.id).click()
    facts = page.locator(".facts div")
    await expect(facts.filter(has_text="Waited").locator("time")).to_be_visible()
    await expect(facts.filter(has_text="Submitted")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d \d+s ago"))
    await expect(facts.filter(has_text="Options")).to_contain_text("timeout 1m 30s")
    await expect(page.locator(".reasons li")).to_contain_text("requires gpu=none, has no gpu")
    await client.cancel(waiting.id)


async def test_whom_alerts_are_told_is_said_even_if_it_is_nobody(visitor: Visitor) -> None:
    page = await visitor.open("#/alerts?state=pending")
    await expect(page.get_by_text("Nobody is told: no channel is set up.")).to_be_visible()
    await expect(page.get_by_text("Nothing is about to fire.")).to_be_visible()
    await page.get_by_role("button", name="Send a test").click()
    await expect(page.locator(".words .bad")).to_contain_text("Nobody was told: no channel is set up.")
    await expect(page.get_by_role("button", name="pending")).to_have_attribute("aria-pressed", "true")


async def test_an_alert_is_silenced_for_a_time_and_says_so_everywhere(visitor: Visitor, client: Client) -> None:
    for _ in range(20):
        await client.submit(app.fail, message="often")
    page = await visitor.open("#/alerts?state=firing")
    await page.locator(".head").get_by_role("button", name="Silence…").click()
    await page.get_by_role("dialog").get_by_role("button", name="Silence", exact=True).click()
    # To be quiet about everything has to be chosen.
    await expect(page.locator("select[name=rule]")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator("tr", has_text="failure_rate").get_by_role("button", name="Silence…").click()
    await page.get_by_label("Comment").fill("known")
    await page.get_by_role("dialog").get_by_role("button", name="Silence", exact=True).click()
    silence = page.get_by_role("table", name="Silences").locator("tbody tr")
    await expect(silence).to_contain_text("failure_rate")
    await expect(silence).to_contain_text("known")
    await expect(silence.locator("time")).to_contain_text("in ")
    await expect(page.locator("tr", has_text="failure_rate").first).to_contain_text("silenced until")
    await page.keyboard.press("1")
    await expect(page.locator(".troubles .calm")).to_contain_text("silenced until")
    await page.keyboard.press("6")
    await silence.get_by_role("button", name="End").click()
    await expect(silence).to_have_count(0)


@pytest.mark.parametrize("view", ["nothing", "constructor", "__proto__/toString"])
async def test_an_address_of_no_view_says_so(visitor: Visitor, view: str) -> None:
    page = await visitor.open(f"#/{view}")
    await expect(page.get_by_text(f"There is no view {view.partition('/')[0]}.")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
async def test_each_view_is_drawn_and_available(visitor: Visitor, view: str) -> None:
    page = await visitor.open(f"#/{view}")
    await expect(here(page)).to_have_text(re.compile(view, re.IGNORECASE))
    await expect(page.locator(".pill")).to_be_visible()
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await expect(page.get_by_text("not available")).to_have_count(0)
    assert await has_no_overflow(page)


async def test_what_happens_is_seen_without_a_reload(visitor: Visitor, client: Client, tmp_path: Path) -> None:
    page = await visitor.open("#/tasks?filter=name=hold")
    await expect(page.locator("main h1")).to_have_text("Tasks")
    gate = tmp_path / "gate"
    handle = await client.submit(app.hold, path=str(gate))
    shown = row(page, handle.id)
    await expect(shown).to_contain_text("running")
    gate.write_text("go on")
    await expect(shown).to_contain_text("succeeded")


async def test_a_filter_is_applied_by_the_hub_and_stands_in_the_address(visitor: Visitor, client: Client) -> None:
    mine = await client.submit(app.noop.options(labels={"for": "filter"}))
    await mine.result()
    page = await visitor.open("#/tasks")
    await expect(page.get_by_label("Filter tasks")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type(f"id={mine.id} label.for=filter")
    await page.keyboard.press("Enter")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    await expect(row(page, mine.id)).to_be_visible()
    assert "filter=id" in page.url
    again = await visitor.open(page.url.removeprefix(visitor.url + "/"))
    await expect(again.locator("tr[data-row]")).to_have_count(1)
    await again.get_by_role("button", name="failed").click()
    await expect(again.get_by_text("No task matches this filter.")).to_be_visible()


async def test_who_goes_back_finds_the_list_as_it_was_left(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.noop.options(labels={"for": "back"}))
    await handle.result()
    page = await visitor.open("#/tasks?filter=label.for=back")
    await row(page, handle.id).click()
    await expect(page.locator("main h1")).to_contain_text("noop")
    await page.keyboard.press("Escape")
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    assert "filter=label.for" in page.url
    await page.goto(f"{visitor.url}/#/tasks/{handle.id}")
    await page.reload()
    await page.get_by_role("link", name="All tasks").click()
    await expect(page.locator("main h1")).to_have_text("Tasks")


async def test_a_filter_that_is_wrong_is_explained(visitor: Visitor) -> None:
    visitor.tolerated = "status of 400"
    page = await visitor.open("#/tasks?filter=stat=failed")
    await expect(page.get_by_role("alert")).to_contain_text("state")


async def look_in_vain(page: Page, found_on: int) -> None:
    """Have the page meet a hub that finds nothing until a page far back, numbered by cursors."""

    async def answer(route: Route) -> None:
        number = int((re.search(r"cursor=(\d+)", route.request.url) or ["", "0"])[1])
        if number == found_on:
            # The real hub never gave this cursor.
            await route.continue_(url=re.sub(r"&cursor=\d+", "", route.request.url))
        else:
            await route.fulfill(json={"tasks": [], "cursor": str(number + 1)})

    await page.route("**/v1/tasks?*", answer)


async def test_a_page_without_a_match_is_not_taken_for_the_answer(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.noop.options(labels={"for": "far"}))
    await handle.result()
    page = await visitor.open()
    await look_in_vain(page, found_on=3)
    await page.evaluate("location.hash = '#/tasks?filter=label.for=far'")
    await expect(row(page, handle.id)).to_be_visible()


async def test_who_finds_nothing_among_many_is_asked_whether_to_look_further(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.noop.options(labels={"for": "further"}))
    await handle.result()
    page = await visitor.open()
    await look_in_vain(page, found_on=14)
    await page.evaluate("location.hash = '#/tasks?filter=label.for=further'")
    await expect(page.get_by_text("there are older ones")).to_be_visible()
    await expect(page.get_by_text("No task matches this filter.")).to_have_count(0)
    await page.get_by_role("button", name="Look further back").click()
    await expect(row(page, handle.id)).to_be_visible()


async def test_a_task_shows_what_was_asked_and_what_came_of_it(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.echo, value={"deep": ["down", 7]})
    await handle.result()
    page = await visitor.open(f"#/tasks/{handle.id}")
    await expect(page.locator("h1")).to_contain_text("succeeded")
    await expect(page.locator("section", has_text="Value").locator("pre").last).to_contain_text('"down"')
    await expect(page.locator(".timeline li").first).to_contain_text("n1")


async def test_a_task_s_log_and_progress_are_live(visitor: Visitor, client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    handle = await client.submit(app.count_up, total=5, path=str(gate))
    page = await visitor.open(f"#/tasks/{handle.id}")
    await expect(page.get_by_role("log")).to_contain_text("step 5")
    await expect(page.locator("main > .progress")).to_contain_text("100 %")
    gate.write_text("go on")
    await expect(page.locator("h1")).to_contain_text("succeeded")


async def test_a_failed_task_shows_its_error_and_traceback_and_can_be_retried(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.fail, message="the disk is full")
    page = await visitor.open(f"#/tasks/{handle.id}")
    await expect(page.locator(".fault-box")).to_contain_text("the disk is full")
    await expect(page.locator(".fault-box pre")).to_contain_text("Traceback")
    await page.get_by_role("button", name="Retry").click()
    await page.get_by_role("button", name="Retry task").click()
    await expect(page.locator(".timeline li:not(.scale)")).to_have_count(2)
    await expect(page.locator(".timeline .fault").first).to_contain_text("RuntimeError the disk is full")
    async with page.expect_popup() as whole:
        await page.get_by_role("link", name="all as JSON").click()
    await expect((await whole.value).locator("body")).to_contain_text('"payload":{"message":"the disk is full"}')


async def test_errors_are_grouped_and_lead_to_their_tasks(visitor: Visitor, client: Client) -> None:
    page = await visitor.open("#/errors")
    for number in range(3):
        await client.submit(app.fail, message=f"alike {number}")
    group = row(page, "RuntimeError")
    await expect(group).to_have_count(1)
    await expect(group.locator("b")).to_have_text(re.compile("[3-9]"))
    await group.locator("a.main").click()
    await expect(row(page, "alike")).to_have_count(3)


async def test_events_come_as_they_happen_and_can_be_frozen(visitor: Visitor, client: Client) -> None:
    page = await visitor.open("#/events?name=echo")
    handle = await client.submit(app.echo, value=1)
    await handle.result()
    await expect(page.locator(f'.events a[href="#/tasks/{handle.id}"]').first).to_be_visible()
    await page.keyboard.press(" ")
    other = await client.submit(app.echo, value=2)
    await other.result()
    await expect(page.get_by_role("button", name=re.compile(r"Go on \([1-9]"))).to_be_visible()
    await expect(page.locator(f'.events a[href="#/tasks/{other.id}"]')).to_have_count(0)
    await page.keyboard.press(" ")
    await expect(page.locator(f'.events a[href="#/tasks/{other.id}"]').first).to_be_visible()


async def test_a_node_shows_its_sessions_and_what_it_runs(visitor: Visitor, client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    handle = await client.submit(app.hold, path=str(gate))
    page = await visitor.open("#/nodes/n1")
    await expect(page.locator(".strip i.online").first).to_be_attached()
    await expect(row(page, handle.id)).to_be_visible()
    await expect(page.get_by_text("site=berlin")).to_be_visible()
    gate.write_text("go on")


async def test_a_page_by_a_name_that_is_not_the_hub_s_is_told_why_it_sees_nothing(
    browser: Browser, fleet: Fleet
) -> None:
    async with visiting(browser, fleet.hub.url.replace("127.0.0.1", "rebound.example")) as person:
        person.tolerated = "status of 403"
        page = await person.open()
        await expect(page.get_by_role("alert")).to_contain_text("serves its own machine alone")


# --- doing ----------------------------------------------------------------------------------------------------------


async def test_a_node_is_drained_after_a_question(visitor: Visitor, fleet: Fleet) -> None:
    node = fleet.add_node("to-be-drained")
    page = await visitor.open("#/nodes")
    await row(page, "to-be-drained").click()
    await page.get_by_role("button", name="Drain", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Leave it").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("h1")).to_contain_text("online")
    await page.get_by_role("button", name="Drain", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    await expect(page.get_by_role("status").get_by_text("to-be-drained drains:")).to_be_visible()
    await expect(page.locator("h1")).to_contain_text("gone")
    assert node.wait() == 0


async def test_many_nodes_are_cordoned_after_their_number_was_told(visitor: Visitor, fleet: Fleet) -> None:
    for number in range(3):
        fleet.add_node(f"many-{number}", "--label", "site=oslo")
    page = await visitor.open("#/nodes?filter=label.site=oslo")
    await expect(page.locator("tr[data-row]")).to_have_count(3)
    await page.get_by_role("button", name="Cordon all…", exact=True).click()
    await expect(page.get_by_role("dialog")).to_contain_text("Cordon 3 nodes?")
    await expect(page.get_by_role("dialog")).to_contain_text("many-0, many-1, many-2.")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("tr", has_text="cordoned")).to_have_count(0)
    await page.get_by_role("button", name="Cordon all…", exact=True).click()
    await page.get_by_role("button", name="Cordon 3 nodes").click()
    await expect(page.get_by_role("status").get_by_text("3 nodes cordoned.")).to_be_visible()
    await expect(page.locator("tr[data-row]", has_text="cordoned")).to_have_count(3)
    # There is nothing more to be done to them, and that is said instead of asked.
    await page.get_by_role("button", name="Cordon all…", exact=True).click()
    await expect(page.get_by_text("No node here can be cordoned.")).to_be_visible()
    await page.get_by_role("button", name="Drain all…").click()
    await page.get_by_role("button", name="Drain 3 nodes").click()
    await expect(page.locator("tr[data-row]", has_text="gone")).to_have_count(3)


async def test_who_drains_all_that_is_online_is_told(visitor: Visitor) -> None:
    page = await visitor.open("#/nodes")
    await expect(page.locator("tr[data-row]").first).to_be_visible()
    await page.get_by_role("button", name="Drain all…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("These are all nodes that are online")
    await expect(page.get_by_role("button", name="Leave it")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("tr", has_text="draining")).to_have_count(0)


async def test_what_was_refused_is_said_until_it_is_taken_away(visitor: Visitor, client: Client) -> None:
    visitor.tolerated = "status of 400"
    page = await visitor.open("#/tasks?filter=stat=failed")
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.clock.install(time=time.time())
    await page.get_by_role("button", name="Retry all…").click()
    said = page.locator(".words p")
    await expect(said).to_contain_text("stat")
    await page.clock.fast_forward("01:00")
    await expect(said).to_be_visible()
    await said.get_by_role("button", name="Dismiss").click()
    await expect(said).to_have_count(0)


async def test_many_are_retried_after_their_number_was_told(visitor: Visitor, client: Client) -> None:
    for _ in range(4):
        await client.submit(app.fail.options(labels={"for": "bulk"}), message="in bulk")
    page = await visitor.open("#/tasks?filter=label.for=bulk state=failed")
    await expect(page.locator("tr[data-row]")).to_have_count(4)
    await page.get_by_role("button", name="Retry all…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Retry 4 tasks?")
    await page.get_by_role("button", name="Retry 4 tasks").click()
    await expect(page.get_by_role("status").get_by_text("4 tasks queued again.")).to_be_visible()
    page = await visitor.open("#/tasks?filter=label.for=bulk attempt=2")
    await expect(page.locator("tr[data-row]")).to_have_count(4)


async def test_many_are_cancelled_and_none_if_one_thinks_again(
    visitor: Visitor, client: Client, tmp_path: Path
) -> None:
    for _ in range(3):
        await client.submit(app.hold.options(labels={"for": "cancel"}), path=str(tmp_path / "never"))
    page = await visitor.open("#/tasks?filter=label.for=cancel")
    await expect(page.locator("tr[data-row]")).to_have_count(3)
    await page.get_by_role("button", name="Cancel all…").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Cancel 3 tasks?")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.locator("tr[data-row]", has_text="cancelled")).to_have_count(0)
    await page.get_by_role("button", name="Cancel all…").click()
    await page.get_by_role("button", name="Cancel 3 tasks").click()
    await expect(page.locator("tr[data-row]", has_text="cancelled")).to_have_count(3)


# --- the keyboard, colours and sizes --------------------------------------------------------------------------------


async def test_the_keyboard_leads_everywhere(visitor: Visitor, client: Client) -> None:
    handle = await client.submit(app.noop.options(labels={"for": "keys"}))
    await handle.result()
    page = await visitor.open()
    await expect(page.locator(".verdict")).to_be_visible()
    for number, view in enumerate(VIEWS, 1):
        await page.keyboard.press(str(number))
        await expect(here(page)).to_have_text(re.compile(view, re.IGNORECASE))
        await expect(page).to_have_title(re.compile(rf"{view} · Moorline$", re.IGNORECASE))
    await page.keyboard.press("3")
    await expect(page.locator("tr[data-row]").first).to_be_visible()
    await page.keyboard.press("j")
    await expect(page.locator("tr[data-row]").first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main h1 .back")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("main h1")).to_have_text("Tasks")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Keys")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_colours_follow_the_system_until_somebody_chooses(browser: Browser, fleet: Fleet, scheme: str) -> None:
    async def is_dark(page: Page) -> bool:
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", ground)[:3])) < 300

    async with visiting(browser, fleet.hub.url, color_scheme=scheme) as person:
        page = await person.open()
        await expect(page.locator(".verdict")).to_be_visible()
        assert await is_dark(page) == (scheme == "dark")
        await page.get_by_role("button", name=re.compile("colours")).click()
        assert await is_dark(page) == (scheme != "dark")
        await page.reload()
        assert await is_dark(page) == (scheme != "dark")


@pytest.mark.parametrize("width", [360, 768, 830])
async def test_nothing_stands_out_on_a_telephone_or_a_tablet(
    browser: Browser, fleet: Fleet, client: Client, width: int
) -> None:
    failed = await client.submit(app.fail.options(labels={"long": "l" * 250}), message="w" * 300)
    async with visiting(browser, fleet.hub.url, viewport={"width": width, "height": 740}) as person:
        page = await person.open(f"#/tasks/{failed.id}")
        await expect(page.locator(".fault-box")).to_be_visible()
        assert await has_no_overflow(page)
        for view in (*VIEWS, "nodes/n1"):
            await page.evaluate("view => (location.hash = `#/${view}`)", view)
            await expect(page.locator("[aria-busy=true]")).to_have_count(0)
            await expect(page.locator("main > *").first).to_be_visible()
            assert await has_no_overflow(page), view


async def test_everything_that_can_be_pressed_has_a_name(visitor: Visitor) -> None:
    page = await visitor.open()
    nameless = """[...document.querySelectorAll("a, button, input, select")]
        .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.title || one.labels?.length))
        .map((one) => one.outerHTML)"""
    for view in (*VIEWS, "nodes/n1"):
        await page.evaluate("view => (location.hash = `#/${view}`)", view)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        assert await page.evaluate(nameless) == [], view
        # What somebody who hears the page goes by: one heading of the first rank, and a name for each column.
        await expect(page.locator("main h1")).to_have_count(1)
        await expect(page.locator("th", has_text=re.compile(r"^\s*$"))).to_have_count(0)


@pytest.mark.parametrize("view", ["tasks", "nodes"])
async def test_what_is_not_there_any_more_leads_back_to_its_list(visitor: Visitor, view: str) -> None:
    visitor.tolerated = "status of 404"
    page = await visitor.open(f"#/{view}/never-was")
    await expect(page.get_by_role("alert")).to_contain_text("never-was")
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile(rf"#/{view}$"))


async def test_a_breach_of_the_policy_would_be_noticed(browser: Browser, fleet: Fleet) -> None:
    async def breach() -> None:
        async with visiting(browser, fleet.hub.url) as person:
            page = await person.open()
            async with page.expect_console_message():
                await page.evaluate("document.body.setAttribute('style', 'color: red')")

    with pytest.raises(AssertionError, match="Content Security Policy"):
        await breach()


# --- what it costs the hub ------------------------------------------------------------------------------------------


async def pulses(page: Page, count: int) -> None:
    """Wait until the page has felt the hub's pulse so many times."""
    await page.evaluate(
        """async count => {
            const app = document.querySelector("script[type=module]").src;
            const { live } = await import(app.replace("app.js", "lib/live.js"));
            await new Promise(done => { const end = live.watch(() => --count || (end(), done())); });
        }""",
        count,
    )


async def test_a_page_asks_again_only_if_something_changed(visitor: Visitor, client: Client) -> None:
    page = await visitor.open("#/tasks?filter=label.for=quiet")
    asked: list[str] = []
    await expect(page.get_by_text("No task matches")).to_be_visible()
    # The first pulse may bring news of what happened before.
    await pulses(page, 3)
    page.on("request", lambda request: asked.append(request.url))
    await pulses(page, 4)
    assert asked == []
    await client.submit(app.noop.options(labels={"for": "quiet"}))
    await expect(page.locator("tr[data-row]")).to_have_count(1)
    assert all("/v1/tasks?" in url for url in asked)


async def test_a_page_follows_no_single_task_unless_it_shows_one(visitor: Visitor) -> None:
    page = await visitor.open()
    await expect(page.locator(".verdict")).to_be_visible()
    await pulses(page, 1)
    streams: list[str] = []
    page.on("request", lambda request: streams.append(request.url) if "/v1/events" in request.url else None)
    await page.reload()
    for view in ("tasks", "nodes", "errors", "alerts"):
        await page.evaluate("view => (location.hash = `#/${view}`)", view)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    await pulses(page, 1)
    assert [url.partition("?")[2] for url in streams] == ["kind=hub,node,alert"]


async def test_a_hidden_page_lets_go_of_the_hub_and_comes_back_when_it_is_looked_at(visitor: Visitor) -> None:
    page = await visitor.open()
    await expect(page.locator(".verdict")).to_be_visible()
    turn = "state => { Object.defineProperty(document, 'visibilityState', { get: () => state, configurable: true }); "
    turn += "document.dispatchEvent(new Event('visibilitychange')); }"
    await page.clock.install(time=time.time())
    async with page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        await page.evaluate(turn, "hidden")
        await page.clock.fast_forward("00:30")
    async with page.expect_request(lambda request: "/v1/events" in request.url):
        await page.evaluate(turn, "visible")
    await expect(page.locator(".away")).to_have_count(0)


# --- strangers' texts -----------------------------------------------------------------------------------------------


async def test_no_text_of_a_task_is_taken_for_markup(visitor: Visitor, client: Client) -> None:
    # A filter made of it is refused, and quoted.
    visitor.tolerated = "status of 400"
    failed = await client.submit(app.fail.options(labels={"a": HOSTILE}), message=HOSTILE)
    worked = await client.submit(app.echo.options(labels={"a": HOSTILE}), value={HOSTILE: HOSTILE})
    await worked.result()
    page = await visitor.open(f"#/tasks/{failed.id}")
    await expect(page.locator(".fault-box p")).to_contain_text("onerror")
    for view in (f"tasks/{worked.id}", "tasks", "errors", "events", f"tasks?filter=error~{HOSTILE}", HOSTILE):
        await page.evaluate("view => (location.hash = `#/${view}`)", view)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        await expect(page.locator("main > *").first).to_be_visible()
        assert await page.locator("img, main script").count() == 0
        assert "broken in" not in await page.title()
