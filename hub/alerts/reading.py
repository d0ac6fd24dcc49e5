"""The file of rules: from TOML to values that are valid, or one sentence about the first thing that is wrong.

``[alerts]`` holds what concerns all; ``[rule.NAME]``, ``[channel.NAME]`` and ``[quiet.NAME]`` one thing each. A rule
named like a kind changes that kind's built-in rule; ``enabled = false`` turns a rule off.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from hub.alerts.channels import CHANNEL_KINDS, AppriseChannel, Channel, WebhookChannel
from hub.alerts.quiet import DAYS, QuietTime
from hub.alerts.rules import KINDS, NameRule, NodeRule, Rule, default_rules
from hub.alerts.selecting import node_terms, task_terms
from hub.decisions.filters import FilterError
from hub.errors import SettingsError
from protocol.limits import is_identifier

T = TypeVar("T", bound=Struct)

_SECTIONS: Final = ("alerts", "rule", "channel", "quiet")
_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `([^`]*)`")
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")

# Rules, channels and quiet times of one file: each rule is looked at every few seconds.
ENTRIES_MAX: Final = 200


class AlertSettings(Struct, frozen=True, kw_only=True):
    """All that the file says. ``every_s``: how often the hub looks; what is costly to know, every fifth time."""

    every_s: float = 2.0
    rules: tuple[Rule, ...] = default_rules()
    channels: tuple[Channel, ...] = ()
    quiet_times: tuple[QuietTime, ...] = ()


class _Alerts(Struct, frozen=True, kw_only=True):
    every_s: Annotated[float, Meta(ge=0.1, le=60)] = 2.0
    use_defaults: bool = True


class _Quiet(Struct, frozen=True, kw_only=True):
    begins: str = msgspec.field(name="from")
    ends: str = msgspec.field(name="to")
    days: tuple[str, ...] = DAYS
    zone: str = "UTC"


def read_settings(path: Path) -> AlertSettings:
    """Read a file of rules.

    Raises:
        SettingsError: it cannot be read, is no TOML, or says something that cannot be.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        remedy = "give a file of alert rules, see docs/reference/alerts.md"
        raise SettingsError(f"{path} cannot be read: {reason}", remedy) from None
    try:
        return settings_of(text)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error.message}", error.remedy) from None


