"""The commands of the hub: ``moorline hub`` runs one, ``moorline token`` says who may talk to it.

Nothing heavy is imported before a command runs, so that its help is quick. Exit codes are those of
`docs/reference/cli.md`; a service manager should start a hub again unless it ended with 0, 1 or 2.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    import ssl

    from hub.settings import HubSettings
    from hub.tokens import TokenView
    from protocol.logs import LogFormat

# What starting again cannot mend: a database that is damaged or too new.
EXIT_REFUSED: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_NOT_FOUND: Final = 5
# Somebody else has the port or the state folder; it may be free the next time.
EXIT_CONFLICT: Final = 6

T = TypeVar("T")


class StartError(click.ClickException):
    """The hub cannot start. The message is one sentence; the remedy is what would be right."""

    def __init__(self, message: str, remedy: str, exit_code: int) -> None:
        super().__init__(f"{message}\n  {remedy}" if remedy else message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class, and reads it from the instance


class SectionOption(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *arguments: Any, section: str = "Options", **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help shows its options by section, in the order in which they are declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one block for each section."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


FILE: Final = click.Path(path_type=Path, dir_okay=False)
FOLDER: Final = click.Path(path_type=Path, file_okay=False)

_listens = partial(click.option, cls=SectionOption, section="Where it listens")
_keeps = partial(click.option, cls=SectionOption, section="What it keeps")
_admits = partial(click.option, cls=SectionOption, section="Who may come in")
_nodes = partial(click.option, cls=SectionOption, section="Nodes")
_limits = partial(click.option, cls=SectionOption, section="Limits")
_tells = partial(click.option, cls=SectionOption, section="What it says")


# The defaults stand in `hub.settings.HubSettings` too; a test holds the two against each other. Importing them here
# would make the help of every command pay for msgspec.
@click.command(
    cls=SectionedCommand,
    context_settings={"show_default": True},
    epilog="Each option is also a variable (--node-port: MOORLINE_HUB_NODE_PORT) and a key in [hub] of moorline.toml. "
    "MOORLINE_LOG_LEVEL (INFO) says how much is logged on stderr.",
)
@_listens("--node-host", metavar="HOST", default="127.0.0.1", help="Address for nodes.")
@_listens("--node-port", metavar="PORT", type=int, default=8765, help="Port for nodes; 0 lets the system pick.")
@_listens("--http-host", metavar="HOST", default="127.0.0.1", help="Address for clients: API, events, web page.")
@_listens("--http-port", metavar="PORT", type=int, default=8780, help="Port for clients; 0 lets the system pick.")
@_keeps("--state", metavar="FOLDER", type=FOLDER, default=Path(".moorline/hub"), help="Folder of this hub's own.")
@_keeps(
    "--durability",
    type=click.Choice(["full", "normal"]),
    default="full",
    help="full: what was answered survives a power cut; normal: it survives a crash of the hub.",
)
@_keeps("--retention-s", metavar="SECONDS", type=float, default=7 * 24 * 3600, help="How long finished tasks stay.")
@_keeps("--retention-count", metavar="N", type=int, default=1_000_000, help="How many finished tasks stay at most.")
@_keeps("--alerts", metavar="FILE", type=FILE, help="Rules and channels of alerts (TOML); without it, rules alone.")
@_admits("--tls-cert", metavar="FILE", type=FILE, help="Certificate chain (PEM), for both ports.")
@_admits("--tls-key", metavar="FILE", type=FILE, help="Its private key (PEM).")
@_admits(
    "--client-ca", metavar="FILE", type=FILE, help="Ask nodes for certificates that this authority (PEM) has signed."
)
@_admits(
    "--insecure", is_flag=True, help="Listen on other addresses than loopback without any token: trust the network."
)
@_admits("--metrics-open", is_flag=True, help="Serve /metrics without a token.")
@_nodes("--heartbeat-s", metavar="SECONDS", type=float, default=10, help="Between two heartbeats of a node.")
@_nodes("--gone-after-s", metavar="SECONDS", type=float, default=3600, help="Until an unreachable node is gone.")
@_nodes(
    "--strict-names",
    is_flag=True,
    help="Refuse a task with a name that no connected node handles; else it waits for one.",
)
@_limits("--admissions-per-s", metavar="N", type=float, default=300, help="Registrations a second; others come later.")
@_limits("--connections-max", metavar="N", type=int, default=10_000, help="Connections of nodes.")
@_limits("--connections-per-address-max", metavar="N", type=int, default=10_000, help="The same, from one address.")
@_limits("--payload-bytes-max", metavar="BYTES", type=int, default=256 * 1024, help="Size of a task's payload.")
@_limits("--result-bytes-max", metavar="BYTES", type=int, default=256 * 1024, help="Size of a task's value.")
@_tells(
    "--log-format",
    type=click.Choice(["auto", "human", "json"]),
    default="auto",
    help="auto: for people on a terminal, JSON elsewhere.",
)
@_tells(
    "--dashboard/--no-dashboard",
    default=True,
    help="On a terminal, show the fleet instead of the log, which then goes to hub.log in the state folder.",
)
def hub(**options: Any) -> None:
    """Run a hub: it holds the nodes' sessions, keeps the tasks, and decides.

    SIGTERM or Ctrl-C ends it in good order; killing it at any moment loses nothing. When it is ready, it says so and
    where it listens in one line on stderr.

    \b
      moorline hub
      moorline hub --node-host 0.0.0.0 --http-host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    raise click.exceptions.Exit(_run(options))


