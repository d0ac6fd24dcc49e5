"""The file of rules: what it may say, and one sentence about what it may not."""

from __future__ import annotations

import re
import time
from datetime import time as clock
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.alerts.channels import AppriseChannel, CommandChannel, WebhookChannel
from hub.alerts.messages import signature
from hub.alerts.reading import ENTRIES_MAX, read_settings, settings_of
from hub.alerts.rules import KINDS, NodeFlapping, NodeUnreachable, default_rules
from hub.errors import SettingsError


def test_without_a_file_each_kind_has_a_rule_of_its_name() -> None:
    settings = settings_of("")
    assert settings.rules == default_rules()
    assert [rule.name for rule in settings.rules] == list(KINDS)
    assert all(type(rule) is KINDS[rule.kind] for rule in settings.rules)
    assert settings.channels == ()


def test_a_rule_that_is_named_like_a_kind_changes_the_built_in_one() -> None:
    settings = settings_of("[rule.node_unreachable]\nfor_s = 5\nseverity = 'critical'")
    (rule,) = [rule for rule in settings.rules if rule.kind == "node_unreachable"]
    assert isinstance(rule, NodeUnreachable)
    assert (rule.for_s, rule.severity) == (5.0, "critical")
    assert len(settings.rules) == len(KINDS)


def test_more_rules_of_a_kind_have_names_of_their_own() -> None:
    settings = settings_of("[rule.edge]\nkind = 'node_flapping'\ntimes = 2\nfilter = 'label.site=edge'")
    (rule,) = [rule for rule in settings.rules if rule.name == "edge"]
    assert isinstance(rule, NodeFlapping)
    assert (rule.times, rule.window_s, rule.filter) == (2, 600.0, "label.site=edge")
    assert len(settings.rules) == len(KINDS) + 1


def test_rules_can_be_turned_off_one_by_one_or_all_that_are_built_in() -> None:
    names = {rule.name for rule in settings_of("[rule.version_skew]\nenabled = false").rules}
    assert names == set(KINDS) - {"version_skew"}
    settings = settings_of("[alerts]\nuse_defaults = false\nevery_s = 1\n[rule.disk_low]\n")
    assert [rule.name for rule in settings.rules] == ["disk_low"]
    assert settings.every_s == 1.0


