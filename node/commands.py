"""``moorline node``: run a node, and the commands about nodes.

Nothing heavy is imported before a node really starts: help and completion must answer at once, and a node must never
load the HTTP client that the other commands need.
"""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from node.errors import AppBrokenError, NodeError, SettingsError, StateFolderLockedError

if TYPE_CHECKING:
    from protocol.logs import LogFormat

# Exit codes are those of docs/reference/cli.md. What cannot be started as it was asked for: settings, apps, a folder.
EXIT_USAGE: Final = 2
# Another process holds the state folder; it may be free the next time.
EXIT_CONFLICT: Final = 6


class LazyGroup(click.Group):
    """A group whose subcommands live elsewhere, and are imported when they are asked for."""

    elsewhere: Final = {
        "list": ("moorline.node_commands:node_list", "List nodes."),
        "get": ("moorline.node_commands:node_get", "Show a node."),
        "cordon": ("moorline.node_commands:node_cordon", "Give a node nothing new."),
        "uncordon": ("moorline.node_commands:node_uncordon", "Give a node work again."),
        "drain": ("moorline.node_commands:node_drain", "Have a node finish what it runs, and leave."),
        "disconnect": ("moorline.node_commands:node_disconnect", "Close a node's session; it comes back."),
    }
    """Name → where it is, and its help: a list of commands needs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give all names, in the order of the table."""
        return [*self.elsewhere, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or give None if there is none of this name."""
        if cmd_name not in self.elsewhere:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.elsewhere[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.elsewhere.items()])


def _labels(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for value in values:
        key, separator, text = value.partition("=")
        if not separator:
            raise click.BadParameter(f"{value!r} is not KEY=VALUE, as in site=berlin")
        if key in labels:
            raise click.BadParameter(f"{key} is given twice: {labels[key]!r} and {text!r}")
        labels[key] = text
    return labels


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"show_default": True})
@click.option(
    "--hub",
    "hub",
    multiple=True,
    metavar="URL",
    default=("ws://127.0.0.1:8765",),
    help="A hub's address, ws:// or wss://. Repeated: tried in turn.",
)
@click.option(
    "--app",
    "app",
    multiple=True,
    metavar="MODULE|FILE.py",
    help="Where tasks are: package.module, or a file. Repeatable.",
)
@click.option(
    "--node-id",
    metavar="ID",
    default="",
    show_default=False,
    help="Who this node is, for good. Default: the host's name.",
)
@click.option("--name", metavar="TEXT", default="", show_default=False, help="A name for people.")
@click.option(
    "--label",
    "label",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_labels,
    help="What this node has, for tasks that require it: gpu=h100. Repeatable.",
)
@click.option("--slots", type=click.IntRange(1, 4096), metavar="N", default=8, help="How many tasks run at once.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that makes this the same node after a restart. Default: .moorline/nodes/ID.",
)
@click.option(
    "--token",
    envvar=["MOORLINE_NODE_TOKEN", "MOORLINE_TOKEN"],
    metavar="SECRET",
    help="The node's token. Also MOORLINE_TOKEN.",
    show_default=False,
)
@click.option(
    "--ca",
    envvar=["MOORLINE_NODE_CA", "MOORLINE_CA"],
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates (PEM) that the hub's is checked against, instead of the system's. Also MOORLINE_CA.",
)
@click.option(
    "--client-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="This node's certificate (PEM), for hubs that ask for one.",
)
@click.option(
    "--client-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its key, if it is not in the same file.",
)
@click.option("--proxy", metavar="URL|auto", help="A proxy, as in http://proxy:3128; auto: what the environment says.")
@click.option(
    "--drain-timeout-s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop what still runs so long after a drain began. Default: wait.",
)
@click.option("--health-port", metavar="PORT", type=int, help="Answer probes on this port: /livez, /readyz, /health.")
@click.option("--health-host", metavar="HOST", default="127.0.0.1", help="Address for --health-port.")
@click.option(
    "--health-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Say in this file how the node is.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="How much is said on stderr.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "human", "json"]),
    default="auto",
    help="auto: for people on a terminal, JSON elsewhere.",
)
@click.pass_context
def node(ctx: click.Context, /, *, log_level: str, log_format: LogFormat, **options: Any) -> None:
    """Run a node: connect to a hub, and run the tasks that it pushes. Without --app it has no handlers, and gets none.

    SIGTERM or Ctrl-C drains: what runs is finished, nothing new is taken. A second one stops what runs.

    \b
      moorline node --app tasks.py
      moorline node --hub wss://hub.example --app shop.tasks --label gpu=h100 --slots 4
    """  # noqa: D301 - click's mark for a paragraph that keeps its lines
    if ctx.invoked_subcommand is not None:
        return
    # Importing websockets and uvloop takes longer than all else that a help text needs.
    from node.service import run  # noqa: PLC0415
    from node.settings import NodeSettings  # noqa: PLC0415
    from protocol.logs import fields, start_logging  # noqa: PLC0415

    try:
        settings = NodeSettings(
            hubs=options.pop("hub"),
            apps=options.pop("app"),
            labels=options.pop("label"),
            # A file that it was read from ends with a line end, perhaps that of another system.
            token=(options.pop("token") or "").strip() or None,
            **options,
        )
        start_logging(log_format, log_level, always=fields(node_id=settings.resolved_node_id))
        code = run(settings)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None
    except AppBrokenError as error:
        # It is the user's code: where it broke is what they need.
        click.echo("".join(traceback.format_exception(error.__cause__)) + f"Error: {error}", err=True)
        code = EXIT_USAGE
    except NodeError as error:
        click.echo(f"Error: {error}", err=True)
        code = EXIT_CONFLICT if isinstance(error, StateFolderLockedError) else EXIT_USAGE
    ctx.exit(code)
