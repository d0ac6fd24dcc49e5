"""Settings: from a flag, else a ``MOORLINE_*`` variable, else ``moorline.toml``, else the default.

click does the choosing; this module reads the file, holds it against the options that exist, and can say of each
setting where it came from. The options of `hub` and `node` and the client's are the only definition of what a setting
is: a key of the file is an option's name with underscores.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

import click
from click.core import ParameterSource

from moorline.failures import CommandError, ExitCode
from moorline.parameters import HTTP_ADDRESS, SECRET
from moorline.usage_words import plain

DEFAULT_URL: Final = "http://127.0.0.1:8780"
FILE_NAME: Final = "moorline.toml"

# A settings file is a page; more than this is some other file.
FILE_BYTES_MAX: Final = 1024 * 1024

Source: TypeAlias = Literal["flag", "environment", "file", "default"]
FindCommand: TypeAlias = Callable[[str], click.Command | None]
R = TypeVar("R")


class SettingsFileError(CommandError):
    """The settings file cannot be used. Names the file, the key and what would be right."""

    def __init__(self, path: Path, problem: str, *, remedy: str = "") -> None:
        super().__init__(f"{path}: {problem}", remedy=remedy, exit_code=ExitCode.USAGE)


# --- the client's settings -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Which hub a command talks to, and as whom."""

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None


def client_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command ``--url``, ``--token`` and ``--ca``, and call it with ``settings``, a `ClientSettings`."""

    @wraps(command)
    def called(*arguments: object, url: str, token: str | None, ca: Path | None, **options: object) -> R:
        return command(*arguments, settings=ClientSettings(url=url, token=token, ca=ca), **options)

    for option in reversed(_CLIENT_OPTIONS):
        option(called)
    return called


_CLIENT_OPTIONS: Final = (
    click.option(
        "--url",
        envvar="MOORLINE_URL",
        type=HTTP_ADDRESS,
        default=DEFAULT_URL,
        show_default=True,
        metavar="URL",
        help="The hub's HTTP address.",
    ),
    click.option(
        "--token", envvar="MOORLINE_TOKEN", type=SECRET, metavar="SECRET", help="Who you are; better in MOORLINE_TOKEN."
    ),
    click.option(
        "--ca",
        envvar="MOORLINE_CA",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Certificates (PEM) to check the hub's against, instead of the system's.",
    ),
)


@click.command("client")
@client_options
def _client(settings: ClientSettings) -> None:
    """Hold the options of the section [client]; never run."""


# --- the file --------------------------------------------------------------------------------------------------------

# The sections of the file, and the command whose options are its keys.
_SECTIONS: Final = ("hub", "node", "client")

# Commands beside `hub` that work on the hub's state folder.
_ON_THE_STATE: Final = frozenset({"token", "doctor"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the settings file says, by section; every key is an option and every value has its type."""

    path: Path | None = None
    sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def defaults_for(self, name: str, command: click.Command) -> dict[str, object]:
        """Give click's default map for a subcommand: its own section, for `hub` and `node`; the client's for the rest,
        and for the commands inside of groups.
        """
        client = dict(self.sections.get("client", {}))
        hub = self.sections.get("hub", {})
        if name in _ON_THE_STATE and "state" in hub:
            client["state"] = hub["state"]
        defaults = dict(self.sections.get(name, {})) if name in {"hub", "node"} else dict(client)
        if isinstance(command, click.Group):
            for inner in command.list_commands(click.Context(command)):
                defaults[inner] = dict(client)
        return defaults


