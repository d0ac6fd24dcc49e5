"""``moorline task``: list, show, explain, cancel or retry tasks; wait for one, or follow its log.

What only a command that runs needs is imported there, so that help and completion answer at once.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from moorline.acting import Acted, each, make_sure, print_ids, show
from moorline.completing import complete_task_id
from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse, ids_option
from moorline.errors import NotFoundError
from moorline.parameters import DURATION, PAIR, PAST
from moorline.presentation import coloured, print_document, print_fields, print_json_line, print_table, say
from moorline.words import printable

if TYPE_CHECKING:
    from moorline.client import Client
    from moorline.history_views import Attempt
    from moorline.views import LogLine, TaskView


EXAMPLE_ID: Final = "01M8GRYYP1S86EE0NV1Q4FZTTQ"

FILTER_HELP: Final = "Those that meet a filter: 'state=failed name~hash age>5m'."


@click.group()
def task() -> None:
    """List, show, explain, cancel or retry tasks; wait for one, or follow its log.

    \b
      moorline task list --filter 'state=failed age<1h'
      moorline task explain 01M8GRYYP1S86EE0NV1Q4FZTTQ
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines


@task.command("list")
@click.option("--filter", "filter_text", metavar="TEXT", default="", help=FILTER_HELP)
@click.option("--state", "states", multiple=True, metavar="STATE", help="queued, running, failed, … Repeatable.")
@click.option("--name", metavar="TEXT", help="The task's name.")
@click.option("--node", metavar="NODE_ID", help="Where it runs or ran.")
@click.option("--label", "labels", type=PAIR, multiple=True, help="A label that it has. Repeatable.")
@click.option("--since", type=PAST, help="Submitted since: 10m (ago), or 2031-05-17T18:00:00Z.")
@click.option("--group", metavar="ID", help="The broadcast that it belongs to.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    metavar="N",
    default=50,
    show_default=True,
    help="How many at most, newest first.",
)
@ids_option
@as_json_option
@client_options
def task_list(settings: ClientSettings, *, limit: int, ids: bool, as_json: bool, **filters: Any) -> None:
    """List tasks, newest first.

    \b
      moorline task list --state queued,running
      moorline task list --filter 'state=failed error~Timeout' --since 1h --json
      moorline task list --state running --ids | xargs -n 1 moorline task explain
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.rows import TASK_COLUMNS, task_row  # noqa: PLC0415  # see the module's docstring

    tasks = converse(settings, lambda client: _listed_tasks(client, limit, **filters))
    if as_json:
        print_document({"tasks": [_without_contents(view) for view in tasks]})
        return
    if ids:
        print_ids(tasks)
    else:
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
@click.argument("task_id", shell_complete=complete_task_id)
@as_json_option
@client_options
def task_get(settings: ClientSettings, *, task_id: str, as_json: bool) -> None:
    """Show one task with its payload, its outcome and its attempts.

    \b
      moorline task get 01M8GRYYP1S86EE0NV1Q4FZTTQ --json
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
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


def _change_command(action: Literal["cancel", "retry"], about: str, example: str) -> click.Command:
    """Make the command that does one thing to tasks: those that are named, or all that meet a filter."""

    @click.command(action, help=f"{about}\n\n\b\n  moorline task {action} {EXAMPLE_ID}\n  {example}")
    @click.argument("task_ids", nargs=-1, metavar="[TASK_ID]...", shell_complete=complete_task_id)
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

        def talk(client: Client) -> Awaitable[Acted[TaskView]]:
            return each({"cancel": client.cancel, "retry": client.retry}[action], task_ids)

        show(converse(settings, talk), "tasks", settings.url, as_json=as_json)

    return command


task.add_command(
    _change_command(
        "cancel",
        "Cancel tasks; final ones stay as they are.",
        "moorline task cancel --filter 'state=queued name~report'",
    )
)
task.add_command(
    _change_command(
        "retry",
        "Queue failed, lost, cancelled or expired tasks again.",
        "moorline task retry --filter 'state=failed error~Timeout age<1h' --yes",
    )
)


def _change_matching(
    settings: ClientSettings, action: Literal["cancel", "retry"], filter_text: str, *, is_sure: bool, as_json: bool
) -> None:
    """Cancel or retry all tasks that meet a filter; ask first, unless the person is sure."""
    from moorline.changing import change_all, done_words, ready_words  # noqa: PLC0415  # see the module's docstring

    if not is_sure:
        found = converse(settings, lambda client: client.bulk(action, filter_text, count_only=True))
        if found.matched:
            make_sure(ready_words(action, found))
    done = converse(settings, lambda client: change_all(client, action, filter_text))
    if as_json:
        print_document({"matched": done.matched, "changed": done.changed})
    else:
        click.echo(done_words(action, done))


@task.command("explain")
@click.argument("task_id", shell_complete=complete_task_id)
@as_json_option
@client_options
def task_explain(settings: ClientSettings, *, task_id: str, as_json: bool) -> None:
    """Say why a task is where it is: its place in the queue, and node by node who can run it.

    \b
      moorline task explain 01M8GRYYP1S86EE0NV1Q4FZTTQ
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
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


@task.command("wait")
@click.argument("task_id", shell_complete=complete_task_id)
@click.option("--timeout", type=DURATION, metavar="TIME", help="Wait at most this long, then end with 7.")
@as_json_option
@client_options
def task_wait(settings: ClientSettings, *, task_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait for a task's outcome and print its value, as `submit --wait` does.

    Goes on waiting while the hub is away. Ctrl-C stops waiting, not the task.

    \b
      moorline task wait 01M8GRYYP1S86EE0NV1Q4FZTTQ --timeout 10m
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.submit_command import print_outcome  # noqa: PLC0415

    async def talk(client: Client) -> None:
        # So that a wrong address or id is said at once: the wait itself outlasts a hub that is away.
        await client.get(task_id)
        await print_outcome(client, client.handle(task_id), timeout, as_json=as_json)

    converse(settings, talk, is_long=True)


@task.command("logs")
@click.argument("task_id", shell_complete=complete_task_id)
@click.option("--follow", "-f", is_flag=True, help="Go on until the task has its outcome, through restarts of the hub.")
@as_json_option
@client_options
def task_logs(settings: ClientSettings, *, task_id: str, follow: bool, as_json: bool) -> None:
    """Print what the handlers of a task logged.

    With --follow each line begins with its attempt, and --json prints a document a line (NDJSON).

    \b
      moorline task logs 01M8GRYYP1S86EE0NV1Q4FZTTQ
      moorline task logs 01M8GRYYP1S86EE0NV1Q4FZTTQ --follow
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from moorline.log_following import follow_logs  # noqa: PLC0415
    from moorline.rows import log_line  # noqa: PLC0415

    def tell(line: LogLine) -> None:
        if as_json:
            print_json_line(line)
        else:
            click.echo(printable(log_line(line, with_attempt=True)))

    if follow:
        view, dropped = converse(settings, lambda client: follow_logs(client, task_id, tell), is_long=True)
        say(f"The task is {view.state}.")
        _say_dropped(dropped)
        return
    logs = converse(settings, lambda client: client.logs(task_id))
    if as_json:
        print_document(logs)
        return
    with_attempt = len({line.attempt for line in logs.lines}) > 1
    for line in logs.lines:
        click.echo(printable(log_line(line, with_attempt=with_attempt)))
    _say_dropped(logs.dropped)
    if not logs.lines and not logs.dropped:
        say("Nothing was logged.")


def _say_dropped(dropped: int) -> None:
    if dropped:
        say(f"{dropped} more lines were dropped: logs are bounded.")
