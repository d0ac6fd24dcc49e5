"""The commands that this package brings to `moorline`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from moorline.configuration import ClientSettings, client_options
from moorline.parameters import HTTP_ADDRESS, NEW_FILE, SECRET

# With fewer the work is over before anything has been killed in its middle.
TASKS_MIN = 60
TASKS_MAX = 10_000

# Each task is kept until the verdict: two hours at the highest rate are some hundred thousand.
MINUTES_MAX = 120
# Each is a process of some 40 MiB, with processes of its own.
NODES_MAX = 200


@click.command(short_help="Kill a hub in the middle of real work, and watch that nothing is lost.")
@click.option(
    "--tasks",
    type=click.IntRange(TASKS_MIN, TASKS_MAX),
    metavar="N",
    default=400,
    show_default=True,
    help="How many tasks to run.",
)
@click.option(
    "--seconds-max",
    type=click.FloatRange(10, 3600),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="Give up after this long; what has no outcome by then counts as lost.",
)
@click.option("--keep", is_flag=True, help="Keep the folder with state, logs and the truth file, and say where it is.")
@click.option("--plain", is_flag=True, help="Lines instead of the live picture, as on anything that is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Nothing but the JSON object.")
@click.option("--svg", metavar="FILE", type=NEW_FILE, help="Save the last picture as SVG.")
def demo(tasks: int, seconds_max: float, keep: bool, plain: bool, as_json: bool, svg: Path | None) -> None:
    """Kill a hub in the middle of real work, and watch that nothing is lost.

    Starts a hub and three nodes on this machine, lets them look through its files and servers, kills the hub and later
    a node with SIGKILL, starts both again, and holds what really ran against what the client was told. All that it
    starts ends with it.

    The picture goes to stderr. The last line on stdout is one JSON object; the exit status is 0 only if nothing was
    lost, nothing ran twice, and the statistics were kept.

    \b
      moorline demo --tasks 200
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from dashboards.demo.show import show  # noqa: PLC0415  # help and completion need none of it

    sys.exit(show(tasks=tasks, seconds_max=seconds_max, keep=keep, plain=plain, as_json=as_json, svg=svg))


def _json_object(_context: click.Context, _parameter: click.Parameter, text: str) -> dict[str, object]:
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise click.BadParameter(f"{text!r} is not a JSON object")
    return payload


