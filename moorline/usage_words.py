"""What is wrong with a word of the command line, or of the settings file, in words: click's name types of a program."""

from __future__ import annotations

import re
from typing import Final

import click

from moorline.parameters import parse_duration

_NO_NUMBER: Final = re.compile(r"'(?P<text>.*)' is not a valid (?:integer|float)(?: range)?\.", re.DOTALL)
_NOT_IN_RANGE: Final = re.compile(r"(?P<text>\S+) is not in the range .*\.")
_NO_BOOLEAN: Final = re.compile(r"'(?P<text>.*)' is not a valid boolean\..*", re.DOTALL)
_A_FILE: Final = re.compile(r"Directory '(?P<text>.*)' is a file\.", re.DOTALL)
_A_FOLDER: Final = re.compile(r"File '(?P<text>.*)' is a directory\.", re.DOTALL)


def plain(error: click.BadParameter) -> str:
    """Give the message of an error as a person would say it: what it is, and what would be right."""
    message, option = error.message, error.param
    if option is None:
        return message
    if found := _NO_NUMBER.fullmatch(message):
        seconds = _as_seconds(found["text"]) if (option.name or "").endswith("_s") else None
        if seconds is not None:
            return f"{found['text']!r} is no number; it counts seconds: {seconds:.12g}"
        return f"{found['text']!r} is no {_kind(option.type)}{_bounds(option.type, '; give one')}"
    if found := _NOT_IN_RANGE.fullmatch(message):
        return f"{found['text']} is out of bounds{_bounds(option.type, '; give a ' + _kind(option.type))}"
    if found := _NO_BOOLEAN.fullmatch(message):
        return f"{found['text']!r} is neither yes nor no"
    if found := _A_FILE.fullmatch(message):
        return f"{found['text']} is a file; give a folder"
    if found := _A_FOLDER.fullmatch(message):
        return f"{found['text']} is a folder; give a file"
    return message


def _as_seconds(text: str) -> float | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _kind(kind: click.ParamType[object]) -> str:
    return "whole number" if isinstance(kind, click.types.IntParamType) else "number"


def _bounds(kind: click.ParamType[object], before: str) -> str:
    """Give what a number may be, if it is bounded: ``; give one from 1 to 9``."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is None and high is None:
        return ""
    if high is None:
        return f"{before}, {low:.12g} or more"
    return f"{before} up to {high:.12g}" if low is None else f"{before} from {low:.12g} to {high:.12g}"
