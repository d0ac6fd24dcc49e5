"""Complete ids in a shell: what the hub of this command line has. A hub that is away completes nothing, and soon."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import click
from click.shell_completion import CompletionItem

from moorline.configuration import DEFAULT_URL

# A person has pressed a key and waits.
WITHIN_S: Final = 1.0
# More than a screen of them helps nobody.
ITEMS_MAX: Final = 50
# That many nodes are some hundred kilobytes; what says more is no hub.
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024


def complete_node_id(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the ids of nodes that begin like this, with their states."""
    chosen = {"filter": f"id~{incomplete}"} if incomplete else {}
    nodes = _asked(ctx, "/v1/nodes", {"limit": str(ITEMS_MAX), **chosen}, "nodes")
    return _items(((node["id"], node["state"]) for node in nodes), incomplete)


def complete_task_id(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Give the ids of the newest tasks that begin like this, with their names and states."""
    tasks = _asked(ctx, "/v1/tasks", {"limit": str(ITEMS_MAX)}, "tasks")
    return _items(((task["id"], f"{task['name']} {task['state']}") for task in tasks), incomplete)


def _items(found: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=about) for name, about in found if name.startswith(incomplete)]


def _asked(ctx: click.Context, path: str, query: Mapping[str, str], key: str) -> list[dict[str, Any]]:
    """Ask the hub; give nothing if it does not answer as one: a shell has no place for errors."""
    import ssl  # noqa: PLC0415  # every command of a group pays for what stands above
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener  # noqa: PLC0415

    url = ctx.params.get("url") or DEFAULT_URL
    token = ctx.params.get("token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = Request(f"{url}{path}?{urlencode(query)}", headers=headers)  # noqa: S310  # --url takes http and https alone
    try:
        tls = ssl.create_default_context(cafile=ctx.params.get("ca"))
        with build_opener(ProxyHandler({}), HTTPSHandler(context=tls)).open(request, timeout=WITHIN_S) as answer:
            found = json.loads(answer.read(ANSWER_BYTES_MAX))[key]
            return [item for item in found if {"id", "state"} <= item.keys()]
    except (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError):
        return []
