"""Channels as an operator names them: where alerts are told. What sends on them is `hub.alerts.senders`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

Severity: TypeAlias = Literal["warning", "critical"]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4096)]

# How long a receiver may take. A webhook or a script that takes longer is in trouble, and is tried again.
TimeLimit: TypeAlias = Annotated[float, Meta(gt=0, le=300)]


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to people. ``severity`` is the least that is told on it; ``quiet`` names quiet times."""

    name: str
    severity: Severity = "warning"
    quiet: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The word for its kind in the file."""
        return next(word for word, kind in CHANNEL_KINDS.items() if isinstance(self, kind))


class WebhookChannel(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An HTTP POST of JSON, signed if there is a secret. The secret comes from the file, from a file of its own, or
    from a variable of the environment. ``ca`` is a file of certificates to trust instead of the system's.
    """

    url: Annotated[str, Meta(pattern="^https?://[^/]+", max_length=4096)]
    secret: Text | None = None
    secret_file: Path | None = None
    secret_env: Text | None = None
    headers: dict[str, str] = {}
    ca: Path | None = None
    timeout_s: TimeLimit = 10.0


class CommandChannel(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program that is given the JSON on its standard input, and has taken it if it ends with 0."""

    argv: Annotated[tuple[Text, ...], Meta(min_length=1)]
    timeout_s: TimeLimit = 30.0


class AppriseChannel(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """E-mail, chat and others through the library apprise, one URL each; ``urls_env`` names a variable that holds more,
    separated by spaces.
    """

    urls: tuple[Text, ...] = ()
    urls_env: Text | None = None
    timeout_s: TimeLimit = 30.0


CHANNEL_KINDS: Final[dict[str, type[Channel]]] = {
    "webhook": WebhookChannel,
    "command": CommandChannel,
    "apprise": AppriseChannel,
}
