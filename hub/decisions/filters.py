"""The filter grammar: what a person writes to choose tasks or nodes, as terms that a store can look for.

One grammar for the API, the command line and both dashboards, and this is its only parser. Terms stand behind each
other, and all of them must hold:

    filter  =  term *( spaces term )
    term    =  values                     ; a bare word: the id or the name contains it
            /  field op values
    field   =  name  /  "label." key  /  "requires." key
    op      =  "="  "!="  "~"  "!~"  ">"  ">="  "<"  "<="
    values  =  value *( "," value )       ; any of them; the negated operators: none of them
    value   =  characters other than spaces, commas and quotes  /  DQUOTE text DQUOTE

Inside of quotes a backslash stands before a quote or a backslash. ``docs/reference/filters.md`` has the fields and
examples. What is parsed is valid: a store never meets a field, an operator or a value that it cannot look for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from hub.decisions.filter_terms import BARE_VALUE, BARE_WORD, OPS, ORDER, Field, Fields, Kind, Op, Term
from hub.decisions.suggestions import did_you_mean
from protocol.limits import is_identifier

# Two hundred ids, and more terms than anybody writes by hand: what it takes to look for them stays bounded.
FILTER_CHARACTERS_MAX: Final = 8_000
TERMS_MAX: Final = 50

# Times and counts beyond these are slips: a million years, and more than any integer of the store.
NUMBER_MAX: Final = 1e15

# A wrong word is quoted up to this length.
_QUOTED_CHARACTERS_MAX: Final = 40

UNITS_S: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_OP: Final = re.compile(r"!=|!~|>=|<=|=|~|>|<")
_SPACES: Final = re.compile(r"\s+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)(ms|[smhdw])?", re.IGNORECASE)
_SPAN_WORDS: Final = "a number and a unit: 250ms, 90s, 15m, 2h, 1d or 4w"


class FilterError(ValueError):
    """A text is no filter. ``position`` counts its characters from 1; the message says what is wrong there, the remedy
    what would be right.
    """

    def __init__(self, position: int, message: str, remedy: str) -> None:
        super().__init__(position, message, remedy)
        self.position = position
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"character {self.position}: {self.message}; {self.remedy}"


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(text: str, fields: Fields) -> tuple[Term, ...]:
    """Read a filter; an empty one has no terms, and everything meets it.

    Raises:
        FilterError: it is none, or names a field or a value that there is not.
    """
    if len(text) > FILTER_CHARACTERS_MAX:
        message = f"the filter has {len(text)} characters"
        raise FilterError(FILTER_CHARACTERS_MAX + 1, message, f"at most {FILTER_CHARACTERS_MAX}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError(error.start + 1, "half of a surrogate pair stands here", "send text as UTF-8") from None
    return _Reader(text, fields).terms()


class _Said(NamedTuple):
    """A value as it is written, without its quotes, and where it begins."""

    at: int
    text: str


class _Reader:
    """Reads one text from its beginning to its end. ``_at`` is the place of the next character."""

    def __init__(self, text: str, fields: Fields) -> None:
        self._text = text
        self._fields = fields
        self._at = 0

    def terms(self) -> tuple[Term, ...]:
        found: list[Term] = []
        self._take(_SPACES)
        while self._at < len(self._text):
            if len(found) == TERMS_MAX:
                raise self._error(self._at, f"there are more than {TERMS_MAX} terms", "ask for less at once")
            found.append(self._term())
            if self._at < len(self._text) and not self._take(_SPACES):
                shown = self._text[self._at]
                raise self._error(self._at, f"{shown} follows a value", "put a space between two terms")
        return tuple(found)

    def _term(self) -> Term:
        start = self._at
        name = self._take(BARE_WORD)
        op = self._take(_OP)
        if not op:
            self._at = start
            return self._bare_word()
        if not name:
            raise self._error(start, f"{op} has no field before it", did_you_mean("", self._known()))
        field_name, field, key = self._field(name, start)
        if op not in OPS[field.kind]:
            message = f"{name} is {field.kind.value} and takes no {op}"
            raise self._error(start + len(name), message, f"one of {' '.join(OPS[field.kind])}")
        said = self._said(BARE_VALUE, f"{name}{op}")
        if op in ORDER and len(said) > 1:
            raise self._error(said[1].at, f"{name}{op} has {len(said)} values", f"{op} compares with one value")
        return Term(field=field_name, key=key, op=_op(op), values=self._values(name, field, said))

    def _bare_word(self) -> Term:
        start = self._at
        shown = self._text[start]
        if shown in "!,":
            raise self._error(start, f"{shown} stands where a term begins", "write field=value, or a word")
        return Term(field="", op="~", values=tuple(one.text for one in self._said(BARE_WORD, "the word")))

    def _field(self, name: str, start: int) -> tuple[str, Field, str]:
        first, dot, key = name.partition(".")
        field = self._fields.get(first)
        shown = name[:_QUOTED_CHARACTERS_MAX]
        if field is None:
            raise self._error(
                start, f"there is no field {shown}", did_you_mean(f"{first}.KEY" if dot else first, self._known())
            )
        if not field.has_key and dot:
            raise self._error(start + len(first), f"{first} has no parts", f"write {first} alone")
        if field.has_key and not is_identifier(key):
            message = f"{shown} names no {first}" if key else f"{first} has no key"
            raise self._error(start, message, f"write {first}.KEY, such as {first}.site=berlin")
        return field.alias_of or first, field, key

    def _known(self) -> list[str]:
        return [f"{name}.KEY" if field.has_key else name for name, field in self._fields.items()]

    def _said(self, bare: re.Pattern[str], before: str) -> list[_Said]:
        """Read values up to the end of the term."""
        found = [self._one_said(bare, before)]
        while self._at < len(self._text) and self._text[self._at] == ",":
            self._at += 1
            found.append(self._one_said(bare, before))
        return found

    def _one_said(self, bare: re.Pattern[str], before: str) -> _Said:
        start = self._at
        if self._text[start : start + 1] == '"':
            quoted = _QUOTED.match(self._text, start)
            if quoted is None:
                remedy = 'end it with "; inside of quotes write \\" for a quote and \\\\ for a backslash'
                raise self._error(start, "the text that begins here does not end", remedy)
            self._at = quoted.end()
            return _Said(start, _ESCAPED.sub(r"\1", quoted[1]))
        text = self._take(bare)
        if not text:
            raise self._error(start, f"{before} has no value here", 'write one, or "" for an empty text')
        return _Said(start, text)

    def _values(self, name: str, field: Field, said: list[_Said]) -> tuple[str, ...] | tuple[float, ...]:
        match field.kind:
            case Kind.TEXT:
                return tuple(one.text for one in said)
            case Kind.WORD:
                return tuple(self._word(name, field, one) for one in said)
            case Kind.NUMBER:
                return tuple(self._number(name, one, _as_number(one.text), "a number") for one in said)
            case Kind.SPAN:
                return tuple(self._number(name, one, _as_span(one.text, field.unit), _SPAN_WORDS) for one in said)

    def _word(self, name: str, field: Field, said: _Said) -> str:
        if said.text not in field.words:
            raise self._error(said.at, f"{name} is never {_shown(said.text)}", did_you_mean(said.text, field.words))
        return said.text

    def _number(self, name: str, said: _Said, number: float | None, words: str) -> float:
        if number is None or not math.isfinite(number) or abs(number) > NUMBER_MAX:
            raise self._error(said.at, f"{name} is compared with {_shown(said.text)}", f"write {words}")
        return number

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _error(self, at: int, message: str, remedy: str) -> FilterError:
        return FilterError(at + 1, message, remedy)


def _op(text: str) -> Op:
    for op in OPS[Kind.TEXT] + OPS[Kind.NUMBER]:
        if op == text:
            return op
    raise AssertionError(f"{text} was read as an operator and is none")


def _as_number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _as_span(text: str, unit: str) -> float | None:
    found = _SPAN.fullmatch(text)
    return None if found is None else float(found[1]) * UNITS_S[(found[2] or unit).lower()]


def _shown(text: str) -> str:
    return repr(text[:_QUOTED_CHARACTERS_MAX])
