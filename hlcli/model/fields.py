"""Settings as frozen dataclasses, filled from plain data (TOML, JSON) with every key checked."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_MOST_EXACT = 2**53  # larger whole numbers have no exact float
_MOST_SHOWN = 100


class FieldError(ValueError):
    """A setting has an unknown name or a value of the wrong kind.

    Args:
        message: What is wrong, naming the setting by its dotted path.
        hint: What would be right; empty when there is nothing to add.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def fill(cls: type[T], values: Mapping[str, Any], *, where: str = "") -> T:
    """Build the dataclass `cls` from plain data; settings left out keep their defaults.

    Args:
        cls: A dataclass whose fields are bool, int, float, str, `Literal`, `tuple[str, ...]`,
            `dict[str, float]` or such dataclasses.
        values: Plain data as TOML or JSON gives it.
        where: Dotted path of `values`, for error messages.

    Raises:
        FieldError: Unknown key (the hint names the nearest known one), missing key, or bad value.
    """
    hints = typing.get_type_hints(cls)
    known = [field.name for field in dataclasses.fields(typing.cast(Any, cls)) if field.init]
    filled: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise FieldError(
                f"unknown setting {_shown(_join(where, key))[1:-1]}", suggest(key, known)
            )
        filled[key] = _convert(hints[key], value, _join(where, key))
    try:
        return cls(**filled)
    except TypeError as error:
        raise FieldError(f"a setting of {where or cls.__name__} is missing: {error}") from error
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError(f"{where + ': ' if where else ''}{error}") from error


def suggest(word: str, known: typing.Iterable[str]) -> str:
    """Return a hint that names what `word` was probably meant to be, or all there is."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _shown(value: object) -> str:
    """Return a value for an error message, which is one line whatever the value is."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise FieldError(f"{where} is a table, got {_shown(value)}")
        return fill(typing.cast(Any, kind), value, where=where)
    if origin is typing.Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            names = [str(choice) for choice in choices]
            raise FieldError(f"{where} cannot be {_shown(value)}", f"one of: {', '.join(names)}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
        return _convert(inner[0], value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise FieldError(f"{where} is a list, got {_shown(value)}")
        return tuple(_convert(str, item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise FieldError(f"{where} is a table, got {_shown(value)}")
        return {str(key): _convert(float, item, _join(where, key)) for key, item in value.items()}
    if isinstance(value, int) and abs(value) > _MOST_EXACT:
        raise FieldError(f"{where} is a number of {len(hex(value)) - 2} hexadecimal digits")
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise FieldError(f"{where} must be finite, got {_shown(value)}")
        return float(value)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise FieldError(f"{where} is a {kind.__name__}, got {_shown(value)}")
