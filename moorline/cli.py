"""The command ``moorline``: finds its subcommands, and loads the one that is used and no other.

Nothing but click is imported here, so that help, completion and a mistyped word answer at once.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from click.core import ParameterSource
from click.shell_completion import get_completion_class

from moorline.configuration import load_configuration, variable_of
from moorline.failures import MEANINGS, CommandError, ExitCode
from moorline.usage_words import plain
from moorline.version import installed_version

ENTRY_POINTS: Final = "moorline.commands"


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand that is known before it is loaded: where it is, and its line in the help. A row of a table."""

    name: str
    section: str
    target: str
    summary: str


# The commands that come with Moorline. They stand in the entry points of pyproject.toml too (a test holds the two
# against each other); with this table their help needs no import, and a bare checkout works without being installed.
OWN: Final = (
    Subcommand("hub", "Run", "hub.commands:hub", "Run a hub."),
    Subcommand("node", "Run", "node.commands:node", "Run a node, or look after the nodes of a hub."),
    Subcommand("dev", "Run", "moorline.dev:dev", "Run a hub and nodes together, to develop against."),
    Subcommand("demo", "Run", "dashboards.commands:demo", "Kill a hub in the middle of real work, and watch."),
    Subcommand("chaos", "Run", "dashboards.commands:chaos", "Break an installation on purpose; prove nothing is lost."),
    Subcommand("submit", "Tasks", "moorline.submit_command:submit", "Submit a task; with --wait, print its value."),
    Subcommand("task", "Tasks", "moorline.task_commands:task", "List, show, explain, cancel or retry tasks."),
    Subcommand("events", "Tasks", "moorline.events_command:events", "Follow what happens, a line each."),
    Subcommand(
        "errors", "Tasks", "moorline.history_commands:errors", "Show what goes wrong, errors that are alike as one."
    ),
    Subcommand("top", "Operate", "dashboards.commands:top", "Watch the fleet: nodes, tasks, what is wrong and why."),
    Subcommand("alert", "Operate", "moorline.alert_commands:alert", "List alerts, silence them, try the channels."),
    Subcommand("token", "Operate", "hub.commands:token", "Say who may talk to the hub."),
    Subcommand("audit", "Operate", "moorline.history_commands:audit", "Show who did what."),
    Subcommand("health", "Operate", "moorline.health:health", "Ask a hub or a node how it is; end with 0 or 1."),
    Subcommand("doctor", "Operate", "moorline.doctor:doctor", "Find out what stands between here and a hub."),
    Subcommand("config", "Operate", "moorline.config_command:config", "Show each setting, and where it came from."),
)
_OWN_BY_NAME: Final = {subcommand.name: subcommand for subcommand in OWN}

# What a command's own output meets on a disk: only there are these without the name of a file.
_STDOUT_IS_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@cache
def _installed() -> dict[str, str]:
    """Give what other packages add to the command: name to target."""
    found = entry_points(group=ENTRY_POINTS)
    return {point.name: point.value for point in sorted(found) if point.name not in _OWN_BY_NAME}


