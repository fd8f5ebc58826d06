"""Writes tables of plain values as TOML; Python reads TOML but does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = str | bool | int | float

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Value], tables: Mapping[str, Mapping[str, Value]]) -> str:
    """Return TOML with `values` at the top, then one `[table]` for each non-empty one.

    Args:
        values: Top-level keys in the order to write them; finite floats only.
        tables: Tables of plain values.

    Example:
        >>> print(toml_text({"name": "a"}, {"scores": {"mean ap": 0.5}}), end="")
        name = "a"
        <BLANKLINE>
        [scores]
        "mean ap" = 0.5
    """
    lines = [_line(key, value) for key, value in values.items()]
    for title, table in tables.items():
        if table:
            lines += ["", f"[{_key(title)}]", *(_line(*item) for item in table.items())]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Value) -> str:
    return f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _value(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    # repr of a finite float is a TOML float: it always has a point or an exponent. The conversion
    # is for subclasses such as numpy's, whose repr is another.
    return repr(float(value)) if isinstance(value, float) else repr(int(value))


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; JSON leaves DEL as it is, TOML does not allow it.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
