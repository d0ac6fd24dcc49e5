"""How a task is to be run: one definition, checked where it is written. The hub checks again at its door."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from moorline.errors import DeclarationError

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}")
_DAY_S: Final = 24 * 3600.0


def check_identifier(what: str, text: object) -> None:
    """Raise DeclarationError unless ``text`` can name a task, a node or a label."""
    if not isinstance(text, str) or _IDENTIFIER.fullmatch(text) is None:
        raise DeclarationError(
            f"{what} is {text!r}; it must be 1-128 characters of A-Za-z0-9_.:@-, the first a letter or digit"
        )


def _check_number(what: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    # A bool is an int to Python, and a mistake here.
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not is_number or (whole and not isinstance(value, int)):
        raise DeclarationError(
            f"{what} is {value!r}; it must be {'an integer' if whole else 'a number'} from {low:.10g} to {high:.10g}"
        )


def _check_labels(what: str, labels: object) -> None:
    if not isinstance(labels, Mapping) or len(labels) > 64:
        raise DeclarationError(f"{what} is {labels!r}; it must be a mapping of at most 64 labels to texts")
    for label, value in labels.items():
        check_identifier(f"a label in {what}", label)
        if not isinstance(value, str) or len(value) > 256:
            raise DeclarationError(f"{what}[{label!r}] is {value!r}; it must be a text of at most 256 characters")


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """When a failed attempt is followed by another.

    The pause before the k-th further attempt is ``initial_s * factor**(k-1)``, at most ``maximum_s``, plus or minus the
    share ``jitter`` of itself. Attempts that the death of a node cost are not counted.

    Args:
        max_attempts: how many attempts may fail before the task has, 1 to 1,000.
        initial_s: the first pause, 0 to 7 days.
        factor: by how much each pause is longer than the one before, 1 to 100.
        maximum_s: the longest pause, 0 to 7 days.
        jitter: how much of each pause is left to chance, 0 to 1.

    Raises:
        DeclarationError: a value is out of its bounds.
    """

    max_attempts: int = 3
    initial_s: float = 1.0
    factor: float = 2.0
    maximum_s: float = 300.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        _check_number("retry.max_attempts", self.max_attempts, 1, 1000, whole=True)
        _check_number("retry.initial_s", self.initial_s, 0, 7 * _DAY_S)
        _check_number("retry.factor", self.factor, 1, 100)
        _check_number("retry.maximum_s", self.maximum_s, 0, 7 * _DAY_S)
        _check_number("retry.jitter", self.jitter, 0, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a task is to be run. Each is an option of `@task`, of `Task.options`, and of the HTTP API
    (`docs/reference/http-api.md`).

    Args:
        priority: -1,000 to 1,000; higher ones go first.
        requires: labels that the node must have, all equal; at most 64, with values of at most 256 characters.
        node: the id of the only node that may run it.
        delay_s: not before this long after the submit, 0 to 366 days.
        not_before: not before this time; a datetime with its time zone, or seconds since 1970.
        deadline: the task is `expired` if it has not started by this time; as ``not_before``.
        retry: when a failed attempt is followed by another; None: never.
        timeout_s: how long an attempt may run, up to 30 days; None: without end.
        lease_s: how long an attempt outlives the last word between its node and the hub, 1 s to 7 days; None: 300 s.
        on_lost: what to do when the node is gone: `retry`, or `fail` where nobody knows whether it had an effect.
        concurrency_key: at most ``concurrency_limit`` attempts with this key run at once; 1 to 256 characters.
        concurrency_limit: 1 to 1,000,000.
        idempotency_key: a second submit with this key gives the first task; 1 to 256 characters.
        labels: for people and filters; bounded as ``requires``.

    Raises:
        DeclarationError: a value that the hub would refuse.
    """

    priority: int = 0
    requires: Mapping[str, str] = field(default_factory=dict)
    node: str | None = None
    delay_s: float = 0.0
    not_before: datetime | float | None = None
    deadline: datetime | float | None = None
    retry: Retry | None = None
    timeout_s: float | None = None
    lease_s: float | None = None
    on_lost: Literal["retry", "fail"] = "retry"
    concurrency_key: str | None = None
    concurrency_limit: int = 1
    idempotency_key: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_number("priority", self.priority, -1000, 1000, whole=True)
        _check_labels("requires", self.requires)
        _check_labels("labels", self.labels)
        _check_number("delay_s", self.delay_s, 0, 366 * _DAY_S)
        _check_number("concurrency_limit", self.concurrency_limit, 1, 1_000_000, whole=True)
        if self.node is not None:
            check_identifier("node", self.node)
        if self.timeout_s is not None:
            _check_number("timeout_s", self.timeout_s, 1e-6, 30 * _DAY_S)
        if self.lease_s is not None:
            _check_number("lease_s", self.lease_s, 1, 7 * _DAY_S)
        if self.retry is not None and not isinstance(self.retry, Retry):
            raise DeclarationError(f"retry is {self.retry!r}; it must be a Retry, such as Retry(max_attempts=3)")
        if self.on_lost not in {"retry", "fail"}:
            raise DeclarationError(f"on_lost is {self.on_lost!r}; it must be 'retry' or 'fail'")
        for what in ("concurrency_key", "idempotency_key"):
            key = getattr(self, what)
            if key is not None and not (isinstance(key, str) and 1 <= len(key) <= 256):
                raise DeclarationError(f"{what} is {key!r}; it must be a text of 1-256 characters")
        for what in ("not_before", "deadline"):
            _check_time(what, getattr(self, what))

    def changed(self, **overrides: object) -> Options:
        """Give a copy with other values.

        Raises:
            DeclarationError: an option is unknown or its value is refused.
        """
        check_names(overrides)
        return replace(self, **overrides)  # type: ignore[arg-type]  # names and values are checked

    def wire(self) -> dict[str, Any]:
        """Give what differs from the hub's defaults, as the HTTP API takes it."""
        said: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value in (None, {}) or value == item.default:
                continue
            said[item.name] = _wire_value(value)
        return said


class OptionsGiven(TypedDict, total=False):
    """Some of the `Options`, as keyword arguments."""

    priority: int
    requires: Mapping[str, str]
    node: str | None
    delay_s: float
    not_before: datetime | float | None
    deadline: datetime | float | None
    retry: Retry | None
    timeout_s: float | None
    lease_s: float | None
    on_lost: Literal["retry", "fail"]
    concurrency_key: str | None
    concurrency_limit: int
    idempotency_key: str | None
    labels: Mapping[str, str]


OPTION_NAMES: Final = frozenset(item.name for item in fields(Options))


def check_names(options: Mapping[str, object]) -> None:
    """Raise DeclarationError for an option that does not exist."""
    unknown = sorted(set(options) - OPTION_NAMES)
    if unknown:
        near = difflib.get_close_matches(unknown[0], OPTION_NAMES, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise DeclarationError(f"unknown option {unknown[0]!r}{meant}; there are: {', '.join(sorted(OPTION_NAMES))}")


def _check_time(what: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise DeclarationError(f"{what} is {value!r}, without a time zone; use datetime.now(timezone.utc) + …")
        return
    _check_number(what, value, 0, 1e11)


def _wire_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, Retry):
        return {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    return value
