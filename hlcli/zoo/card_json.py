"""Builds the records of a model card from JSON, every key and type checked."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from hlcli.zoo.fields import did_you_mean

T = TypeVar("T")

_MAX_DIGITS = 18


def read_json(text: str) -> Any:
    """Parse JSON; no value that JSON does not have, and no key twice in one object.

    Raises:
        ValueError: Not JSON of that kind.
    """

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a number that can be used")

    def whole(digits: str) -> int:
        # Early releases of Python 3.10 take minutes for a number of a million digits.
        return int(digits) if len(digits) <= _MAX_DIGITS else refuse(f"{digits:.20}...")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key stands twice in one object")
        return table

    try:
        return json.loads(text, parse_constant=refuse, parse_int=whole, object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def from_plain(cls: type[T], plain: object, *, where: str) -> T:
    """Build the dataclass `cls`; keys left out keep their defaults.

    Args:
        cls: A dataclass of texts, numbers, truth values, `Literal`s, such dataclasses, tuples of
            one of these, and mappings from texts to plain values.
        plain: What JSON gave.
        where: What an error calls it.

    Raises:
        ValueError: Unknown or missing key, or a bad value; the message names it.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(f"`{where}` is an object, got {plain!r:.80}")
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(typing.cast(Any, cls))
    for key in plain:
        if key not in hints:
            raise ValueError(f"unknown key `{where}.{key}`{did_you_mean(key, hints)}")
    for item in fields:
        is_needed = item.default is item.default_factory is dataclasses.MISSING
        if is_needed and item.name not in plain:
            raise ValueError(f"key `{where}.{item.name}` is missing")
    return cls(**{key: _convert(hints[key], one, f"{where}.{key}") for key, one in plain.items()})


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return from_plain(typing.cast(Any, kind), value, where=where)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in inner:
            return None
        # One of several plain types, such as the values of settings.
        if type(value) in inner:
            return value
        return _convert(next(one for one in inner if one is not type(None)), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(inner[0], one, f"{where}[{i}]") for i, one in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _convert(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if origin is typing.Literal and value in inner:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    raise ValueError(f"`{where}` cannot be {value!r:.80}")
