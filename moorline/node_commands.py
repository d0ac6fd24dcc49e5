"""What ``moorline node`` asks a hub about its nodes: list, show, cordon, drain or disconnect them.

The group itself stands in the node's own package.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Literal

import click

from moorline.acting import each, show_states
from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse
from moorline.presentation import print_document, print_fields, print_table, say

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.views import NodeView


@click.command("list")
@click.option(
    "--filter", "filter_text", metavar="TEXT", default="", help="Those that meet a filter: 'state=online free>0'."
)
@click.option(
    "--sort", metavar="FIELD", default="id", show_default=True, help="The order: state, -used, rtt …; - turns it round."
)
@as_json_option
@client_options
def node_list(settings: ClientSettings, *, filter_text: str, sort: str, as_json: bool) -> None:
    """List the nodes that the hub knows."""
    from moorline.rows import NODE_COLUMNS, node_row  # noqa: PLC0415

    nodes = converse(settings, lambda client: client.nodes(filter_text, sort=sort))
    if as_json:
        print_document({"nodes": nodes})
        return
    now_s = time.time()
    print_table(NODE_COLUMNS, [node_row(view, now_s) for view in nodes])
    if not nodes and filter_text:
        say("No node meets this filter.")
    elif not nodes:
        say("No node has registered yet; `moorline node --app …` runs one.")


@click.command("get")
@click.argument("node_id")
@as_json_option
@client_options
def node_get(settings: ClientSettings, *, node_id: str, as_json: bool) -> None:
    """Show one node."""
    from moorline.rows import node_fields  # noqa: PLC0415

    view = converse(settings, lambda client: client.node(node_id))
    if as_json:
        print_document(view)
    else:
        print_fields(node_fields(view, time.time()))


def _node_command(verb: Literal["cordon", "uncordon", "drain", "disconnect"], about: str) -> click.Command:
    """Make the command that asks the hub to do one thing with nodes."""

    @click.command(verb, help=about)
    @click.argument("node_ids", nargs=-1, required=True, metavar="NODE_ID...")
    @as_json_option
    @client_options
    def command(settings: ClientSettings, *, node_ids: Sequence[str], as_json: bool) -> None:
        def talk(client: Client) -> Awaitable[list[NodeView]]:
            acts = {
                "cordon": client.cordon,
                "uncordon": client.uncordon,
                "drain": client.drain,
                "disconnect": client.disconnect,
            }
            return each(acts[verb], node_ids)

        show_states(converse(settings, talk), "nodes", as_json=as_json)

    return command


node_cordon = _node_command("cordon", "Give nodes nothing new; what runs there goes on.")


node_uncordon = _node_command("uncordon", "Give nodes work again.")


node_drain = _node_command("drain", "Have nodes finish what they run, take nothing new, and leave.")


node_disconnect = _node_command("disconnect", "Close the nodes' connections; they come back by themselves.")
