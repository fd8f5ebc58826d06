"""TOML in and out: Python's reader, whichever package it is in, and a writer of plain data."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
    from tomllib import TOMLDecodeError
else:
    import tomli as tomllib
    from tomli import TOMLDecodeError

__all__ = ["TOMLDecodeError", "dumps", "loads"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def loads(text: str) -> dict[str, Any]:
    """Return TOML as plain data.

    Raises:
        TOMLDecodeError: It is none; or a number has thousands of digits, or brackets are nested a
            thousand deep, for which Python's reader raises other errors.
    """
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except TOMLDecodeError:
        raise
    except RecursionError as error:
        raise TOMLDecodeError("brackets are nested too deep") from error
    except ValueError as error:
        raise TOMLDecodeError("a number has more digits than any") from error
    return values


def dumps(values: Mapping[str, Any]) -> str:
    """Return plain data as TOML: strings, booleans, finite numbers, lists of those, and tables.

    Example:
        >>> print(dumps({"name": "a", "scores": {"mean ap": 0.5}}), end="")
        name = "a"
        <BLANKLINE>
        [scores]
        "mean ap" = 0.5
    """
    return "\n".join(_table(values, "")) + "\n"


def _table(values: Mapping[str, Any], title: str) -> list[str]:
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines = [f"[{title}]"] if title else []
    lines += [f"{_key(k)} = {_value(v)}" for k, v in values.items() if k not in tables]
    for key, table in tables.items():
        lines += ["", *_table(table, f"{title}.{_key(key)}" if title else _key(key))]
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    # repr of a finite float is a TOML float: it always has a point or an exponent. The conversion
    # is for subclasses such as numpy's, whose repr is another.
    assert isinstance(value, (int, float)), value
    return repr(float(value)) if isinstance(value, float) else repr(int(value))


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; JSON leaves DEL as it is, TOML does not allow it.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