class LazyGroup(click.Group):
    """A group that learns its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order of the help."""
        return [*_OWN_BY_NAME, *super().list_commands(ctx), *_installed()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command and give it; None if there is none of this name.

        Raises:
            CommandError: it exists and cannot be imported.
        """
        own = _OWN_BY_NAME.get(cmd_name)
        if own is not None:
            return load_command(cmd_name, own.target)
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in _installed():
            command = load_command(cmd_name, _installed()[cmd_name])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for own in OWN:
            sections.setdefault(own.section, []).append((own.name, own.summary))
        for name in super().list_commands(ctx):
            sections.setdefault("Operate", []).append((name, self.commands[name].get_short_help_str()))
        for name, target in _installed().items():
            sections.setdefault("Installed beside Moorline", []).append((name, _summary(name, target)))
        for title, commands in sections.items():
            with formatter.section(title):
                formatter.write_dl(commands)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the exit status means."""
        with formatter.section("Exit status"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C and a reader that has gone away end it quietly."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.NoSuchCommand as error:
            raise _with_suggestions(error) from error
        except click.BadParameter as error:
            raise _with_origin(_in_plain_words(error)) from error
        except (KeyboardInterrupt, click.Abort):
            # click makes an Abort of Ctrl-C at a question. The blank line closes the terminal's ^C.
            click.echo(err=True)
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            _forget_stdout()
            raise click.exceptions.Exit(ExitCode.BROKEN_PIPE) from None
        except OSError as error:
            if error.errno not in _STDOUT_IS_FULL or error.filename is not None:
                raise
            _forget_stdout()
            raise CommandError(f"stdout takes no more: {error.strerror}") from error
        return result


def load_command(name: str, target: str) -> click.Command:
    """Import ``module:attribute``.

    Raises:
        CommandError: it cannot be imported, or is no command.
    """
    module, _, attribute = target.partition(":")
    try:
        command = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        message = f"the command `{name}` cannot be loaded from {target}: {error}"
        raise CommandError(
            message, remedy="Install Moorline again: `pip install --force-reinstall moorline`."
        ) from error
    if not isinstance(command, click.Command):
        raise CommandError(f"the command `{name}` cannot be loaded: {target} is {type(command).__name__}, no command")
    return command


def _with_suggestions(error: click.exceptions.NoSuchCommand) -> click.exceptions.NoSuchCommand:
    """Name the nearest commands, also of a group that loads its commands lazily: click knows only those it holds."""
    ctx = error.ctx
    if ctx is None or not isinstance(ctx.command, click.Group):
        return error
    return click.exceptions.NoSuchCommand(error.command_name, possibilities=ctx.command.list_commands(ctx), ctx=ctx)


def _in_plain_words(error: click.BadParameter) -> click.BadParameter:
    """Say it as a person would; an error that is said like that already stays what it is."""
    message = plain(error)
    if message == error.message:
        return error
    return click.BadParameter(message, ctx=error.ctx, param=error.param, param_hint=error.param_hint)


def _with_origin(error: click.BadParameter) -> click.BadParameter:
    """Name the variable that a wrong value came from: nobody sees it on the command line."""
    ctx, option = error.ctx, error.param
    if ctx is None or not isinstance(option, click.Option) or option.name is None:
        return error
    if ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT:
        error.param_hint = f"{option.get_error_hint(ctx)} (from {variable_of(option, ctx)})"
    return error


def _summary(name: str, target: str) -> str:
    """Give the help line of somebody else's command; only importing it tells, and one that is broken breaks no help."""
    try:
        return load_command(name, target).get_short_help_str()
    except CommandError as error:
        return f"({error.message})"


def _forget_stdout() -> None:
    """Point stdout at nothing, so that what is still buffered does not fail a second time when Python ends."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"moorline {installed_version()}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={
        "auto_envvar_prefix": "MOORLINE",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
)
@click.option(
    "--config",
    "config_path",
    envvar="MOORLINE_CONFIG",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings file; else moorline.toml in the current folder, if there is one.",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context, config_path: Path | None) -> None:
    """Run tasks on machines that a server cannot reach.

    A setting is taken from its flag, else from its variable (MOORLINE_…), else from moorline.toml, else it has its
    default. `moorline config` shows which.
    """
    configuration = load_configuration(config_path, lambda name: cli.get_command(ctx, name))
    ctx.obj = configuration
    if ctx.invoked_subcommand is not None:
        command = cli.get_command(ctx, ctx.invoked_subcommand)
        if command is not None:
            ctx.default_map = {ctx.invoked_subcommand: configuration.defaults_for(ctx.invoked_subcommand, command)}


@cli.command(short_help="Print the script that completes words in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes `moorline` in a shell: words, and ids of nodes and tasks of the hub.

    \b
    bash   eval "$(moorline completion bash)"      in ~/.bashrc
    zsh    eval "$(moorline completion zsh)"       in ~/.zshrc
    fish   moorline completion fish | source       in ~/.config/fish/config.fish
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(f"click completes no {shell}")
    click.echo(kind(cli, {}, "moorline", "_MOORLINE_COMPLETE").source())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process with its status."""
    # Who closed them wants no output. Without this, the next file or socket would have the number of stdout.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123  # to the end of the process
    cli.main(args=arguments, prog_name="moorline")
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
