"""``moorline config``: each setting, its value, and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from moorline.configuration import (
    ClientSettings,
    Configuration,
    Setting,
    client_options,
    section_command,
    settings_of,
    unknown_variables,
)
from moorline.conversing import as_json_option
from moorline.presentation import Cell, Column, coloured, print_document, print_table, say

SETTING_COLUMNS: Final = (
    Column(title="SETTING"),
    Column(title="VALUE", is_flexible=True),
    Column(title="FROM"),
    Column(title="VARIABLE", rank=1),
)


@click.command()
@as_json_option
@client_options
@click.pass_context
def config(ctx: click.Context, *, settings: ClientSettings, as_json: bool) -> None:
    """Show each setting of hub, node and client, its value, and where it came from. Tokens are masked.

    \b
      moorline config
      moorline --config /etc/moorline.toml config --json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    del settings  # The context knows more: where each came from.
    configuration = ctx.find_object(Configuration) or Configuration()
    found = _settings_in_force(ctx, configuration)
    strangers = unknown_variables([setting.variable for setting in found])
    if as_json:
        print_document(_config_document(configuration, found, strangers))
        return
    rows: list[list[Cell]] = [
        [f"{setting.section}.{setting.key}", _shown(setting.value), coloured(setting.source), setting.variable]
        for setting in found
    ]
    print_table(SETTING_COLUMNS, rows)
    say(f"Settings file: {configuration.path or 'none (there is no moorline.toml here)'}")
    for name, nearest in strangers.items():
        say(f"Warning: the variable {name} sets nothing." + (f" Did you mean {nearest}?" if nearest else ""))


def _settings_in_force(ctx: click.Context, configuration: Configuration) -> list[Setting]:
    root = ctx.find_root()
    found: list[Setting] = []
    for section in ("hub", "node", "client"):
        command = section_command(section, lambda name: _command_of(root, name))
        if section == "client":
            inner = ctx
        else:
            defaults = configuration.defaults_for(section, command)
            inner = command.make_context(section, [], parent=root, default_map=defaults)
        found += settings_of(section, command, inner)
    return found


def _command_of(root: click.Context, name: str) -> click.Command | None:
    return root.command.get_command(root, name) if isinstance(root.command, click.Group) else None


def _config_document(
    configuration: Configuration, found: Sequence[Setting], strangers: dict[str, str]
) -> dict[str, object]:
    sections: dict[str, dict[str, object]] = {}
    for setting in found:
        sections.setdefault(setting.section, {})[setting.key] = {
            "value": setting.value,
            "source": setting.source,
            "variable": setting.variable,
        }
    return {"file": configuration.path, "settings": sections, "unknown_variables": strangers}


def _shown(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.12g}"
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{key}={text}" for key, text in value.items())
        case _:
            return str(value)
