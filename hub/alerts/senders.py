"""What sends a message on a channel: once, within a time, saying what came of it. When to try again is not theirs."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
import ssl
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from hub.alerts.channels import AppriseChannel, Channel, CommandChannel, WebhookChannel
from hub.alerts.messages import in_words, signature
from hub.errors import SettingsError
from hub.store.alerts import OutboundMessage

# What the file is for: whoever follows an example does not have it yet.
FILE_REMEDY: Final = "put a secret into it that the receiver knows too, such as `openssl rand -hex 32` makes"

# Of what a receiver answers or a program prints this much is kept, for people.
SAID_BYTES_MAX: Final = 2_000

# How long the last words of a program that has ended may take. What it left running may keep its output open.
PRINTED_WITHIN_S: Final = 0.5

# How long a program may take to end once it is killed. What left its group and holds its input keeps asyncio waiting.
KILLED_WITHIN_S: Final = 0.5

# Answers that say that this very message can never be right; all others may be different the next time.
_REFUSALS: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class Sent(Struct, frozen=True, kw_only=True):
    """What came of one try. ``is_refused``: the receiver will not take this message, however often it is asked."""

    is_taken: bool
    detail: str
    is_refused: bool = False


class Sender(Protocol):
    """Sends messages of one channel."""

    async def send(self, message: OutboundMessage) -> Sent:
        """Try once; never raises but for a cancellation."""
        ...

    async def close(self) -> None:
        """Let go of what is held. Twice is harmless."""
        ...


def sender_for(channel: Channel, version: str) -> Sender:
    """Make what sends on a channel.

    Raises:
        SettingsError: what the channel names is not there: a secret, a certificate, a library, a URL that is one.
    """
    match channel:
        case WebhookChannel():
            return WebhookSender(channel, version)
        case CommandChannel():
            return CommandSender(channel)
        case AppriseChannel():
            return AppriseSender(channel)
        case _:
            raise AssertionError(f"no sender for {type(channel).__name__}")


# --- webhook ---------------------------------------------------------------------------------------------------------


class WebhookSender:
    """Posts JSON; taken is what is answered with 2xx. Follows no redirects: a signed message is for its address."""

    def __init__(self, channel: WebhookChannel, version: str) -> None:
        self._channel = channel
        self._secret = _secret_of(channel)
        try:
            # Here and not when it is sent: an error there would show an address that may be a secret itself.
            self._url = URL(channel.url)
        except ValueError:
            raise SettingsError(f"[channel.{channel.name}] url is none", "https://host/path") from None
        self._agent = f"moorline/{version}"
        self._ssl = _trust_of(channel)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, message: OutboundMessage) -> Sent:
        """Post it once."""
        channel = self._channel
        try:
            async with (
                asyncio.timeout(channel.timeout_s),
                self._opened().post(
                    self._url, data=message.body, headers=self._headers(message), allow_redirects=False
                ) as answer,
            ):
                said = await answer.content.read(SAID_BYTES_MAX)
        except TimeoutError:
            return Sent(is_taken=False, detail=f"no answer within {channel.timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Sent(is_taken=False, detail=_reason(error))
        detail = f"HTTP {answer.status} {_shown(said)}".rstrip()
        return Sent(is_taken=200 <= answer.status < 300, detail=detail, is_refused=answer.status in _REFUSALS)

    def _headers(self, message: OutboundMessage) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            **self._channel.headers,
            "Moorline-Message": message.id,
            "Moorline-Timestamp": timestamp,
        }
        if self._secret is not None:
            headers["Moorline-Signature"] = signature(self._secret, timestamp, message.body)
        return headers

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Messages are rare: a connection that is kept would be one that a proxy has forgotten.
            connector = aiohttp.TCPConnector(ssl=self._ssl, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _reason(error: Exception) -> str:
    """Say why there was no answer, without the address that some errors name: it may be a secret itself."""
    match error:
        case aiohttp.ClientResponseError():
            said = error.message
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            said = "the url cannot be used"
        case _:
            said = str(error)
    return _shown(said.encode("utf-8", "replace")) or type(error).__name__


def _secret_of(channel: WebhookChannel) -> bytes | None:
    where = f"[channel.{channel.name}]"
    if channel.secret is not None:
        return channel.secret.encode()
    if channel.secret_env is not None:
        return _variable(f"{where} secret_env", channel.secret_env).encode()
    if channel.secret_file is None:
        return None
    try:
        secret = channel.secret_file.read_bytes().strip()
    except OSError as error:
        message = f"{where} secret_file {channel.secret_file} cannot be read: {error.strerror}"
        raise SettingsError(message, FILE_REMEDY) from None
    if not secret:
        raise SettingsError(f"{where} secret_file {channel.secret_file} is empty", FILE_REMEDY)
    return secret


def _trust_of(channel: WebhookChannel) -> ssl.SSLContext | bool:
    if channel.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=channel.ca)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"[channel.{channel.name}] ca cannot be used: {reason}", "a file in PEM format") from None


def _variable(where: str, name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SettingsError(f"{where} names {name}", "a variable that is set where the hub is started")
    return value


# --- command ---------------------------------------------------------------------------------------------------------


class CommandSender:
    """Runs a program with the JSON on its standard input; taken is what ends with 0. Past its time limit it is killed,
    with all that it started.
    """

    def __init__(self, channel: CommandChannel) -> None:
        self._channel = channel

    async def send(self, message: OutboundMessage) -> Sent:
        """Run it once."""
        # A pipe of our own: one of asyncio's holds `wait` up for as long as anybody has its other end.
        reading, writing = os.pipe()
        output = os.fdopen(reading, "rb", 0)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._channel.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            output.close()
            return Sent(is_taken=False, detail=f"{self._channel.argv[0]} cannot be run: {error}")
        finally:
            os.close(writing)
        printed = _Printed()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: printed, output)
        try:
            async with asyncio.timeout(self._channel.timeout_s):
                await _write(process, message.body)
                status = await process.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PRINTED_WITHIN_S):
                    await printed.ended.wait()
        except TimeoutError:
            return Sent(is_taken=False, detail=f"not done within {self._channel.timeout_s:g} s, killed")
        finally:
            transport.close()
            await _end(process)
        return Sent(is_taken=status == 0, detail=f"exit status {status} {_shown(bytes(printed.kept))}".rstrip())

    async def close(self) -> None:
        """Nothing is held."""


class _Printed(asyncio.Protocol):
    """What a program prints: the beginning is kept, the rest is read and dropped, so that it is never held up."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.kept += data[: max(0, SAID_BYTES_MAX - len(self.kept))]

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ended.set()


