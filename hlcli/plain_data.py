"""Frozen dataclasses from plain data (TOML, JSON), with every key and type checked."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
_MOST_EXACT = 2**53  # larger whole numbers have no exact float
_MOST_DIGITS = 18
_MOST_SHOWN = 100


class FieldError(ValueError):
    """A field has an unknown name or a value of the wrong kind.

    Args:
        message: What is wrong, naming the field by its dotted path.
        hint: What would be right; empty when there is nothing to add.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_json(text: str) -> Any:
    """Parse JSON; no value that JSON does not have, and no key twice in one object.

    Raises:
        ValueError: Not JSON of that kind.
    """

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a number that can be used")

    def whole(digits: str) -> int:
        # Early releases of Python 3.10 take minutes for a number of a million digits.
        return int(digits) if len(digits) <= _MOST_DIGITS else refuse(f"{digits:.20}...")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return table

    try:
        return json.loads(text, parse_constant=refuse, parse_int=whole, object_pairs_hook=unique)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def fill(cls: type[T], values: object, *, where: str = "", noun: str = "setting") -> T:
    """Build the dataclass `cls` from plain data; fields left out keep their defaults.

    Args:
        cls: A dataclass whose fields are texts, numbers, truth values, `Literal`s, such
            dataclasses, tuples of one of these, and mappings from texts to one of these.
        values: Plain data as TOML or JSON gives it.
        where: Dotted path of `values`, for error messages.
        noun: What messages call a field: "setting", or "key", which stands in backquotes.

    Raises:
        FieldError: Unknown key (message or hint names the nearest known one), missing key, or bad
            value.
    """
    if not isinstance(values, Mapping):
        raise FieldError(f"{_named(where, noun)} is a table, got {_shown(values)}")
    hints = typing.get_type_hints(cls)
    fields = [field for field in dataclasses.fields(typing.cast(Any, cls)) if field.init]
    known = [field.name for field in fields]
    for key in values:
        place = _shown(_join(where, key))[1:-1]
        if key not in known and noun == "key":
            raise FieldError(f"unknown key `{place}`{did_you_mean(key, known)}")
        if key not in known:
            raise FieldError(f"unknown {noun} {place}", suggest(key, known))
    for field in fields:
        is_needed = field.default is field.default_factory is dataclasses.MISSING
        if is_needed and field.name not in values:
            place = _named(_join(where, field.name), noun)
            raise FieldError(f"{noun} {place} is missing")
    filled = {
        key: _convert(hints[key], value, _join(where, key), noun) for key, value in values.items()
    }
    try:
        return cls(**filled)
    except FieldError:
        raise
    except ValueError as error:
        named = f"{where}: " if where and noun != "key" else ""
        raise FieldError(f"{named}{error}") from error


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names what `word` was probably meant to be, or all there is."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"


def did_you_mean(key: str, known: Iterable[str]) -> str:
    """Return ", did you mean ...?" when a known key looks like `key`, else nothing."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return f", did you mean `{near[0]}`?" if near else ""


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _named(place: str, noun: str) -> str:
    return f"`{place}`" if noun == "key" else place


def _shown(value: object) -> str:
    """Return a value for an error message, which is one line whatever the value is."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _convert(kind: Any, value: Any, place: str, noun: str) -> Any:
    """Return a value as a field of a kind has it."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    name = _named(place, noun)
    if dataclasses.is_dataclass(kind):
        return fill(typing.cast(Any, kind), value, where=place, noun=noun)
    if origin is typing.Literal:
        if value not in inner:
            names = [str(choice) for choice in inner]
            raise FieldError(f"{name} cannot be {_shown(value)}", f"one of: {', '.join(names)}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        kinds = [choice for choice in inner if choice is not type(None)]
        # One of several plain types, such as the values of settings.
        if len(kinds) > 1 and type(value) in kinds:
            return value
        return _convert(kinds[0], value, place, noun)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise FieldError(f"{name} is a list, got {_shown(value)}")
        return tuple(
            _convert(inner[0], item, f"{place}[{i}]", noun) for i, item in enumerate(value)
        )
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise FieldError(f"{name} is a table, got {_shown(value)}")
        return {
            str(key): _convert(inner[1], item, _join(place, key), noun)
            for key, item in value.items()
        }
    if isinstance(value, int) and abs(value) > _MOST_EXACT:
        raise FieldError(f"{name} is a number of {len(hex(value)) - 2} hexadecimal digits")
    if kind is float and type(value) in (int, float):
        if not math.isfinite(value):
            raise FieldError(f"{name} must be finite, got {_shown(value)}")
        return float(value)
    if type(value) is kind:
        return value
    if noun == "key":
        raise FieldError(f"{name} cannot be {_shown(value)}")
    raise FieldError(f"{name} is a {kind.__name__}, got {_shown(value)}")
