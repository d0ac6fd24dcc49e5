"""``moorline errors`` and ``moorline audit``: what went wrong, and who did what."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse
from moorline.presentation import print_document, print_table, say

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.history_views import AuditEntry


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 1000), metavar="N", default=20, show_default=True, help="At most so many groups."
)
@as_json_option
@client_options
def errors(settings: ClientSettings, *, limit: int, as_json: bool) -> None:
    """Show what goes wrong: errors that are alike as one, last seen first.

    `moorline task list --filter errorgroup=GROUP` lists the tasks of one.

    \b
      moorline errors --limit 5
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.history_rows import ERROR_COLUMNS, error_row  # noqa: PLC0415

    groups = converse(settings, lambda client: client.errors(limit=limit))
    if as_json:
        print_document({"groups": groups})
        return
    now_s = time.time()
    print_table(ERROR_COLUMNS, [error_row(group, now_s) for group in groups])
    if not groups:
        say("Nothing has gone wrong.")


@click.command()
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=50, show_default=True, help="At most so many lines."
)
@as_json_option
@client_options
def audit(settings: ClientSettings, *, limit: int, as_json: bool) -> None:
    """Show who did what, newest first. Needs a token of the role admin.

    \b
      moorline audit --limit 200 --json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.history_rows import AUDIT_COLUMNS, audit_row  # noqa: PLC0415

    async def talk(client: Client) -> list[AuditEntry]:
        async with aclosing(client.audit(limit=limit)) as lines:
            return [entry async for entry in lines]

    entries = converse(settings, talk)
    if as_json:
        print_document({"entries": entries})
        return
    print_table(AUDIT_COLUMNS, [audit_row(entry) for entry in entries])
    if not entries:
        say("Nobody has done anything yet.")