@click.command(short_help="Break an installation on purpose, and prove that nothing is lost.")
@click.option(
    "--minutes",
    type=click.FloatRange(0.2, MINUTES_MAX),
    metavar="MINUTES",
    default=5.0,
    show_default=True,
    help="For how long things are broken.",
)
@click.option(
    "--nodes", type=click.IntRange(1, NODES_MAX), metavar="N", default=5, show_default=True, help="How many nodes."
)
@click.option(
    "--slots",
    type=click.IntRange(1, 64),
    metavar="N",
    default=4,
    show_default=True,
    help="Tasks at once, on each node.",
)
@click.option("--kill-hub", is_flag=True, help="Kill the hub (SIGKILL), and start it again.")
@click.option("--kill-nodes", is_flag=True, help="Kill nodes, and start them again.")
@click.option("--cut-links", is_flag=True, help="Reset, cut, slow down and swallow what nodes and hub say.")
@click.option("--pause", is_flag=True, help="Let the hub and nodes stand still (SIGSTOP), also beyond the lease.")
@click.option("--seed", type=int, metavar="N", default=1, show_default=True, help="The same seed makes the same plan.")
@click.option(
    "--lease-s",
    type=click.FloatRange(5, 300),
    metavar="SECONDS",
    default=20.0,
    show_default=True,
    help="The lease of the tasks.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@click.option("--html", metavar="FILE", type=NEW_FILE, help="Save the report as a page.")
@click.option("--keep", is_flag=True, help="Keep the folder with state, logs and the truth file.")
@click.option(
    "--url", metavar="URL", type=HTTP_ADDRESS, help="Break this installation, which runs already, through its API."
)
@click.option(
    "--token", envvar="MOORLINE_TOKEN", metavar="SECRET", type=SECRET, help="A token of the role admin, for --url."
)
@click.option(
    "--ca",
    envvar="MOORLINE_CA",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates, for --url.",
)
@click.option(
    "--task", "task_name", metavar="NAME", help="The task that is the load, for --url. It ought to be harmless."
)
@click.option("--payload", metavar="JSON", default="{}", callback=_json_object, help="Its payload, a JSON object.")
@click.option(
    "--truth-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What the nodes of --url write with MOORLINE_TRUTH_FILE.",
)
@click.option("--i-know-this-breaks-things", "is_agreed", is_flag=True, help="Without it --url is refused.")
def chaos(
    minutes: float,
    nodes: int,
    slots: int,
    kill_hub: bool,
    kill_nodes: bool,
    cut_links: bool,
    pause: bool,
    seed: int,
    lease_s: float,
    as_json: bool,
    html: Path | None,
    keep: bool,
    url: str | None,
    token: str | None,
    ca: Path | None,
    task_name: str | None,
    payload: dict[str, object],
    truth_file: Path | None,
    is_agreed: bool,
) -> None:
    """Break an installation on purpose, and prove that nothing is lost and nothing runs twice.

    Starts a hub and nodes on this machine, gives them a steady stream of tasks, and breaks what the flags name; all of
    it without any. Then everything is mended, the work is finished, and each run of each handler is held against what
    was broken and against what the clients were told.

    With --url it breaks an installation that runs already, as far as the API lets it: it disconnects and cordons nodes.

    The exit status is 0 if all is well, 1 if an invariant broke, 2 for wrong usage. Ctrl-C ends it in order, with the
    verdict so far; a second one ends it at once.

    \b
      moorline chaos --minutes 1 --nodes 3 --kill-hub
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from dashboards.chaos.settings import ChaosSettings  # noqa: PLC0415  # help and completion need none of it
    from dashboards.chaos.show import Output, Target, show  # noqa: PLC0415

    target = None
    if url is not None:
        if kill_hub or kill_nodes or cut_links or pause:
            raise click.UsageError("--url cannot kill, cut or pause: it has the API alone")
        if not is_agreed:
            raise click.UsageError(f"this disconnects and cordons nodes of {url}; say --i-know-this-breaks-things")
        if task_name is None:
            raise click.UsageError("--url needs --task: a task that its nodes handle, and that does no harm")
        target = Target(url=url, token=token, ca=ca, task_name=task_name, payload=payload, truth_path=truth_file)
    elif task_name is not None or truth_file is not None:
        raise click.UsageError("--task and --truth-file go with --url")
    everything = not (kill_hub or kill_nodes or cut_links or pause)
    settings = ChaosSettings(
        minutes=minutes,
        nodes=nodes,
        slots=slots,
        seed=seed,
        lease_s=lease_s,
        kill_hub=kill_hub or everything,
        kill_nodes=kill_nodes or everything,
        cut_links=cut_links or everything,
        pause=pause or everything,
    )
    sys.exit(show(settings, target, Output(as_json=as_json, html=html, keep=keep)))


# A picture must hold something, and one that nobody can look at helps nobody.
SIZE_MIN = (20, 5)
SIZE_MAX = (500, 200)


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text.strip())
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(least <= cells <= most for cells, least, most in zip(size, SIZE_MIN, SIZE_MAX, strict=True)):
        raise click.BadParameter(f"{text!r} is no size; write columns and lines: 120x40, from 20x5 to 500x200.")
    return size


VIEWS = ("overview", "nodes", "tasks", "task", "events")


@click.command(short_help="Watch the fleet: nodes, tasks, what is wrong and why.")
@click.option("--view", type=click.Choice(VIEWS), default="overview", show_default=True, help="What to begin with.")
@click.option("--filter", "filter_text", metavar="TEXT", default="", help="Show only what matches: 'state=failed'.")
@click.option("--task", "task_id", metavar="TASK_ID", default="", help="Begin with this task.")
@click.option("--ascii", "is_ascii", is_flag=True, help="Nothing but ASCII characters.")
@click.option("--json", "as_json", is_flag=True, help="Print what is known now as one JSON document, and end.")
@click.option("--svg", metavar="FILE", type=NEW_FILE, help="Save a picture, and end.")
@click.option("--size", metavar="WxH", callback=_size, help="Columns and lines of a picture that is not on a terminal.")
@click.option("--beside-hub", type=int, hidden=True, help="The hub that shows this in its own terminal.")
@client_options
def top(
    settings: ClientSettings,
    *,
    view: str,
    filter_text: str,
    task_id: str,
    is_ascii: bool,
    as_json: bool,
    svg: Path | None,
    size: tuple[int, int] | None,
    beside_hub: int | None,
) -> None:
    """Watch the fleet: nodes, tasks, what is wrong and why.

    Keys 1-5 change the view, Enter opens, / filters, ? names all keys, q leaves. It goes on through restarts of the
    hub. On anything that is no terminal it prints what is to be seen now, once, and ends.

    \b
      moorline top --view tasks --filter state=failed
      moorline top --json | jq .verdict
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    from dashboards.terminal.show import Wish, show  # noqa: PLC0415  # help and completion need none of it

    if filter_text and (view in {"overview", "task"} or task_id):
        raise click.UsageError("--filter chooses rows of a list; it goes with --view nodes, tasks or events")
    wish = Wish(
        view=VIEWS.index(view) + 1 if not task_id else 4,
        filter=filter_text,
        task_id=task_id,
        is_ascii=is_ascii,
        as_json=as_json,
        svg=svg,
        size=size,
        hub_process=beside_hub,
    )
    sys.exit(show(settings, wish))
