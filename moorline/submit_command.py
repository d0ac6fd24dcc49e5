"""``moorline submit``: a payload from words or JSON, and if it is wanted the wait for the value."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse
from moorline.errors import HubError, ResultTimeoutError, TaskError
from moorline.options import Options, Retry
from moorline.parameters import DELAY, DURATION, MOMENT, PAIR, TIMEOUT, parse_payload
from moorline.presentation import is_terminal, print_document, say

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.handles import TaskHandle

# Most tasks have their outcome by then. Whoever waits longer wants to know for what.
SAY_WHY_AFTER_S: Final = 2.0

# A payload on stdin: the hub takes 256 KiB; what is much larger is not read to its end.
STDIN_BYTES_MAX: Final = 16 * 1024 * 1024


@click.command()
@click.argument("name")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--json-payload", metavar="JSON|-", help="The payload as a JSON object; - reads it from stdin.")
@click.option(
    "--priority", type=click.IntRange(-1000, 1000), metavar="N", default=0, show_default=True, help="Higher goes first."
)
@click.option("--requires", type=PAIR, multiple=True, help="A label that the node must have. Repeatable.")
@click.option("--node", metavar="NODE_ID", help="Only this node.")
@click.option(
    "--delay", type=DELAY, metavar="TIME", default=0.0, help="Not before this long from now: 90s, 15m, 2h, 1d."
)
@click.option("--deadline", type=MOMENT, help="If not started by then, it expires: +10m, or 2031-05-17T18:00:00Z.")
@click.option("--timeout", type=TIMEOUT, metavar="TIME", help="How long an attempt may run.")
@click.option(
    "--max-attempts",
    type=click.IntRange(1, 1000),
    metavar="N",
    default=1,
    show_default=True,
    help="Attempts, if the handler fails.",
)
@click.option(
    "--on-lost",
    type=click.Choice(["retry", "fail"]),
    default="retry",
    show_default=True,
    help="If its node is gone: run it again, or give it up.",
)
@click.option("--idempotency-key", metavar="TEXT", help="A second submit with the same key gives the first task.")
@click.option("--label", "labels", type=PAIR, multiple=True, help="For people and filters. Repeatable.")
@click.option("--wait", is_flag=True, help="Wait for the outcome and print the value.")
@click.option("--wait-timeout", type=DURATION, help="Wait at most this long, then end with 7; the task goes on.")
@as_json_option
@client_options
def submit(
    settings: ClientSettings,
    *,
    name: str,
    pairs: Sequence[str],
    json_payload: str | None,
    wait: bool,
    wait_timeout: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit a task; print its id, or with --wait its value.

    A VALUE is JSON if it reads as JSON, else text.

    \b
      moorline submit add a=1 b=2 --wait
      moorline submit report --json-payload - --deadline +1h < report.json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    payload = _payload(pairs, json_payload)

    async def talk(client: Client) -> None:
        handle = await client.submit_payload(name, payload, _options(**options))
        if not (wait or wait_timeout is not None):
            _show_submitted(handle.id, name, as_json=as_json)
            if is_terminal():
                await _say_why_it_waits(client, handle.id)
            return
        if is_terminal():
            say(f"{handle.id} is submitted; Ctrl-C stops waiting, not the task")
        await print_outcome(client, handle, wait_timeout, as_json=as_json)

    converse(settings, talk, is_long=True)


async def print_outcome(
    client: Client, handle: TaskHandle[Any], wait_timeout_s: float | None, *, as_json: bool
) -> None:
    """Wait for the outcome and print the value, or with ``as_json`` the whole task, whatever it came to.

    Raises:
        TaskError: its outcome is no value.
        ResultTimeoutError: there is none within ``wait_timeout_s``.
    """
    try:
        value = await _outcome(client, handle, wait_timeout_s)
    except (TaskError, ResultTimeoutError):
        if as_json:
            print_document(await handle.get())
        raise
    print_document(await handle.get() if as_json else value)


async def _outcome(client: Client, handle: TaskHandle[Any], wait_timeout_s: float | None) -> object:
    """Give the value; to somebody who waits for it, say after a moment what it waits for."""
    first_s = SAY_WHY_AFTER_S if wait_timeout_s is None else min(SAY_WHY_AFTER_S, wait_timeout_s)
    try:
        return await handle.result(first_s)
    except ResultTimeoutError:
        await _say_why_it_waits(client, handle.id)
    if wait_timeout_s is None:
        return await handle.result()
    try:
        return await handle.result(wait_timeout_s - first_s)
    except ResultTimeoutError as error:
        raise ResultTimeoutError(handle.id, wait_timeout_s) from error


async def _say_why_it_waits(client: Client, task_id: str) -> None:
    try:
        explanation = await client.explain(task_id)
    except HubError:
        # Nobody asked for it: a hub that is away is no reason to end the wait.
        return
    if explanation.state == "queued":
        say(f"{task_id} is queued. {explanation.summary}")


def _payload(pairs: Sequence[str], document: str | None) -> dict[str, object]:
    if document == "-":
        document = _read_stdin()
    try:
        return parse_payload(pairs, document)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _read_stdin() -> str:
    content = sys.stdin.buffer.read(STDIN_BYTES_MAX + 1)
    if len(content) > STDIN_BYTES_MAX:
        raise click.UsageError(f"stdin has more than {STDIN_BYTES_MAX} bytes; a payload has 256 KiB at most")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.UsageError(f"stdin is not UTF-8 (byte {error.start})") from error


def _options(
    *,
    priority: int,
    requires: Sequence[tuple[str, str]],
    node: str | None,
    delay: float,
    deadline: float | None,
    timeout: float | None,
    max_attempts: int,
    on_lost: Any,
    idempotency_key: str | None,
    labels: Sequence[tuple[str, str]],
) -> Options:
    """Give what the flags say, in the words of the API."""
    return Options(
        priority=priority,
        requires=dict(requires),
        node=node,
        delay_s=delay,
        deadline=deadline,
        timeout_s=timeout,
        retry=Retry(max_attempts=max_attempts) if max_attempts > 1 else None,
        on_lost=on_lost,
        idempotency_key=idempotency_key,
        labels=dict(labels),
    )


def _show_submitted(task_id: str, name: str, *, as_json: bool) -> None:
    if as_json:
        print_document({"id": task_id, "name": name})
        return
    click.echo(task_id)
    if is_terminal():
        say(f"submitted; wait for its value with `moorline task wait {task_id}`")
