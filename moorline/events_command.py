"""``moorline events``: what happens, a line for each event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from moorline.configuration import ClientSettings, client_options
from moorline.conversing import converse
from moorline.presentation import print_columns, print_json_line

if TYPE_CHECKING:
    from moorline.client import Client


@click.command()
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="task, node, task.failed, … Repeatable.")
@click.option("--task", metavar="ID", help="Only this task.")
@click.option("--node", metavar="ID", help="Only this node.")
@click.option("--name", metavar="TEXT", help="Only tasks of this name.")
@click.option("--group", metavar="ID", help="Only this broadcast.")
@click.option("--origin", metavar="TEXT", help="Only what this client submitted.")
@click.option("--since-id", type=click.IntRange(0), metavar="N", help="Begin behind this event. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line (NDJSON).")
@client_options
def events(
    settings: ClientSettings, *, kinds: Sequence[str], since_id: int | None, as_json: bool, **filters: str | None
) -> None:
    """Follow what happens: a line for each event, until Ctrl-C.

    Goes on by itself after a restart of the hub, without a gap.

    \b
      moorline events --kind task.failed,task.lost
      moorline events --node web-1 --json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.rows import event_cells  # noqa: PLC0415

    async def follow(client: Client) -> None:
        # So that an address which is wrong is said at once: the stream itself waits for a hub that is away.
        await client.stats()
        wanted = [kind for text in kinds for kind in text.split(",")]
        async with aclosing(client.events(kind=wanted, last_id=since_id, **filters)) as stream:
            async for event in stream:
                if as_json:
                    print_json_line(event)
                else:
                    print_columns(event_cells(event))

    converse(settings, follow, is_long=True)
