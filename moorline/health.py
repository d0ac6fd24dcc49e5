"""``moorline health``: ask a hub or a node how it is, and end with 0 or 1: for containers and scripts.

Asked every few seconds by a probe, so it loads little: the HTTP client of the standard library, and no other.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, RemoteDisconnected
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import click

from moorline.configuration import ClientSettings, client_options
from moorline.failures import ExitCode
from moorline.parameters import DURATION
from moorline.words import printable

# A hub's or a node's answer about itself is below a page.
ANSWER_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether it is well, and if not, why; ``document`` is all that it said."""

    is_good: bool
    reasons: list[str]
    document: Mapping[str, Any] = field(default_factory=dict)


@click.command()
@client_options
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read a node's --health-file instead of asking --url.",
)
@click.option("--live", is_flag=True, help="Ask only whether it should be started again, not whether it is ready.")
@click.option(
    "--within", "within_s", metavar="TIME", type=DURATION, default="3s", show_default=True, help="Until an answer."
)
@click.option(
    "--max-age", "max_age_s", metavar="TIME", type=DURATION, default="30s", show_default=True, help="Of the file."
)
@click.option("--json", "as_json", is_flag=True, help="Print what it said as one JSON document.")
def health(
    settings: ClientSettings, *, file: Path | None, live: bool, within_s: float, max_age_s: float, as_json: bool
) -> None:
    """Ask a hub or a node how it is; end with 0 if it is well, and with 1 if it is not or does not say.

    \b
      moorline health                                  the hub of --url: is it ready?
      moorline health --live                           should it be started again?
      moorline health --url http://127.0.0.1:8790      a node with --health-port 8790
      moorline health --file /run/moorline/health      a node with --health-file
    """  # noqa: D301 - click's mark for a paragraph that keeps its lines
    if file is None:
        answer = ask(settings.url, "/livez" if live else "/readyz", settings.ca, within_s)
    else:
        answer = read(file, max_age_s, time.time(), live=live)
    if as_json:
        click.echo(json.dumps(dict(answer.document)))
    elif answer.is_good:
        click.echo("live" if live else "ready")
    _end(answer)


def _end(answer: Answer) -> NoReturn:
    if not answer.is_good:
        click.echo(printable("; ".join(answer.reasons) or "it says that it is not ready, and not why"), err=True)
    raise click.exceptions.Exit(ExitCode.OK if answer.is_good else ExitCode.FAILED)


def ask(url: str, path: str, ca: Path | None, within_s: float) -> Answer:
    """Ask over HTTP. Past a proxy: who is asked is near."""
    try:
        tls = ssl.create_default_context(cafile=ca)
    except OSError:
        return Answer(is_good=False, reasons=[f"--ca {ca} holds no certificates in PEM form"])
    try:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))
        with opener.open(url.rstrip("/") + path, timeout=within_s) as answer:
            return _understand(answer.read(ANSWER_BYTES_MAX), url)
    except HTTPError as error:
        with error:
            return _understand(error.read(ANSWER_BYTES_MAX), url)
    except (OSError, HTTPException) as error:
        return Answer(is_good=False, reasons=[f"{url} does not answer: {words_of(error, url)}"])


def words_of(error: OSError | HTTPException, url: str) -> str:
    """Say why there is no answer, and what would be right where that can be told."""
    reason = error.reason if isinstance(error, URLError) else error
    match reason:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not good: {reason.verify_message}; give its authority with --ca"
        case ssl.SSLError():
            why = (getattr(reason, "reason", "") or "no TLS is spoken there").replace("_", " ").lower()
            return f"TLS failed: {why}; if it has no TLS, write {url.replace('https:', 'http:')}"
        case TimeoutError():
            return "it timed out; --within waits longer"
        case ConnectionRefusedError():
            return "nothing listens there"
        case RemoteDisconnected() if url.startswith("http:"):
            return f"it closed the connection; if it wants TLS, write {url.replace('http:', 'https:')}"
        case OSError() if reason.strerror:
            return reason.strerror
        case _:
            return str(reason) or type(reason).__name__


def read(path: Path, max_age_s: float, now_s: float, *, live: bool) -> Answer:
    """Read a node's file; one that is old was left by a node that is dead or stands still."""
    try:
        text = path.read_bytes()
    except OSError as error:
        return Answer(is_good=False, reasons=[f"{path} cannot be read, so no node runs: {error.strerror}"])
    answer = _understand(text, str(path))
    at = answer.document.get("at")
    if isinstance(at, int | float) and now_s - at > max_age_s:
        age = f"{path} is {now_s - at:.0f} s old: the node that wrote it is dead or stands still"
        return Answer(is_good=False, reasons=[age], document=answer.document)
    if live and answer.document:
        return Answer(is_good=True, reasons=[], document=answer.document)
    return answer


def _understand(text: bytes, where: str) -> Answer:
    try:
        document = json.loads(text)
        reasons = [str(reason) for reason in document["reasons"]]
        return Answer(is_good=document["ready"] is True, reasons=reasons, document=document)
    except (ValueError, TypeError, KeyError):
        return Answer(is_good=False, reasons=[f"{where} is neither a hub nor a node: it does not say how it is"])
