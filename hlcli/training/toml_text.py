"""TOML for recipes: files to plain data, plain data to text, and single settings changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hlcli.errors import RecipeError
from hlcli.model.fields import suggest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_toml(path: Path) -> dict[str, Any]:
    """Read the plain data of a recipe file.

    Raises:
        RecipeError: No such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"cannot read the recipe {path}: {error.strerror or error}",
            hint="recipes that work are in model_zoo/recipes",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"the recipe {path} is not TOML: {error}") from error


def write_toml(values: Mapping[str, Any]) -> str:
    """Write plain data as TOML: tables of strings, numbers, booleans and lists of those."""
    return "\n".join(_toml_lines(values, "")) + "\n"


def _toml_lines(values: Mapping[str, Any], where: str) -> list[str]:
    lines = [f"[{where}]"] if where else []
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    lines += [f"{k} = {_toml_value(v)}" for k, v in values.items() if k not in tables]
    for key, table in tables.items():
        lines += ["", *_toml_lines(table, f"{where}.{key}" if where else key)]
    return lines


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml_value, value))}]"
    assert isinstance(value, str), value
    # JSON strings are TOML basic strings, but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def override(values: dict[str, Any], change: str) -> None:
    """Change one setting in place.

    Args:
        values: All settings, tables as dicts.
        change: `key.path=value`; the value is TOML, or else a plain word.

    Raises:
        RecipeError: Not of that form, or a table that is not there.
    """
    path, equals, text = change.partition("=")
    if not equals or not path.strip():
        raise RecipeError(
            f"--set {change!r} is not KEY=VALUE", hint="for example --set training.steps=100"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = path.strip().split(".")
    table: Any = values
    for position, key in enumerate(parents):
        if not isinstance(table.get(key), dict):
            where = ".".join(parents[: position + 1])
            raise RecipeError(f"unknown setting {where}", hint=suggest(key, map(str, table)))
        table = table[key]
    if path.strip() == "kind" and value != values["kind"]:
        raise RecipeError("--set cannot change kind", hint="use the recipe of that kind")
    table[last] = value
