"""What ``moorline node`` asks a hub about its nodes: list, show, cordon, drain or disconnect them.

The group itself stands in the node's own package.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from moorline.acting import Acted, each, make_sure, print_ids, show
from moorline.completing import complete_node_id
from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse, ids_option
from moorline.presentation import print_document, print_fields, print_table, say

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.views import NodeView


Verb: TypeAlias = Literal["cordon", "uncordon", "drain", "disconnect"]

# A person who is asked sees whether it is the right ones; all of a fleet would hide the question.
NAMED_MAX: Final = 5


@click.command("list")
@click.option(
    "--filter", "filter_text", metavar="TEXT", default="", help="Those that meet a filter: 'state=online free>0'."
)
@click.option(
    "--sort", metavar="FIELD", default="id", show_default=True, help="The order: state, -used, rtt …; - turns it round."
)
@ids_option
@as_json_option
@client_options
def node_list(settings: ClientSettings, *, filter_text: str, sort: str, ids: bool, as_json: bool) -> None:
    """List the nodes that the hub knows.

    \b
      moorline node list --sort=-used
      moorline node list --filter 'state!=online' --json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.rows import NODE_COLUMNS, node_row  # noqa: PLC0415

    nodes = converse(settings, lambda client: client.nodes(filter_text, sort=sort))
    if as_json:
        print_document({"nodes": nodes})
        return
    if ids:
        print_ids(nodes)
    else:
        now_s = time.time()
        print_table(NODE_COLUMNS, [node_row(view, now_s) for view in nodes])
    if not nodes and filter_text:
        say("No node meets this filter.")
    elif not nodes:
        say("No node has registered yet; `moorline node --app …` runs one.")


@click.command("get")
@click.argument("node_id", shell_complete=complete_node_id)
@as_json_option
@client_options
def node_get(settings: ClientSettings, *, node_id: str, as_json: bool) -> None:
    """Show one node.

    \b
      moorline node get web-1
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.rows import node_fields  # noqa: PLC0415

    view = converse(settings, lambda client: client.node(node_id))
    if as_json:
        print_document(view)
    else:
        print_fields(node_fields(view, time.time()))


def _node_command(verb: Verb, done: str, about: str, examples: str) -> click.Command:
    """Make the command that has the hub do one thing with nodes: those that are named, or all that meet a filter."""

    @click.command(verb, help=f"{about}\n\n\b\n{examples}")
    @click.argument("node_ids", nargs=-1, metavar="[NODE_ID]...", shell_complete=complete_node_id)
    @click.option(
        "--filter",
        "filter_text",
        metavar="TEXT",
        help="Those that meet a filter: 'label.site=berlin state=online'. It asks first, with their number.",
    )
    @click.option("--yes", is_flag=True, help="With --filter: do not ask.")
    @as_json_option
    @client_options
    def command(
        settings: ClientSettings, *, node_ids: Sequence[str], filter_text: str | None, yes: bool, as_json: bool
    ) -> None:
        if bool(node_ids) == (filter_text is not None):
            raise click.UsageError("name nodes, or give a --filter")
        if filter_text is not None:
            node_ids = _matching(settings, filter_text, is_connected=verb == "disconnect")
            if node_ids and not yes:
                make_sure(_ready_words(node_ids, done))

        def talk(client: Client) -> Awaitable[Acted[NodeView]]:
            acts = {
                "cordon": client.cordon,
                "uncordon": client.uncordon,
                "drain": client.drain,
                "disconnect": client.disconnect,
            }
            return each(acts[verb], node_ids)

        show(converse(settings, talk), "nodes", settings.url, as_json=as_json)
        if not node_ids:
            say("No node meets this filter and can be changed.")

    return command


def _matching(settings: ClientSettings, filter_text: str, *, is_connected: bool) -> list[str]:
    if not filter_text.strip():
        # A variable of a script that is empty must not mean the whole fleet.
        raise click.UsageError("the --filter is empty; connects>=0 means every node")
    found = converse(settings, lambda client: client.nodes(filter_text))
    return [view.id for view in found if view.state in {"online", "draining"} or not is_connected]


def _ready_words(node_ids: Sequence[str], done: str) -> str:
    """Say which nodes are about to be changed; of many the first few."""
    names = ", ".join(node_ids[:NAMED_MAX]) + (", …" if len(node_ids) > NAMED_MAX else "")
    return f"{len(node_ids)} {'node' if len(node_ids) == 1 else 'nodes'} ({names}) would be {done}"


node_cordon = _node_command(
    "cordon",
    "cordoned",
    "Give nodes nothing new; what runs there goes on.",
    "  moorline node cordon web-1 web-2\n  moorline node cordon --filter label.site=berlin",
)
node_uncordon = _node_command(
    "uncordon",
    "given work again",
    "Give nodes work again: takes cordon and drain back.",
    "  moorline node uncordon --filter 'cordoned=yes label.site=berlin'",
)
node_drain = _node_command(
    "drain",
    "drained",
    "Have nodes finish what they run, take nothing new, and leave.",
    "  moorline node drain web-1\n  moorline node drain --filter 'label.site=berlin' --yes",
)
node_disconnect = _node_command(
    "disconnect",
    "disconnected",
    "Close the nodes' connections; they come back by themselves.",
    "  moorline node disconnect --filter 'rtt>500'",
)