def settings_of(text: str) -> AlertSettings:
    """Give what a text of TOML says.

    Raises:
        SettingsError: it is no TOML, or says something that cannot be; the message names the place and the value.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"this is no TOML: {error}", "see https://toml.io") from None
    _check_keys("", document, _SECTIONS)
    common = _decoded("[alerts]", _table(document, "alerts"), _Alerts)
    quiet_times = tuple(_quiet_time(name, table) for name, table in _entries(document, "quiet"))
    channels = tuple(_channel(name, table) for name, table in _entries(document, "channel"))
    rules = {rule.name: rule for rule in default_rules()} if common.use_defaults else {}
    for name, table in _entries(document, "rule"):
        rule = _rule(name, table)
        if rule is None:
            rules.pop(name, None)
        else:
            rules[name] = rule
    settings = AlertSettings(
        every_s=common.every_s, rules=tuple(rules.values()), channels=channels, quiet_times=quiet_times
    )
    _check_names(settings)
    return settings


# --- one entry -------------------------------------------------------------------------------------------------------


def _rule(name: str, table: Mapping[str, Any]) -> Rule | None:
    where = f"[rule.{name}]"
    kind = table.get("kind", name)
    if not isinstance(kind, str) or kind not in KINDS:
        if "kind" not in table:
            raise SettingsError(f"{where} has no kind, and {name!r} is none", _nearest(name, KINDS))
        raise SettingsError(f"{where} kind is {kind!r}", _nearest(str(kind), KINDS))
    if name in KINDS and kind != name:
        raise SettingsError(f"{where} kind is {kind!r}", f"the rule of this name is of the kind {name}; name it anew")
    rest = {key: value for key, value in table.items() if key not in {"kind", "enabled"}}
    enabled = table.get("enabled", True)
    if not isinstance(enabled, bool):
        raise SettingsError(f"{where} enabled is {enabled!r}", "true or false")
    rule = _decoded(where, rest, KINDS[kind], {"name": name, "kind": kind}, extra_keys=("kind", "enabled"))
    _check_filter(where, rule)
    return rule if enabled else None


def _check_filter(where: str, rule: Rule) -> None:
    try:
        if isinstance(rule, NodeRule):
            node_terms(rule.filter)
        elif isinstance(rule, NameRule):
            task_terms(rule.filter)
    except FilterError as error:
        message = f"{where} filter, character {error.position}: {error.message}"
        raise SettingsError(message, error.remedy) from None


def _channel(name: str, table: Mapping[str, Any]) -> Channel:
    where = f"[channel.{name}]"
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in CHANNEL_KINDS:
        said = "has no kind" if kind is None else f"kind is {kind!r}"
        raise SettingsError(f"{where} {said}", f"one of {', '.join(CHANNEL_KINDS)}")
    rest = {key: value for key, value in table.items() if key != "kind"}
    channel = _decoded(where, rest, CHANNEL_KINDS[kind], {"name": name}, extra_keys=("kind",))
    if isinstance(channel, WebhookChannel):
        secrets = [channel.secret, channel.secret_file, channel.secret_env]
        if sum(secret is not None for secret in secrets) > 1:
            raise SettingsError(f"{where} has several secrets", "one of secret, secret_file, secret_env")
    if isinstance(channel, AppriseChannel) and not channel.urls and channel.urls_env is None:
        raise SettingsError(f"{where} has no urls", 'urls = ["mailto://…"], or urls_env')
    return channel


def _quiet_time(name: str, table: Mapping[str, Any]) -> QuietTime:
    where = f"[quiet.{name}]"
    said = _decoded(where, table, _Quiet)
    for day in said.days:
        if day not in DAYS:
            raise SettingsError(f"{where} days has {day!r}", f"of {', '.join(DAYS)}")
    try:
        zone = ZoneInfo(said.zone)
    except (KeyError, ValueError, OSError):
        # KeyError covers ZoneInfoNotFoundError; a path that leads elsewhere is a ValueError.
        raise SettingsError(f"{where} zone is {said.zone!r}", "a name such as Europe/Berlin or UTC") from None
    begins, ends = _clock(where, "from", said.begins), _clock(where, "to", said.ends)
    return QuietTime(name=name, begins=begins, ends=ends, days=frozenset(said.days), zone=zone)


def _clock(where: str, key: str, text: str) -> time:
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise SettingsError(f"{where} {key} is {text!r}", "a time of day such as 22:30")
    return time(int(found[1]), int(found[2]))


def _check_names(settings: AlertSettings) -> None:
    """Refuse a rule or channel that names what is not there."""
    channels = {channel.name for channel in settings.channels}
    quiet_times = {quiet.name for quiet in settings.quiet_times}
    for rule in settings.rules:
        _check_known(f"[rule.{rule.name}] channels", rule.channels or (), channels, "channel")
        _check_known(f"[rule.{rule.name}] quiet", rule.quiet, quiet_times, "quiet")
    for channel in settings.channels:
        _check_known(f"[channel.{channel.name}] quiet", channel.quiet, quiet_times, "quiet")


def _check_known(where: str, names: Collection[str], known: Collection[str], section: str) -> None:
    for name in names:
        if name not in known:
            raise SettingsError(f"{where} names {name!r}", f"there is no [{section}.{name}]; {_nearest(name, known)}")


# --- tables ----------------------------------------------------------------------------------------------------------


def _table(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    table = document.get(section, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{section} is {table!r}", f"a table: [{section}]")
    return table


def _entries(document: Mapping[str, Any], section: str) -> list[tuple[str, Mapping[str, Any]]]:
    table = _table(document, section)
    if len(table) > ENTRIES_MAX:
        raise SettingsError(f"there are {len(table)} of [{section}.NAME]", f"at most {ENTRIES_MAX}")
    for name, entry in table.items():
        if not isinstance(entry, dict):
            raise SettingsError(f"[{section}] {name} is {entry!r}", f"a table for each: [{section}.NAME]")
        if not is_identifier(name):
            raise SettingsError(f"[{section}.{name}] has a name that cannot be", "1-128 characters of A-Za-z0-9_.:@-")
    return list(table.items())


def _decoded(
    where: str,
    table: Mapping[str, Any],
    kind: type[T],
    given: Mapping[str, Any] | None = None,
    extra_keys: Collection[str] = (),
) -> T:
    """Make a value of a table; ``given`` are fields that the table may not name."""
    given = given or {}
    known = [field.encode_name for field in msgspec.structs.fields(kind) if field.name not in given]
    _check_keys(where, table, [*known, *extra_keys])
    try:
        return msgspec.convert({**table, **given}, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        said = str(error)
        found = _AT.search(said)
        if found is None:
            missing = _MISSING.search(said)
            message = f"{where} has no {missing[1]}" if missing else f"{where} {_lowered(said)}"
            raise SettingsError(message, "see docs/reference/alerts.md") from None
        path = found["path"]
        value = table.get(path, "wrong")
        raise SettingsError(f"{where} {path} is {value!r}", _lowered(said[: found.start()])) from None


def _path(kind: type, value: Any) -> Any:
    """Give what TOML has no word for."""
    if kind is not Path or not isinstance(value, str):
        raise ValueError("Expected a path")
    return Path(value)


def _lowered(words: str) -> str:
    return f"{words[:1].lower()}{words[1:]}"


def _check_keys(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            place = f"{where} {key}" if where else f"the section [{key}]"
            raise SettingsError(f"{place} is unknown", _nearest(key, known))


def _nearest(word: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(word, known, 1)
    if found:
        return f"did you mean {found[0]}?"
    return f"one of {', '.join(sorted(known))}" if known else "none is declared"