def _run(options: dict[str, Any]) -> int:
    from hub.errors import SettingsError  # noqa: PLC0415  # help must not load a server
    from hub.process import run  # noqa: PLC0415
    from hub.settings import HubSettings  # noqa: PLC0415
    from hub.store.errors import StoreError  # noqa: PLC0415

    try:
        settings = HubSettings(**options)
        _start_logging(settings.log_format)
        _check_files(settings)
        return run(settings)
    except SettingsError as error:
        raise StartError(
            _as_flags(error.message, options), _sentence(_as_flags(error.remedy, options)), EXIT_SETTINGS
        ) from error
    except StoreError as error:
        raise _store_error(str(error)) from error
    except OSError as error:
        raise _system_error(error, options) from error


def _as_flags(text: str, options: Iterable[str]) -> str:
    """Write settings as they are typed: ``node_port`` is ``--node-port``. One word alone may be any word."""
    names = "|".join(name for name in options if "_" in name)
    return re.sub(rf"\b(?:{names})\b", lambda found: f"--{found[0].replace('_', '-')}", text)


def _start_logging(form: LogFormat) -> None:
    """Log to stderr, one line an event; ``MOORLINE_LOG_LEVEL`` says how much."""
    import logging  # noqa: PLC0415  # help needs none

    from protocol.logs import start_logging  # noqa: PLC0415

    level = os.environ.get("MOORLINE_LOG_LEVEL", "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        raise StartError(f"MOORLINE_LOG_LEVEL is {level}", "Set it to DEBUG, INFO, WARNING or ERROR.", EXIT_SETTINGS)
    start_logging(form, level)
    if level == "INFO":
        # It says of each connection what the gateway says too, with the node's name.
        logging.getLogger("websockets").setLevel(logging.WARNING)


def _check_files(settings: HubSettings) -> None:
    """Refuse files that cannot be read before anything is opened: OpenSSL's own words do not name them."""
    for option, path in (
        ("--tls-cert", settings.tls_cert),
        ("--tls-key", settings.tls_key),
        ("--client-ca", settings.client_ca),
        ("--alerts", settings.alerts),
    ):
        if path is not None and not os.access(path, os.R_OK):
            raise StartError(f"{option} {path} cannot be read", "Check its path and permissions.", EXIT_SETTINGS)


def _store_error(text: str) -> StartError:
    """Take the store's sentence apart: what is wrong, and behind the semicolon what to do."""
    problem, _, remedy = text.partition("; ")
    # The store has one error for all that a hub cannot serve from; being in use is the one that passes by itself.
    in_use = "in use by another hub" in problem
    return StartError(problem, _sentence(remedy), EXIT_CONFLICT if in_use else EXIT_REFUSED)


def _system_error(error: OSError, options: Mapping[str, Any]) -> StartError:
    import socket  # noqa: PLC0415  # help needs none
    import ssl  # noqa: PLC0415

    reason = error.strerror or str(error)
    if isinstance(error, ssl.SSLError):
        return _tls_error(error, options)
    if isinstance(error, socket.gaierror):
        named = " or ".join(f"{flag} {host}" for flag, host in _hosts(options) if _has_no_address(host))
        remedy = "Give an address of this machine; 0.0.0.0 or :: listens on all of them."
        return StartError(f"{named or 'a host'} has no address: {reason}", remedy, EXIT_SETTINGS)
    if error.errno == errno.EADDRINUSE:
        return StartError(
            f"another process listens on {_address_of(error)}",
            "Stop it, or choose another port with --node-port or --http-port.",
            EXIT_CONFLICT,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        remedy = "Give --node-host and --http-host an address of this machine."
        return StartError(f"{_address_of(error)} is no address of this machine", remedy, EXIT_SETTINGS)
    if error.errno == errno.EACCES and error.filename is None:
        remedy = "Choose ports above 1023 with --node-port and --http-port."
        return StartError(f"this user may not listen there: {reason}", remedy, EXIT_SETTINGS)
    if error.filename is not None and Path(error.filename).is_relative_to(options["state"]):
        remedy = "Give a folder that this user may write."
        return StartError(f"--state {options['state']} cannot be used: {reason}", remedy, EXIT_REFUSED)
    where = f"{error.filename}: " if error.filename else ""
    return StartError(f"the hub cannot start: {where}{reason}", "", EXIT_REFUSED)


def _hosts(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("--node-host", options["node_host"]), ("--http-host", options["http_host"])]


def _has_no_address(host: str) -> bool:
    import socket  # noqa: PLC0415  # help needs none

    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return True
    return False


# What must stand in the files, so that OpenSSL takes them: RFC 7468.
_MARKS: Final = (("tls_cert", "CERTIFICATE"), ("tls_key", "PRIVATE KEY"), ("client_ca", "CERTIFICATE"))


def _tls_error(error: ssl.SSLError, options: Mapping[str, Any]) -> StartError:
    """Say which file is not what it should be: OpenSSL does not."""
    for name, mark in _MARKS:
        path = options[name]
        if path is not None and not re.search(rb"-----BEGIN [A-Z ]*" + mark.encode(), path.read_bytes()):
            message = f"--{name.replace('_', '-')} {path} holds no {mark.lower()} in PEM form"
            return StartError(message, "Give PEM files, and the key that belongs to the certificate.", EXIT_SETTINGS)
    if error.reason == "KEY_VALUES_MISMATCH":
        message = f"--tls-key {options['tls_key']} is not the key of --tls-cert {options['tls_cert']}"
        return StartError(message, "Give the key that belongs to the certificate.", EXIT_SETTINGS)
    reason = re.sub(r"^\[[^\]]*\]\s*|\s*\(_ssl\.c:\d+\)$", "", error.reason or error.strerror or str(error))
    message = f"the files of --tls-cert, --tls-key or --client-ca cannot be used: {reason.replace('_', ' ').lower()}"
    return StartError(message, "Give PEM files, and the key that belongs to the certificate.", EXIT_SETTINGS)


def _address_of(error: OSError) -> str:
    """Find the address in asyncio's words: ``… on address ('127.0.0.1', 8765): …``."""
    found = re.search(r"\('([^']+)', (\d+)", str(error))
    return f"{found[1]}:{found[2]}" if found else "that address"


def _sentence(text: str) -> str:
    """Make what would be right a sentence of its own; a command or a flag stays as it is to be typed."""
    if not text or text.startswith(("moorline ", "-")):
        return text
    end = "" if text.endswith("?") else "."
    return f"{text[0].upper()}{text[1:].rstrip('.')}{end}"


# --- tokens -----------------------------------------------------------------------------------------------------------

_state = click.option(
    "--state",
    type=FOLDER,
    default=Path(".moorline/hub"),
    envvar="MOORLINE_HUB_STATE",
    show_default=True,
    help="The hub's state folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


# The last that Python's dates know.
YEAR_9999_S: Final = 253402300799.0

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _expiry(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw]?)", text.strip())
    if found is None or float(found[1]) == 0:
        raise click.BadParameter(f"{text!r} is no time; write a number and a unit: 90s, 15m, 12h, 30d or 4w.")
    return float(found[1]) * _UNITS_S[found[2] or "s"]


@click.group()
def token() -> None:
    """Say who may talk to the hub.

    Works on the hub's state folder, also while the hub runs: it takes notice within a second, and ends the sessions
    of a token that was revoked.

    \b
      moorline token create --role node --name branch-office
      moorline token list
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines


@token.command("create")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["node", "read", "submit", "admin"]),
    help="node: open sessions, nothing else. read: read. submit: also submit, cancel, retry. admin: everything.",
)
@click.option("--name", default="", help="For people: whose it is.")
@click.option("--node", "node_id", metavar="NODE_ID", help="Only this node may use it (role node).")
@click.option("--expires-in", "expires_in_s", metavar="TIME", callback=_expiry, help="30d, 12h, …")
@_json
@_state
def token_create(
    role: str, name: str, node_id: str | None, expires_in_s: float | None, *, as_json: bool, state: Path
) -> None:
    """Make a token. Its secret is printed once, and kept nowhere.

    \b
      moorline token create --role node --name branch-office --expires-in 30d
      export MOORLINE_TOKEN=$(moorline token create --role submit --name ci)
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from hub.tokens import create_token  # noqa: PLC0415  # help must not load the store

    created = _on_store(
        lambda: create_token(state, name=name or role, role=role, expires_in_s=expires_in_s, node_id=node_id)
    )
    if as_json:
        click.echo(json.dumps({"id": created.id, "role": role, "name": name or role, "secret": created.secret}))
        return
    click.echo(f"Token {created.id} ({role}). Its secret, shown this once:", err=True)
    click.echo(created.secret)
    click.echo(f"Revoke it with: moorline token revoke {created.id}", err=True)


@token.command("list")
@_json
@_state
def token_list(*, as_json: bool, state: Path) -> None:
    """Show the tokens, without their secrets; those that ended for 30 days more.

    \b
      moorline token list --state /var/lib/moorline/hub
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from hub.tokens import list_tokens  # noqa: PLC0415

    _check_folder(state)
    views = _on_store(lambda: list_tokens(state))
    if as_json:
        click.echo(json.dumps({"tokens": [_document(view) for view in views]}, indent=2))
    elif not views:
        click.echo("There are no tokens: only this machine may talk to the hub.", err=True)
    else:
        now_s = datetime.now(UTC).timestamp()
        for line in _aligned([_TITLES, *(_row(view, now_s) for view in views)]):
            click.echo(line)


@token.command("revoke")
@click.argument("token_id")
@_state
def token_revoke(token_id: str, *, state: Path) -> None:
    """End a token now, and the sessions that were opened with it.

    \b
      moorline token revoke tok_925945c94a6d
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from hub.tokens import revoke_token  # noqa: PLC0415

    _check_folder(state)
    if not _on_store(lambda: revoke_token(state, token_id)):
        raise StartError(f"there is no token {token_id}", "See `moorline token list`.", EXIT_NOT_FOUND)
    click.echo(f"Token {token_id} is revoked.", err=True)


def _check_folder(state: Path) -> None:
    """Refuse a folder that no hub has: a mistyped one must not look like a hub without tokens."""
    from hub.settings import DATABASE_NAME  # noqa: PLC0415

    if not (state / DATABASE_NAME).is_file():
        remedy = "Give the state folder of a hub that has run or has tokens with --state."
        raise StartError(f"no hub keeps its state in {state}", remedy, EXIT_NOT_FOUND)


def _on_store(action: Callable[[], T]) -> T:
    from hub.errors import SettingsError  # noqa: PLC0415
    from hub.store.errors import StoreError  # noqa: PLC0415

    try:
        return action()
    except SettingsError as error:
        raise StartError(
            error.message.replace("node_id", "--node").replace("expires_in_s", "--expires-in"),
            _sentence(error.remedy),
            EXIT_SETTINGS,
        ) from error
    except StoreError as error:
        raise _store_error(str(error)) from error
    except OSError as error:
        message = f"{error.filename or 'the state folder'} cannot be used: {error.strerror or error}"
        raise StartError(message, "Check --state and its permissions.", EXIT_SETTINGS) from error


_TITLES: Final = ("ID", "NAME", "ROLE", "NODE", "CREATED", "EXPIRES", "STATE")


def _row(view: TokenView, now_s: float) -> tuple[str, ...]:
    state = "valid"
    if view.revoked_at is not None:
        state = "revoked"
    elif view.expires_at is not None and view.expires_at <= now_s:
        state = "expired"
    node = view.node_id or "-"
    return (view.id, view.name, view.role, node, _day(view.created_at), _day(view.expires_at), state)


def _document(view: TokenView) -> dict[str, object]:
    names = ("id", "name", "role", "node_id", "created_at", "expires_at", "revoked_at")
    return {name: getattr(view, name) for name in names}


def _day(at: float | None) -> str:
    if at is not None and at > YEAR_9999_S:
        # One token of an earlier version must not hide all others.
        return "after 9999"
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out rows in columns, two spaces apart."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
