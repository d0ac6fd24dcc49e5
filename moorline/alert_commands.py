"""``moorline alert``: what is wrong, whom it is told, and for how long it is told to nobody."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from moorline.configuration import ClientSettings, client_options
from moorline.conversing import as_json_option, converse
from moorline.failures import CommandError, ExitCode
from moorline.parameters import SILENCE
from moorline.presentation import Styled, print_columns, print_document, print_table, say

if TYPE_CHECKING:
    from moorline.views import Alerts, ChannelTest


@click.group()
def alert() -> None:
    """List alerts, silence them for a time, try the channels.

    \b
      moorline alert list
      moorline alert silence node_unreachable --subject web-1 --for 2h
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines


@alert.command("list")
@click.option("--all", "with_resolved", is_flag=True, help="Also those that are over.")
@as_json_option
@client_options
def alert_list(settings: ClientSettings, *, with_resolved: bool, as_json: bool) -> None:
    """List what fires and what is about to, the silences, and channels that take nothing.

    \b
      moorline alert list --all
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    found = converse(settings, lambda client: client.alerts())
    if as_json:
        print_document(found)
    else:
        _show(found, with_resolved=with_resolved)


def _show(found: Alerts, *, with_resolved: bool) -> None:
    from moorline.rows import ALERT_COLUMNS, SILENCE_COLUMNS, alert_row, silence_row  # noqa: PLC0415  # quick help

    now_s = time.time()
    shown = [one for one in found.alerts if with_resolved or one.state != "resolved"]
    if shown:
        print_table(ALERT_COLUMNS, [alert_row(one, now_s) for one in shown])
    else:
        say("Nothing fires.")
    if found.silences:
        click.echo()
        print_table(SILENCE_COLUMNS, [silence_row(silence, now_s) for silence in found.silences])
    for channel in found.channels:
        if channel.failures:
            say(f"The channel {channel.name} takes nothing ({channel.waiting} messages wait): {channel.failure}")
    if not found.channels:
        say("Nobody is told: there are no channels. See docs/how-to/be-told-when-something-is-wrong.md.")


@alert.command("silence")
@click.argument("rule", required=False)
@click.option("--subject", metavar="TEXT", help="Only alerts about this: a node's id, a task's name, … Default: all.")
@click.option("--for", "for_s", type=SILENCE, required=True, metavar="TIME", help="How long: 30m, 2h, 1d.")
@click.option("--comment", default="", help="For people: why.")
@as_json_option
@client_options
def alert_silence(
    settings: ClientSettings, *, rule: str | None, subject: str | None, for_s: float, comment: str, as_json: bool
) -> None:
    """Tell nobody of alerts of RULE (default: of any) for a time. What still fires then is told then.

    \b
      moorline alert silence node_unreachable --subject web-1 --for 2h --comment 'new disk'
      moorline alert silence --for 30m
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    silence = converse(
        settings, lambda client: client.silence(for_s=for_s, rule=rule, subject=subject, comment=comment)
    )
    if as_json:
        print_document(silence)
    else:
        click.echo(silence.id)
        say(f"End it sooner with: moorline alert unsilence {silence.id}")


@alert.command("unsilence")
@click.argument("silence_id")
@as_json_option
@client_options
def alert_unsilence(settings: ClientSettings, *, silence_id: str, as_json: bool) -> None:
    """End a silence now.

    \b
      moorline alert unsilence silence-4be01d7a92c3
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    silence = converse(settings, lambda client: client.end_silence(silence_id))
    if as_json:
        print_document(silence)
    else:
        say(f"Silence {silence.id} has ended.")


@alert.command("test")
@as_json_option
@client_options
def alert_test(settings: ClientSettings, *, as_json: bool) -> None:
    """Send a test through each channel, and print what each one answers. The status is 1 if one did not take it.

    \b
      moorline alert test
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    tests = converse(settings, lambda client: client.test_alerts())
    if as_json:
        print_document({"channels": list(tests)})
    else:
        _show_tests(tests)
    if not all(test.ok for test in tests):
        raise click.exceptions.Exit(ExitCode.FAILED)
    if not tests:
        remedy = "Name one in the file of `moorline hub --alerts FILE`; see docs/reference/alerts.md."
        raise CommandError("this hub has no channels", remedy=remedy, exit_code=ExitCode.NOT_FOUND)


def _show_tests(tests: Sequence[ChannelTest]) -> None:
    width = max((len(test.channel) for test in tests), default=0)
    for test in tests:
        word = Styled("ok", "green") if test.ok else Styled("failed", "bold red")
        print_columns([(test.channel, width), (word, 6), (test.detail, 0)])
