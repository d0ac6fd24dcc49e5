"""The web page: static files that a browser runs, read once when the hub starts and served from memory.

The hub does not import the package that holds them. It looks for it by its name, as beside a checkout's `run_hub.py` or
where it is installed; without it the hub serves its API alone.

All files but the page itself stand under a folder that is named after what they hold, so that a browser may keep them
for ever and has the new ones at once after an update.
"""

from __future__ import annotations

import gzip
import importlib.util
import logging
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from aiohttp import web
from msgspec import Struct

from hub.http.errors import NotFoundError

logger = logging.getLogger(__name__)

PACKAGE: Final = "dashboards.web"
INDEX: Final = "index.html"

# In the page: stands for the folder under which everything else is served.
FOLDER_MARK: Final = b"static/-/"

# Nothing that is not the hub's own may run, be shown, be asked or hold this page in a frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "moorline",
    "Vary": "Accept-Encoding",
}

# The page itself is asked for anew each time, and costs 300 bytes if it is still the same.
_REVALIDATED: Final = "no-cache"
_KEPT: Final = "public, max-age=31536000, immutable"

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(Struct, frozen=True, kw_only=True):
    """One file as it is sent."""

    body: bytes
    packed: bytes
    media: str
    tag: str


class Page(Struct, frozen=True, kw_only=True):
    """All files: the page itself, and the others by their path below ``folder``."""

    index: Asset
    folder: str
    files: Mapping[str, Asset]


def find_folder() -> Path | None:
    """Give the folder of the package that holds the page, without running it; None: it is not installed."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except ModuleNotFoundError:
        return None
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def read_page(folder: Path) -> Page:
    """Read all files.

    Raises:
        OSError: one cannot be read, or there is no page.
    """
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in _TYPES and path.name != INDEX
    }
    digest = sha256()
    for name, body in files.items():
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(body), body))
    name = digest.hexdigest()[:16]
    index = (folder / INDEX).read_bytes().replace(FOLDER_MARK, f"static/{name}/".encode())
    return Page(
        index=_asset(INDEX, index), folder=name, files={name: _asset(name, body) for name, body in files.items()}
    )


def _asset(name: str, body: bytes) -> Asset:
    return Asset(
        body=body,
        packed=gzip.compress(body, mtime=0),
        media=_TYPES[Path(name).suffix],
        tag=f'"{sha256(body).hexdigest()[:32]}"',
    )


@cache
def _page() -> Page | None:
    """Give the page of this installation; it is read once."""
    folder = find_folder()
    if folder is None:
        logger.warning("the package %s is not installed: the hub serves no web page", PACKAGE)
        return None
    try:
        return read_page(folder)
    except OSError as error:
        logger.warning("the web page cannot be read: %s", error)
        return None


def add_page(router: web.UrlDispatcher) -> None:
    """Serve the page at `/` and its files below `/static/`. Nobody needs a token for them: they hold no secret."""
    # Now, and not while somebody waits: packing takes some milliseconds.
    _page()
    router.add_get("/", _get_index)
    router.add_get("/static/{folder}/{name:.+}", _get_file)


async def _get_index(request: web.Request) -> web.StreamResponse:
    page = _page()
    if page is None:
        raise NotFoundError("this hub has no web page", f"install the package {PACKAGE}, or use the API under /v1")
    return _answer(request, page.index, _REVALIDATED)


async def _get_file(request: web.Request) -> web.StreamResponse:
    page = _page()
    name = request.match_info["name"]
    asset = None if page is None or request.match_info["folder"] != page.folder else page.files.get(name)
    if asset is None:
        raise NotFoundError(f"there is no file {request.path[:200]}", "load the page at / again")
    return _answer(request, asset, _KEPT)


def _answer(request: web.Request, asset: Asset, keeping: str) -> web.Response:
    headers = {**_HEADERS, "Cache-Control": keeping, "ETag": asset.tag}
    if asset.tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = asset.media
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=asset.packed, headers=headers)
    return web.Response(body=asset.body, headers=headers)