def load_configuration(path: Path | None, find_command: FindCommand) -> Configuration:
    """Read the file at ``path``, or ``moorline.toml`` in the current folder if there is one.

    Raises:
        SettingsFileError: it cannot be read, or holds what is no setting.
    """
    if path is None:
        path = Path(FILE_NAME)
        if not path.exists():
            return Configuration()
    document = _read(path)
    return Configuration(path=path, sections=check_document(document, path, find_command))


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        remedy = "Check --config and MOORLINE_CONFIG."
        raise SettingsFileError(path, f"cannot be read: {error.strerror}", remedy=remedy) from error
    if len(content) > FILE_BYTES_MAX:
        raise SettingsFileError(path, f"is larger than {FILE_BYTES_MAX} bytes: that is no settings file")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise SettingsFileError(path, f"is not UTF-8 (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsFileError(path, f"is no TOML: {error}") from error


def check_document(
    document: Mapping[str, object], path: Path, find_command: FindCommand
) -> dict[str, dict[str, object]]:
    """Hold a document against the options that exist; give its values by section and parameter name.

    Raises:
        SettingsFileError: a section or key is unknown, or a value has the wrong type. Names the nearest known one.
    """
    sections: dict[str, dict[str, object]] = {}
    for section, table in document.items():
        if section not in _SECTIONS:
            raise SettingsFileError(path, f"[{section}] is no section", remedy=_nearest(section, _SECTIONS, "[{}]"))
        if not isinstance(table, dict):
            raise SettingsFileError(path, f"{section} is {_kind(table)}", remedy=f"Write a section: [{section}]")
        sections[section] = _check_section(section, table, path, section_options(section, find_command))
    return sections


def section_options(section: str, find_command: FindCommand) -> dict[str, click.Option]:
    """Give the options that are the settings of a section, by key."""
    command = section_command(section, find_command)
    options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
    return {key_of(option): option for option in options}


def section_command(section: str, find_command: FindCommand) -> click.Command:
    """Give the command whose options are the keys of a section."""
    command = _client if section == "client" else find_command(section)
    if command is None:
        raise AssertionError(f"the command {section} is one of our own")
    return command


def key_of(option: click.Option) -> str:
    """Give an option's key in the file: its long name with underscores."""
    long = next((name for name in option.opts if name.startswith("--")), option.name or "")
    return long.removeprefix("--").replace("-", "_")


def _check_section(
    section: str, table: Mapping[str, object], path: Path, options: Mapping[str, click.Option]
) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in table.items():
        option = options.get(key)
        if option is None or option.name is None:
            remedy = _nearest(key.replace("-", "_"), tuple(options))
            raise SettingsFileError(path, f"[{section}] {key} is no setting", remedy=remedy)
        try:
            values[option.name] = check_value(option, value)
        except ValueError as error:
            raise SettingsFileError(path, f"[{section}] {key} {error}") from error
    return values


def check_value(option: click.Option, value: object) -> object:
    """Check a value of the file against its option; give what click is to take for it.

    A repeatable option takes a list; where its items are ``KEY=VALUE``, also a table.

    Raises:
        ValueError: the type or the value is wrong; the text goes on behind the key.
    """
    if not option.multiple:
        return _check_one(option, value)
    if isinstance(value, dict):
        value = [f"{key}={text}" for key, text in value.items()]
    if not isinstance(value, list):
        raise ValueError(f"is {_kind(value)}; it must be a list")
    return [_check_one(option, item) for item in value]


def _check_one(option: click.Option, value: object) -> object:
    kinds, words = _expected(option)
    if not isinstance(value, kinds) or isinstance(value, bool) is not (kinds == (bool,)):
        raise ValueError(f"is {_kind(value)}; it must be {words}")
    try:
        # Only to see whether click will take it: relative paths and texts stay as they are written.
        option.type.convert(value, option, None)
    except click.BadParameter as error:
        raise ValueError(f"is wrong: {plain(error)}") from error
    return value


def _expected(option: click.Option) -> tuple[tuple[type, ...], str]:
    if option.is_flag:
        return (bool,), "true or false"
    if isinstance(option.type, click.types.IntParamType):
        return (int,), "a whole number"
    if isinstance(option.type, click.types.FloatParamType):
        return (int, float), "a number of seconds" if (option.name or "").endswith("_s") else "a number"
    if isinstance(option.type, click.Choice):
        return (str,), f"one of {', '.join(map(str, option.type.choices))}"
    return (str,), "a text"


def _kind(value: object) -> str:
    """Show a value of the file with its type."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "a list"
        case str():
            return f"the text {value!r}"
        case _:
            return str(value)


def _nearest(word: str, known: Sequence[str], template: str = "{}") -> str:
    """Suggest the nearest known word, or all of them if none is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {template.format(near[0])}?"
    return f"There are: {', '.join(template.format(name) for name in known)}."


# --- what is in force ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting in force. ``value`` is as JSON would hold it, with secrets masked."""

    section: str
    key: str
    value: object
    source: Source
    variable: str


_SOURCES: Final[Mapping[ParameterSource, Source]] = {
    ParameterSource.COMMANDLINE: "flag",
    ParameterSource.PROMPT: "flag",
    ParameterSource.ENVIRONMENT: "environment",
    ParameterSource.DEFAULT_MAP: "file",
    ParameterSource.DEFAULT: "default",
}


def settings_of(section: str, command: click.Command, ctx: click.Context) -> list[Setting]:
    """Give the settings of a section as ``ctx``, a context of its command, found them."""
    settings = []
    for option in command.params:
        if not isinstance(option, click.Option) or option.name not in ctx.params:
            continue
        source = ctx.get_parameter_source(option.name) or ParameterSource.DEFAULT
        settings.append(
            Setting(
                section=section,
                key=key_of(option),
                value=masked(key_of(option), ctx.params[option.name]),
                source=_SOURCES[source],
                variable=variable_of(option, ctx),
            )
        )
    return settings


def variable_of(option: click.Option, ctx: click.Context) -> str:
    """Give the name of the environment variable that sets an option; of several the one that does."""
    if isinstance(option.envvar, str):
        return option.envvar
    if option.envvar:
        return next((name for name in option.envvar if os.environ.get(name)), option.envvar[0])
    return f"{ctx.auto_envvar_prefix}_{(option.name or '').upper()}"


def masked(key: str, value: object) -> object:
    """Make a value one that can be shown: no secret, and nothing that JSON does not have."""
    match value:
        case str() if key == "token" and value:
            return "********"
        case str():
            # A proxy's address may hold a password.
            return re.sub(r"(://)[^/@\s]+@", r"\1********@", value)
        case Path():
            return str(value)
        case tuple() | list():
            return [masked(key, item) for item in value]
        case _:
            return value


def unknown_variables(known: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Find variables that look like settings of a hub or a node and are none; give the nearest setting, or nothing.

    A misspelt variable is otherwise met in silence.
    """
    names = os.environ if environment is None else environment
    strangers = [
        name
        for name in sorted(names)
        if name.startswith(("MOORLINE_HUB_", "MOORLINE_NODE_")) and name not in known and not _of_subcommand(name)
    ]
    return {name: next(iter(get_close_matches(name, known, n=1, cutoff=0.6)), "") for name in strangers}


def _of_subcommand(name: str) -> bool:
    return name.startswith(
        tuple(f"MOORLINE_NODE_{verb}_" for verb in ("LIST", "GET", "CORDON", "UNCORDON", "DRAIN", "DISCONNECT"))
    )