async def _write(process: asyncio.subprocess.Process, body: bytes) -> None:
    """Give a program its input. It need not read it."""
    stdin = process.stdin
    if stdin is None:
        raise AssertionError("it was made as a pipe")
    with contextlib.suppress(ConnectionError):
        # One that has ended already has closed it, and uvloop takes offence at what is written then.
        if not stdin.is_closing():
            stdin.write(body + b"\n")
            await stdin.drain()
    # Not waited for: a wait that is cancelled leaves asyncio with an error that nobody can take.
    stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of a program, itself and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILLED_WITHIN_S):
            await process.wait()


# --- apprise ---------------------------------------------------------------------------------------------------------


# What is run to notify: the library keeps threads that Python waits for at its end, and services that drip never end.
_NOTIFY: Final = """
import json, os, sys, apprise
said = json.load(sys.stdin)
notifier = apprise.Apprise()
for url in said["urls"]:
    notifier.add(url)
os._exit(0 if notifier.notify(title=said["title"], body=said["text"]) else 3)
"""


class AppriseSender:
    """Hands a title and a text to the library apprise (the extra `notify`), in a process of its own: it blocks."""

    def __init__(self, channel: AppriseChannel) -> None:
        where = f"[channel.{channel.name}]"
        try:
            # The extra: a hub without this channel needs none.
            library: Any = importlib.import_module("apprise")
        except ImportError:
            raise SettingsError(f"{where} needs apprise", "pip install 'moorline[notify]'") from None
        self._urls = list(channel.urls)
        if channel.urls_env is not None:
            self._urls += _variable(f"{where} urls_env", channel.urls_env).split()
        notifier = library.Apprise()
        for number, url in enumerate(self._urls, 1):
            # The URL itself may hold a password: it is not shown.
            if not notifier.add(url):
                raise SettingsError(f"{where} url number {number} is none that apprise knows", "see its wiki")
        argv = (sys.executable, "-W", "ignore", "-c", _NOTIFY)
        self._program = CommandSender(CommandChannel(name=channel.name, argv=argv, timeout_s=channel.timeout_s))

    async def send(self, message: OutboundMessage) -> Sent:
        """Notify once; what is not done in time is ended."""
        title, text = in_words(message.body)
        said = msgspec.json.encode({"urls": self._urls, "title": title, "text": text})
        sent = await self._program.send(msgspec.structs.replace(message, body=said))
        if sent.is_taken:
            return Sent(is_taken=True, detail="told")
        # What the library prints may hold an address, and so a password.
        is_late = sent.detail.startswith("not done")
        return Sent(is_taken=False, detail=sent.detail if is_late else "apprise could not tell all")

    async def close(self) -> None:
        """Nothing is held."""


# --- all -------------------------------------------------------------------------------------------------------------


def senders_for(channels: Mapping[str, Channel], version: str) -> dict[str, Sender]:
    """Make what sends, for each channel. Raises SettingsError."""
    return {name: sender_for(channel, version) for name, channel in channels.items()}


def _shown(said: bytes) -> str:
    text = said.decode("utf-8", "replace")
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())[:200]
