"""``moorline doctor``: find out what stands between this machine and a hub, and say what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import click
from click.core import ParameterSource

from moorline.checks import Check, Target, Verdict, look_at_api, look_at_disk, look_at_sessions
from moorline.configuration import ClientSettings, client_options
from moorline.failures import ExitCode
from moorline.parameters import NODE_ADDRESS
from moorline.presentation import coloured, print_columns, print_document, say
from moorline.version import installed_version
from moorline.words import printable

# The port of a hub for nodes, unless it was told another one.
NODE_PORT = 8765


@click.command()
@client_options
@click.option(
    "--hub",
    "hubs",
    multiple=True,
    envvar="MOORLINE_NODE_HUB",
    type=NODE_ADDRESS,
    metavar="URL",
    help="Where nodes connect, ws:// or wss://. Repeatable. Default: the host of --url, port 8765.",
)
@click.option(
    "--node-token",
    envvar="MOORLINE_NODE_TOKEN",
    metavar="SECRET",
    help="A node's token (role node). Default: that of --token.",
)
@click.option(
    "--state",
    envvar="MOORLINE_HUB_STATE",
    type=click.Path(path_type=Path),
    default=Path(".moorline/hub"),
    show_default=True,
    help="The hub's state folder, if it is on this machine.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(
    settings: ClientSettings, *, hubs: tuple[str, ...], node_token: str | None, state: Path, as_json: bool
) -> None:
    """Find out what stands between this machine and a hub.

    Looks at the API and at the address for nodes: name, port, certificate, answer, clock, token, version. Then at the
    disk of the state folder. With --hub alone it leaves the API out, as a node does. Changes nothing. Ends with 1 if a
    check failed.

    \b
      moorline doctor                                          the hub of --url
      moorline doctor --hub wss://hub.example:8765             on a node's machine
      moorline doctor --url https://hub.example:8780 --ca ca.pem --node-token SECRET
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    groups: dict[str, Iterator[Check]] = {}
    # Whoever names only where nodes connect asks for a node: it needs no API, and its own machine has none.
    is_about_api = not hubs or click.get_current_context().get_parameter_source("url") is not ParameterSource.DEFAULT
    if is_about_api:
        api = Target(address=settings.url, ca=settings.ca)
        groups[f"API {api.address}"] = look_at_api(api, settings.token, installed_version())
    for address in hubs or (node_address(settings.url),):
        target = Target(address=address, ca=settings.ca)
        is_a_node_s = bool(node_token) or not is_about_api
        checks = look_at_sessions(target, node_token or settings.token, is_a_node_s=is_a_node_s)
        groups[f"Nodes {address}"] = checks if hubs else guessed(checks)
    groups["This machine"] = iter([look_at_disk(state)])
    found = {title: _collect(title, checks, as_json=as_json) for title, checks in groups.items()}
    verdict = worst(check for checks in found.values() for check in checks)
    if as_json:
        documents = [{"about": title, **asdict(check)} for title, checks in found.items() for check in checks]
        print_document({"verdict": verdict, "checks": documents})
    else:
        say(_summary(verdict))
    raise click.exceptions.Exit(ExitCode.FAILED if verdict == "fail" else ExitCode.OK)


def node_address(url: str) -> str:
    """Give the address for nodes of the hub that has this HTTP address, if nobody chose another."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, f"{host}:{NODE_PORT}", "", "", ""))


def guessed(checks: Iterable[Check]) -> Iterator[Check]:
    """Say of what fails at an address that nobody gave where the right one is written."""
    for check in checks:
        is_bad = check.verdict == "fail" and check.name != "dns"
        guess = "This port is a guess: if the hub has another --node-port, name it with --hub."
        yield replace(check, remedy=f"{guess} {check.remedy}") if is_bad else check


def worst(checks: Iterable[Check]) -> Verdict:
    """Give the worst verdict of all; what was skipped counts as well."""
    verdicts = {check.verdict for check in checks}
    return "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "ok"


def _collect(title: str, checks: Iterable[Check], *, as_json: bool) -> list[Check]:
    """Carry the checks out, and show each as soon as it is done: a step may take seconds."""
    if not as_json:
        click.echo(printable(title))
    found = []
    for check in checks:
        found.append(check)
        if not as_json:
            _show(check)
    return found


def _show(check: Check) -> None:
    print_columns([("", 0), (coloured(check.verdict), 4), (check.name, 7), (check.detail, 0)])
    if check.remedy:
        print_columns([("", 0), ("", 4), ("", 7), (check.remedy, 0)])


def _summary(verdict: Verdict) -> str:
    match verdict:
        case "fail":
            return "Something is in the way; the first failure is the one to mend."
        case "warn":
            return "It works; look at the warnings."
        case _:
            return "All is well."
