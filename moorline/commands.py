"""The commands that talk to a hub as any client does, and those about Moorline itself.

A command is thin: options in, one conversation with the hub, cells or JSON out. The client is imported when a command
runs, so that help and completion answer at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

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
from moorline.conversing import as_json_option, converse
from moorline.dev import dev
from moorline.errors import NotFoundError, ResultTimeoutError, TaskError
from moorline.failures import CommandError, ExitCode
from moorline.options import Options, Retry
from moorline.parameters import DURATION, MOMENT, PAIR, PAST, parse_payload
from moorline.presentation import (
    Cell,
    Column,
    Styled,
    coloured,
    is_terminal,
    print_columns,
    print_document,
    print_fields,
    print_json_line,
    print_table,
    say,
)
from moorline.words import printable

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.history_views import Attempt, AuditEntry
    from moorline.views import NodeView, TaskView

__all__ = [
    "audit",
    "config",
    "dev",
    "errors",
    "events",
    "node_cordon",
    "node_disconnect",
    "node_drain",
    "node_get",
    "node_list",
    "node_uncordon",
    "submit",
    "task",
]

# A payload on stdin: the hub takes 256 KiB; what is much larger is not read to its end.
STDIN_BYTES_MAX: Final = 16 * 1024 * 1024

T = TypeVar("T")

FILTER_HELP: Final = "Those that meet a filter: 'state=failed name~hash age>5m'."

# --- submit ----------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("name")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--json-payload", metavar="JSON|-", help="The payload as a JSON object; - reads it from stdin.")
@click.option("--priority", type=click.IntRange(-1000, 1000), default=0, show_default=True, help="Higher goes first.")
@click.option("--requires", type=PAIR, multiple=True, help="A label that the node must have. Repeatable.")
@click.option("--node", metavar="NODE_ID", help="Only this node.")
@click.option("--delay", type=DURATION, default=0.0, help="Not before this long from now: 90s, 15m, 2h, 1d.")
@click.option("--deadline", type=MOMENT, help="If not started by then, it expires: +10m, or 2031-05-17T18:00:00Z.")
@click.option("--timeout", type=DURATION, help="How long an attempt may run.")
@click.option(
    "--max-attempts", type=click.IntRange(1, 1000), default=1, show_default=True, help="Attempts, if the handler fails."
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
            return
        if is_terminal():
            say(f"{handle.id} is submitted; Ctrl-C stops waiting, not the task")
        try:
            value = await handle.result(wait_timeout)
        except (TaskError, ResultTimeoutError):
            if as_json:
                print_document(await handle.get())
            raise
        if as_json:
            print_document(await handle.get())
        else:
            print_document(value)

    converse(settings, talk)


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
        say(f"submitted; follow it with `moorline events --task {task_id}`")


# --- tasks -----------------------------------------------------------------------------------------------------------


@click.group()
def task() -> None:
    """List, show, explain, cancel or retry tasks."""


@task.command("list")
@click.option("--filter", "filter_text", metavar="TEXT", default="", help=FILTER_HELP)
@click.option("--state", "states", multiple=True, metavar="STATE", help="queued, running, failed, … Repeatable.")
@click.option("--name", metavar="TEXT", help="The task's name.")
@click.option("--node", metavar="NODE_ID", help="Where it runs or ran.")
@click.option("--label", "labels", type=PAIR, multiple=True, help="A label that it has. Repeatable.")
@click.option("--since", type=PAST, help="Submitted since: 10m (ago), or 2031-05-17T18:00:00Z.")
@click.option("--group", metavar="ID", help="The broadcast that it belongs to.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most, newest first."
)
@as_json_option
@client_options
def task_list(settings: ClientSettings, *, limit: int, as_json: bool, **filters: Any) -> None:
    """List tasks, newest first."""
    from moorline.rows import TASK_COLUMNS, task_row  # noqa: PLC0415  # see the module's docstring

    tasks = converse(settings, lambda client: _listed_tasks(client, limit, **filters))
    if as_json:
        print_document({"tasks": [_without_contents(view) for view in tasks]})
        return
    now_s = time.time()
    print_table(TASK_COLUMNS, [task_row(view, now_s) for view in tasks])
    if not tasks:
        say("No tasks.")
    elif len(tasks) == limit:
        say(f"These are the newest {limit}; --limit shows more.")


async def _listed_tasks(
    client: Client,
    limit: int,
    *,
    filter_text: str,
    states: Sequence[str],
    name: str | None,
    node: str | None,
    labels: Sequence[tuple[str, str]],
    since: float | None,
    group: str | None,
) -> list[TaskView]:
    wanted = [state for text in states for state in text.split(",")]
    found = client.list(
        filter=filter_text, state=wanted, name=name, node=node, labels=dict(labels), since=since, group=group,
        limit=limit,
    )  # fmt: skip
    return [view async for view in found]


def _without_contents(view: TaskView) -> object:
    """Leave out what a list does not tell, so that nobody takes it for empty."""
    import msgspec  # noqa: PLC0415  # see the module's docstring

    document = msgspec.to_builtins(view)
    return {key: value for key, value in document.items() if key not in {"payload", "value"}}


@task.command("get")
@click.argument("task_id")
@as_json_option
@client_options
def task_get(settings: ClientSettings, *, task_id: str, as_json: bool) -> None:
    """Show one task with its payload, its outcome and its attempts."""
    from moorline.history_rows import ATTEMPT_COLUMNS, attempt_row  # noqa: PLC0415
    from moorline.rows import task_fields  # noqa: PLC0415

    view, attempts = converse(settings, lambda client: _with_attempts(client, task_id))
    if as_json:
        print_document(_document_with(view, attempts=attempts))
        return
    now_s = time.time()
    print_fields(task_fields(view, now_s))
    if len(attempts) > 1:
        click.echo()
        print_table(ATTEMPT_COLUMNS, [attempt_row(attempt, now_s) for attempt in attempts])


async def _with_attempts(client: Client, task_id: str) -> tuple[TaskView, Sequence[Attempt]]:
    view = await client.get(task_id)
    try:
        return view, await client.attempts(task_id) if view.attempt else ()
    except NotFoundError:
        # A hub from before attempts were kept; or the task has just been removed.
        return view, ()


def _document_with(view: TaskView, **more: object) -> object:
    import msgspec  # noqa: PLC0415  # see the module's docstring

    return {**msgspec.to_builtins(view), **more}


def _change_command(action: Literal["cancel", "retry"], about: str) -> click.Command:
    """Make the command that does one thing to tasks: those that are named, or all that meet a filter."""

    @click.command(action, help=about)
    @click.argument("task_ids", nargs=-1, metavar="[TASK_ID]...")
    @click.option("--filter", "filter_text", metavar="TEXT", help=f"{FILTER_HELP} It asks first, with their number.")
    @click.option("--yes", is_flag=True, help="With --filter: do not ask.")
    @as_json_option
    @client_options
    def command(
        settings: ClientSettings, *, task_ids: Sequence[str], filter_text: str | None, yes: bool, as_json: bool
    ) -> None:
        if bool(task_ids) == (filter_text is not None):
            raise click.UsageError("name tasks, or give a --filter")
        if filter_text is not None:
            _change_matching(settings, action, filter_text, is_sure=yes, as_json=as_json)
            return

        def talk(client: Client) -> Awaitable[list[TaskView]]:
            return _each({"cancel": client.cancel, "retry": client.retry}[action], task_ids)

        _show_states(converse(settings, talk), "tasks", as_json=as_json)

    return command


task.add_command(_change_command("cancel", "Cancel tasks; final ones stay as they are."))
task.add_command(_change_command("retry", "Queue failed, lost, cancelled or expired tasks again."))


def _change_matching(
    settings: ClientSettings, action: Literal["cancel", "retry"], filter_text: str, *, is_sure: bool, as_json: bool
) -> None:
    """Cancel or retry all tasks that meet a filter; ask first, unless the person is sure."""
    from moorline.changing import change_all, done_words, ready_words  # noqa: PLC0415  # see the module's docstring

    if not is_sure:
        found = converse(settings, lambda client: client.bulk(action, filter_text, count_only=True))
        ready = ready_words(action, found)
        if found.matched and not sys.stdin.isatty():
            message = f"{ready}; nothing was done, since nobody can be asked"
            raise CommandError(message, remedy="Add --yes if that is meant.", exit_code=ExitCode.USAGE)
        if found.matched and not click.confirm(f"{ready}. Go on?", err=True):
            raise CommandError("nothing was done")
    done = converse(settings, lambda client: change_all(client, action, filter_text))
    if as_json:
        print_document({"matched": done.matched, "changed": done.changed})
    else:
        click.echo(done_words(action, done))


async def _each(act: Callable[[str], Awaitable[T]], ids: Sequence[str]) -> list[T]:
    """Act one by one: the first that does not work ends it, and those before are done."""
    return [await act(one) for one in dict.fromkeys(ids)]


def _show_states(views: Sequence[TaskView] | Sequence[NodeView], key: str, *, as_json: bool) -> None:
    if as_json:
        print_document({key: list(views)})
        return
    width = max(len(view.id) for view in views)
    for view in views:
        cordoned = getattr(view, "cordoned", False)
        state = Styled(f"{view.state}, cordoned", "yellow") if cordoned else coloured(view.state)
        print_columns([(view.id, width), (state, 0)])


@task.command("explain")
@click.argument("task_id")
@as_json_option
@client_options
def task_explain(settings: ClientSettings, *, task_id: str, as_json: bool) -> None:
    """Say why a task is where it is: its place in the queue, and node by node who can run it."""
    from moorline.rows import REASON_COLUMNS, reason_rows  # noqa: PLC0415

    explanation = converse(settings, lambda client: client.explain(task_id))
    if as_json:
        print_document(explanation)
        return
    print_fields([("task", explanation.task_id), ("state", coloured(explanation.state))])
    if explanation.summary:
        print_fields([("", explanation.summary)])
    if explanation.position is not None:
        print_fields([("queue", f"number {explanation.position}")])
    if explanation.nodes:
        click.echo()
        print_table(REASON_COLUMNS, reason_rows(explanation))


@task.command("logs")
@click.argument("task_id")
@as_json_option
@client_options
def task_logs(settings: ClientSettings, *, task_id: str, as_json: bool) -> None:
    """Print what the handlers of a task logged."""
    from moorline.rows import log_line  # noqa: PLC0415

    logs = converse(settings, lambda client: client.logs(task_id))
    if as_json:
        print_document(logs)
        return
    with_attempt = len({line.attempt for line in logs.lines}) > 1
    for line in logs.lines:
        click.echo(printable(log_line(line, with_attempt=with_attempt)))
    if logs.dropped:
        say(f"{logs.dropped} more lines were dropped: logs are bounded.")
    elif not logs.lines:
        say("Nothing was logged.")


# --- errors and who did what -----------------------------------------------------------------------------------------


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many groups.")
@as_json_option
@client_options
def errors(settings: ClientSettings, *, limit: int, as_json: bool) -> None:
    """Show what goes wrong: errors that are alike as one, last seen first.

    `moorline task list --filter errorgroup=GROUP` lists the tasks of one.
    """
    from moorline.history_rows import ERROR_COLUMNS, error_row  # noqa: PLC0415

    groups = converse(settings, lambda client: client.errors(limit=limit))
    if as_json:
        print_document({"groups": groups})
        return
    now_s = time.time()
    print_table(ERROR_COLUMNS, [error_row(group, now_s) for group in groups])
    if not groups:
        say("Nothing has gone wrong.")


@click.command()
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many lines.")
@as_json_option
@client_options
def audit(settings: ClientSettings, *, limit: int, as_json: bool) -> None:
    """Show who did what, newest first. Needs a token of the role admin."""
    from moorline.history_rows import AUDIT_COLUMNS, audit_row  # noqa: PLC0415

    async def talk(client: Client) -> list[AuditEntry]:
        async with aclosing(client.audit(limit=limit)) as lines:
            return [entry async for entry in lines]

    entries = converse(settings, talk)
    if as_json:
        print_document({"entries": entries})
        return
    print_table(AUDIT_COLUMNS, [audit_row(entry) for entry in entries])
    if not entries:
        say("Nobody has done anything yet.")


# --- events ----------------------------------------------------------------------------------------------------------


@click.command()
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="task, node, task.failed, … Repeatable.")
@click.option("--task", metavar="ID", help="Only this task.")
@click.option("--node", metavar="ID", help="Only this node.")
@click.option("--name", metavar="TEXT", help="Only tasks of this name.")
@click.option("--group", metavar="ID", help="Only this broadcast.")
@click.option("--origin", metavar="TEXT", help="Only what this client submitted.")
@click.option("--since-id", type=click.IntRange(0), metavar="N", help="Begin behind this event. Default: now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line (NDJSON).")
@client_options
def events(
    settings: ClientSettings, *, kinds: Sequence[str], since_id: int | None, as_json: bool, **filters: str | None
) -> None:
    """Follow what happens: a line for each event, until Ctrl-C.

    Goes on by itself after a restart of the hub, without a gap.
    """
    from moorline.rows import event_cells  # noqa: PLC0415

    async def follow(client: Client) -> None:
        # So that an address which is wrong is said at once: the stream itself waits for a hub that is away.
        await client.stats()
        wanted = [kind for text in kinds for kind in text.split(",")]
        async with aclosing(client.events(kind=wanted, last_id=since_id, **filters)) as stream:
            async for event in stream:
                if as_json:
                    print_json_line(event)
                else:
                    print_columns(event_cells(event))

    converse(settings, follow)


# --- nodes: the group stands in the node's own package ----------------------------------------------------------------


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
            return _each(acts[verb], node_ids)

        _show_states(converse(settings, talk), "nodes", as_json=as_json)

    return command


node_cordon = _node_command("cordon", "Give nodes nothing new; what runs there goes on.")
node_uncordon = _node_command("uncordon", "Give nodes work again.")
node_drain = _node_command("drain", "Have nodes finish what they run, take nothing new, and leave.")
node_disconnect = _node_command("disconnect", "Close the nodes' connections; they come back by themselves.")


# --- settings --------------------------------------------------------------------------------------------------------

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
    """Show each setting of hub, node and client, its value, and where it came from. Tokens are masked."""
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
