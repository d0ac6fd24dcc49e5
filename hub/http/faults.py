"""What is wrong with a submitted task, in words: the field, the value that was wrong, and what would be right.

The decoder says where and what it expected; the value comes from the text, what would be right from the JSON Schema of
the field. So a new option has its error texts by being declared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
import orjson

from hub.decisions.suggestions import did_you_mean
from hub.http.errors import ApiError, InvalidOptionError, InvalidTaskError, MalformedJsonError, UnknownOptionError
from protocol.limits import IDENTIFIER_PATTERN, is_identifier

Schema: TypeAlias = Mapping[str, Any]

# A wrong value is quoted up to this length: enough to be recognised, too little to flood a terminal.
QUOTED_CHARACTERS_MAX: Final = 60

IDENTIFIER_WORDS: Final = "1-128 characters of A-Za-z0-9_.:@-, the first a letter or digit"
TIME_WORDS: Final = "seconds since 1970, or an RFC 3339 time with its zone, such as 2030-01-31T12:00:00Z"

_AT: Final = re.compile(r" - at (?P<key>`key` in )?`\$(?P<path>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]*)`")


class FaultFinder:
    """Says what is wrong with JSON texts of one type.

    Args:
        kind: the type that they should have been decoded to.
        what: what such a text is called.
        wrong: the error for all that is wrong outside of its options.
    """

    def __init__(self, kind: type[msgspec.Struct], what: str, wrong: type[ApiError] = InvalidTaskError) -> None:
        (schema,), self._components = msgspec.json.schema_components([kind], ref_template="{name}")
        self._schema: Schema = self._resolved(schema)
        self._what = what
        self._wrong_kind = wrong

    def fault(self, text: bytes, error: Exception, where: str = "") -> ApiError:
        """Give what to answer to ``text``, for which the decoder raised ``error``."""
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as malformed:
            return malformed_json(self._what, malformed, where)
        if not isinstance(error, msgspec.ValidationError):
            return malformed_json(self._what, error, where)
        said = str(error)
        found = _AT.search(said)
        path = [] if found is None else _steps(found["path"])
        said = said if found is None else said[: found.start()]
        if unknown := _UNKNOWN.search(said):
            return self._unknown(path, unknown["name"], where)
        if missing := _MISSING.search(said):
            return self._wrong([*path, missing["name"]], "is missing", where)
        if found is not None and found["key"]:
            return self._wrong_key(path, value, where)
        return self._wrong(path, f"is {quoted(_value_at(value, path))}", where)

    def words_for(self, *path: str) -> str:
        """Say what would be right at this path."""
        return self._words(self._schema_at(list(path)))

    def _wrong(self, path: list[str], problem: str, where: str) -> ApiError:
        kind = InvalidOptionError if path[:1] == ["options"] else self._wrong_kind
        name = ".".join(path) or self._what
        return kind(f"{name} {problem}", self._words(self._schema_at(path)), where=where)

    def _wrong_key(self, path: list[str], value: object, where: str) -> ApiError:
        members = _value_at(value, path)
        keys = members if isinstance(members, dict) else {}
        wrong = next((key for key in keys if not is_identifier(key)), "")
        kind = InvalidOptionError if path[:1] == ["options"] else self._wrong_kind
        return kind(f"{'.'.join(path)} has the name {quoted(wrong)}", IDENTIFIER_WORDS, where=where)

    def _unknown(self, path: list[str], name: str, where: str) -> ApiError:
        known = list(self._schema_at(path).get("properties", ()))
        full_name = ".".join([*path, name[:QUOTED_CHARACTERS_MAX]])
        if path[:1] == ["options"]:
            return UnknownOptionError(f"{full_name} is unknown", did_you_mean(name, known), where=where)
        if name in self._schema_at(["options"]).get("properties", ()):
            remedy = f"options stand in their own object: options.{name}"
            return UnknownOptionError(f"{full_name} is unknown", remedy, where=where)
        return self._wrong_kind(f"{full_name} is unknown", did_you_mean(name, known), where=where)

    # --- schemas ------------------------------------------------------------------------------------------------------

    def _resolved(self, schema: Schema) -> Schema:
        return self._components[schema["$ref"]] if "$ref" in schema else schema

    def _schema_at(self, path: list[str]) -> Schema:
        schema = self._schema
        for step in path:
            properties: Schema = schema.get("properties", {})
            schema = self._resolved(properties.get(step, {}))
        return schema

    def _words(self, schema: Schema) -> str:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            kinds = {choice.get("type") for choice in schema["anyOf"]}
            if kinds >= {"number", "string"}:
                return TIME_WORDS
            return " or ".join(self._words(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
        if "enum" in schema:
            return " or ".join(quoted(choice) for choice in schema["enum"])
        match schema.get("type"):
            case "integer":
                return f"an integer {_range(schema)}".rstrip()
            case "number":
                return f"a number {_range(schema)}".rstrip()
            case "string":
                return IDENTIFIER_WORDS if schema.get("pattern") == IDENTIFIER_PATTERN else _text_words(schema)
            case "object":
                return self._object_words(schema)
            case None:
                return "any JSON"
            case other:
                return str(other)

    def _object_words(self, schema: Schema) -> str:
        if "properties" in schema:
            return f"a JSON object with {', '.join(schema['properties'])}"
        longest = self._words(schema.get("additionalProperties", {}))
        return f"a JSON object of at most {schema.get('maxProperties')} names, each with {longest}"


def malformed_json(what: str, error: Exception, where: str = "") -> MalformedJsonError:
    """Say that a text is not JSON."""
    problem = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return MalformedJsonError(f"{what} is not JSON: {problem}", "JSON (RFC 8259) in UTF-8", where=where)


def _steps(path: str) -> list[str]:
    """Give the names in ``.options.retry.jitter``; what stands behind a bracket is shown as a whole."""
    return [step for step in path.partition("[")[0].split(".") if step]


def _value_at(value: object, path: list[str]) -> object:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def quoted(value: object) -> str:
    """Quote a wrong value as JSON, cut to what can be recognised."""
    text = orjson.dumps(value).decode()
    return text if len(text) <= QUOTED_CHARACTERS_MAX else f"{text[:QUOTED_CHARACTERS_MAX]}…"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    if above is not None:
        return f"above {above:g}" + (f", at most {high:.12g}" if high is not None else "")
    if low is not None and high is not None:
        return f"from {low:.12g} to {high:.12g}"
    if low is not None:
        return f"of at least {low:.12g}"
    return f"of at most {high:.12g}" if high is not None else ""


def _text_words(schema: Schema) -> str:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    return f"a text of {low}-{high} characters" if high is not None else "a text"