def test_channels_and_quiet_times_become_values() -> None:
    settings = settings_of("""
        [channel.hook]
        kind = "webhook"
        url = "https://example.com/hook"
        secret_file = "/etc/secret"
        severity = "critical"
        quiet = ["night"]
        headers = { X-Team = "ops" }
        [channel.script]
        kind = "command"
        argv = ["/usr/local/bin/tell", "--loud"]
        [channel.mail]
        kind = "apprise"
        urls = ["mailto://user:pass@example.com"]
        [quiet.night]
        from = "22:30"
        to = "06:00"
        days = ["mon", "sun"]
        zone = "Europe/Berlin"
    """)
    hook, script, mail = settings.channels
    assert isinstance(hook, WebhookChannel)
    assert isinstance(script, CommandChannel)
    assert isinstance(mail, AppriseChannel)
    assert (hook.kind, script.kind, mail.kind) == ("webhook", "command", "apprise")
    assert (hook.severity, hook.quiet, hook.headers) == ("critical", ("night",), {"X-Team": "ops"})
    (night,) = settings.quiet_times
    assert hook.secret_file == Path("/etc/secret")
    assert (night.begins, night.ends, night.days) == (clock(22, 30), clock(6), frozenset({"mon", "sun"}))
    assert night.zone.key == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("[rule.x", "this is no TOML", "toml.io"),
        ("[rul.x]", "the section [rul] is unknown", "did you mean rule?"),
        ("rule = 3", "rule is 3", "[rule]"),
        ("[rule]\nx = 3", "[rule] x is 3", "[rule.NAME]"),
        ("[rule.'a b']\nkind = 'disk_low'", "[rule.a b] has a name that cannot be", "characters"),
        ("[rule.x]", "[rule.x] has no kind, and 'x' is none", "one of certificate_expires"),
        ("[rule.x]\nkind = 'disk_lo'", "[rule.x] kind is 'disk_lo'", "did you mean disk_low?"),
        ("[rule.disk_low]\nkind = 'queue_age'", "[rule.disk_low] kind is 'queue_age'", "name it anew"),
        ("[rule.disk_low]\nenabled = 1", "[rule.disk_low] enabled is 1", "true or false"),
        ("[rule.disk_low]\nfor = 1", "[rule.disk_low] for is unknown", "did you mean for_s?"),
        ("[rule.disk_low]\nname = 'x'", "[rule.disk_low] name is unknown", "one of"),
        ("[rule.disk_low]\nfor_s = '1m'", "[rule.disk_low] for_s is '1m'", "expected `float`"),
        ("[rule.disk_low]\nfree_share = 2", "[rule.disk_low] free_share is 2", "<= 1"),
        ("[rule.disk_low]\nseverity = 'page'", "[rule.disk_low] severity is 'page'", "enum"),
        ("[rule.disk_low]\nchannels = ['ops']", "[rule.disk_low] channels names 'ops'", "[channel.ops]"),
        ("[rule.disk_low]\nquiet = ['night']", "[rule.disk_low] quiet names 'night'", "[quiet.night]"),
        ("[rule.clock_skew]\nfilter = 'sitt=1'", "[rule.clock_skew] filter, character 1: there is no field", "label"),
        ("[rule.queue_age]\nfilter = 'id=1'", "[rule.queue_age] filter, character 1: there is no field", "name"),
        ("[channel.x]", "[channel.x] has no kind", "one of webhook, command, apprise"),
        ("[channel.x]\nkind = 'mail'", "[channel.x] kind is 'mail'", "apprise"),
        ("[channel.x]\nkind = 'webhook'", "[channel.x] has no url", "docs/reference/alerts.md"),
        ("[channel.x]\nkind = 'webhook'\nurl = 'ftp://a'", "[channel.x] url is 'ftp://a'", "https?"),
        (
            "[channel.x]\nkind = 'webhook'\nurl = 'http://a'\nsecret = 'a'\nsecret_env = 'B'",
            "[channel.x] has several secrets",
            "one of",
        ),
        ("[channel.x]\nkind = 'webhook'\nurl = 'http://a'\nca = 3", "[channel.x] ca is 3", "expected a path"),
        ("[channel.x]\nkind = 'command'\nargv = []", "[channel.x] argv is []", "length >= 1"),
        ("[channel.x]\nkind = 'apprise'", "[channel.x] has no urls", "urls_env"),
        ("[channel.x]\nkind = 'command'\nargv = ['a']\nquiet = ['n']", "[channel.x] quiet names 'n'", "[quiet.n]"),
        ("[quiet.n]\nfrom = '22:00'", "[quiet.n] has no to", "docs"),
        ("[quiet.n]\nfrom = '22:00'\nto = '24:00'", "[quiet.n] to is '24:00'", "22:30"),
        ("[quiet.n]\nfrom = '22:00'\nto = '6:00'", "[quiet.n] to is '6:00'", "22:30"),
        ("[quiet.n]\nfrom = '22:00'\nto = '06:00'\ndays = ['monday']", "[quiet.n] days has 'monday'", "of mon"),
        ("[quiet.n]\nfrom = '22:00'\nto = '06:00'\nzone = 'Berlin'", "[quiet.n] zone is 'Berlin'", "Europe/Berlin"),
        ("[quiet.n]\nfrom = '22:00'\nto = '06:00'\nzone = '../x'", "[quiet.n] zone is '../x'", "Europe/Berlin"),
        ("[alerts]\nevery_s = 0", "[alerts] every_s is 0", ">= 0.1"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_what_would_be_right(text: str, message: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(text)
    assert message in refused.value.message
    assert remedy in refused.value.remedy


def test_more_entries_than_anybody_writes_are_refused() -> None:
    text = "".join(f"[rule.r{number}]\nkind = 'disk_low'\n" for number in range(ENTRIES_MAX + 1))
    with pytest.raises(SettingsError, match=f"at most {ENTRIES_MAX}"):
        settings_of(text)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    with pytest.raises(SettingsError, match=r"alerts\.toml cannot be read: No such file"):
        read_settings(path)
    path.write_text("[rul]")
    with pytest.raises(SettingsError, match=r"alerts\.toml: the section \[rul\] is unknown; did you mean rule\?"):
        read_settings(path)
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="it is not UTF-8"):
        read_settings(path)
    path.write_text("[alerts]\nevery_s = 3")
    assert read_settings(path).every_s == 3.0


# --- the reference ---------------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = (DOCS / "reference" / "alerts.md").read_text()
HOW_TO = (DOCS / "how-to" / "be-told-when-something-is-wrong.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_examples_of_the_docs_are_valid() -> None:
    (example,) = blocks(REFERENCE, "toml")
    settings = settings_of(example)
    assert {channel.kind for channel in settings.channels} == {"webhook", "command", "apprise"}
    for block in blocks(HOW_TO, "toml"):
        settings_of(block)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_has_each_kind_with_all_its_defaults(kind: str) -> None:
    (line,) = [line for line in REFERENCE.splitlines() if line.startswith(f"| `{kind}` |")]
    rule = KINDS[kind](name=kind, kind=kind)
    assert line.endswith(f"| {rule.severity} |")
    fields = {field.name for field in msgspec.structs.fields(type(rule))}
    for name in fields - {"name", "kind", "severity", "channels", "quiet", "filter"}:
        value = getattr(rule, name)
        shown = f'"{value}"' if isinstance(value, str) else f"{value:.12g}"
        if name == "for_s" and value == 0:
            assert "`for_s`" not in line
        else:
            assert f"`{name}` {shown}" in line


def test_the_check_of_a_signature_in_the_reference_accepts_ours_and_nothing_else() -> None:
    (code,) = blocks(REFERENCE, "python")
    names: dict[str, Any] = {}
    exec(code, names)
    check = names["is_from_our_hub"]
    now = str(int(time.time()))
    headers = {"Moorline-Timestamp": now, "Moorline-Signature": signature(b"secret", now, b"{}")}
    assert check(b"secret", headers, b"{}")
    assert not check(b"other", headers, b"{}")
    assert not check(b"secret", headers, b"{ }")
    old = str(int(time.time()) - 301)
    replayed = {"Moorline-Timestamp": old, "Moorline-Signature": signature(b"secret", old, b"{}")}
    assert not check(b"secret", replayed, b"{}")
