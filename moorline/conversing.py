"""One conversation of a command with its hub. The client is imported when it begins, so that help answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ssl import SSLError
from typing import TYPE_CHECKING, Final, TypeVar

import click

from moorline.configuration import ClientSettings
from moorline.errors import MoorlineError
from moorline.failures import CommandError, ExitCode, explain
from moorline.presentation import say

if TYPE_CHECKING:
    from moorline.client import Client

# A hub that starts again is back in two seconds; a person who has mistyped its address should not wait much longer.
SUBMIT_WITHIN_S: Final = 5.0

# Most answers come in milliseconds; a hub that hangs, or a way to it that swallows, is given up after 30 s.
SAY_SO_AFTER_S: Final = 3.0

T = TypeVar("T")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
ids_option = click.option("--ids", is_flag=True, help="Print the ids alone, a line each: for xargs.")


def converse(settings: ClientSettings, talk: Callable[[Client], Awaitable[T]], *, is_long: bool = False) -> T:
    """Talk to the hub; whatever goes wrong ends the command with its words and its status.

    With ``is_long`` the talk lasts as long as a person wants it to; of any other that lasts it is said for what.
    """

    async def conversation() -> T:
        loop = asyncio.get_running_loop()
        note = None if is_long else loop.call_later(SAY_SO_AFTER_S, say, f"still waiting for {settings.url} …")
        try:
            async with _client(settings) as client:
                return await talk(client)
        finally:
            if note is not None:
                note.cancel()

    try:
        return asyncio.run(conversation())
    except MoorlineError as error:
        raise explain(error, settings.url) from error


def _client(settings: ClientSettings) -> Client:
    from moorline.client import Client  # noqa: PLC0415  # a quarter of a second, for aiohttp

    try:
        return Client(settings.url, settings.token, ca=settings.ca, submit_timeout_s=SUBMIT_WITHIN_S)
    except OSError as error:
        # OpenSSL's own words add nothing that a person could use.
        reason = "" if isinstance(error, SSLError) else f": {error.strerror or error}"
        message = f"--ca {settings.ca} holds no certificates{reason}"
        raise CommandError(message, remedy="Give a file in PEM format.", exit_code=ExitCode.USAGE) from error
