"""The page and its files, as any browser gets them."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from hub.http import web_page
from hub.http.web_page import POLICY, find_folder, read_page
from tests.hub.http.hub_under_test import HubUnderTest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "parts").mkdir(parents=True)
    (folder / "index.html").write_text('<script src="static/-/main.js"></script>')
    (folder / "main.js").write_text("import './parts/one.js'")
    (folder / "parts" / "one.js").write_text("export {}")
    (folder / "notes.md").write_text("not for browsers")
    return folder


async def text_of(hub: HubUnderTest, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
    async with hub.client.get(path, headers=headers) as answer:
        return answer, await answer.text()


async def test_the_page_is_served_at_the_root_with_a_strict_policy(hub: HubUnderTest) -> None:
    answer, text = await text_of(hub, "/")
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert "<title>Moorline</title>" in text
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in POLICY


async def test_the_page_is_revalidated_and_its_files_are_kept_for_ever(hub: HubUnderTest) -> None:
    answer, text = await text_of(hub, "/")
    assert answer.headers["Cache-Control"] == "no-cache"
    again, empty = await text_of(hub, "/", **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status, empty) == (304, "")
    for path in set(re.findall(r'"(static/[^"]+)"', text)):
        answer, _ = await text_of(hub, f"/{path}")
        assert answer.status == 200, path
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Security-Policy"] == POLICY


async def test_everything_that_the_page_names_is_there(hub: HubUnderTest) -> None:
    _, text = await text_of(hub, "/")
    assert "static/-/" not in text
    assert re.findall(r'"(static/[^"]+\.js)"', text)


async def test_a_file_that_is_not_there_is_told_in_the_usual_shape(hub: HubUnderTest) -> None:
    page = web_page._page()
    assert page is not None
    for path in (f"{page.folder}/none.js", "0000/app.js", f"{page.folder}/../index.html", f"{page.folder}/__init__.py"):
        status, said = await hub.get(f"/static/{path}")
        assert (status, said["error"]["code"]) == (404, "not_found")


async def test_files_travel_packed_where_the_browser_can_unpack(hub: HubUnderTest) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        address = f"http://127.0.0.1:{hub.server.port}/"
        async with client.get(address, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            body = gzip.decompress(await packed.read())
        async with client.get(address, headers={"Accept-Encoding": "identity"}) as plain:
            assert "Content-Encoding" not in plain.headers
            assert await plain.read() == body


async def test_nobody_needs_a_token_for_the_page(hub: HubUnderTest) -> None:
    answer, _ = await text_of(hub, "/", Authorization="Bearer wrong")
    assert answer.status == 200


async def test_a_hub_without_the_package_serves_its_api_alone(
    hub: HubUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_page, "_page", lambda: None)
    status, said = await hub.get("/")
    assert (status, said["error"]["message"]) == (404, "this hub has no web page")
    assert (await hub.get("/v1/stats"))[0] == 200


# --- finding and reading --------------------------------------------------------------------------------------------


def test_the_package_is_found_by_name_and_not_run() -> None:
    folder = find_folder()
    assert folder is not None
    assert (folder / "index.html").is_file()


def test_a_package_that_is_not_installed_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_page, "PACKAGE", "no_such_package.web")
    assert find_folder() is None
    assert "no_such_package" not in sys.modules


def test_files_are_named_after_what_they_hold(folder: Path) -> None:
    page = read_page(folder)
    assert page.index.body == f'<script src="static/{page.folder}/main.js"></script>'.encode()
    assert set(page.files) == {"main.js", "parts/one.js"}
    (folder / "parts" / "one.js").write_text("export {} // changed")
    assert read_page(folder).folder != page.folder


def test_a_folder_without_a_page_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"index\.html"):
        read_page(tmp_path)
