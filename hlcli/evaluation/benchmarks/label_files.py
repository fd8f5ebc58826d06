"""Reads label files that somebody else made, and says which file and line is not what it should be.

Every error is a `UsageError`: the folder of `--data` is the user's to put right.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError


def damaged(where: Path | str, what: str, *, hint: str) -> UsageError:
    """Return the error for a label file that is there but wrong."""
    return UsageError(f"{where}: {what}", hint=hint)


def read_json(path: Path, *, hint: str) -> Any:
    """Return the value of a JSON file.

    Raises:
        UsageError: The file is missing, cut off, or not JSON.
    """
    return _parse(_read_text(path, hint), where=path, hint=hint)


def read_json_lines(path: Path, *, hint: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield "file, line N" and the object of each line; empty lines are passed over.

    Raises:
        UsageError: The file is missing, or a line is not a JSON object.
    """
    for number, line in enumerate(_read_text(path, hint).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        value = _parse(line, where=where, hint=hint)
        if not isinstance(value, dict):
            raise damaged(where, "expected an object", hint=hint)
        yield where, value


def read_arrays(
    path: Path, names: tuple[str, ...], *, optional: tuple[str, ...] = (), hint: str
) -> dict[str, npt.NDArray[Any]]:
    """Return the named arrays of an `.npz` file, and the optional ones that it has.

    Raises:
        UsageError: The file is missing, damaged, holds Python objects, or lacks an array.
    """
    try:
        # Opened here, because numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in names if name not in arrays.files]
            if missing:
                raise damaged(path, f"there is no array {missing[0]!r}", hint=hint)
            wanted = (*names, *(name for name in optional if name in arrays.files))
            return {name: arrays[name] for name in wanted}
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint=hint) from error
    # AttributeError: numpy returns a bare array, not an archive, for an .npy file.
    except (OSError, EOFError, ValueError, AttributeError, TypeError) as error:
        raise damaged(path, f"not a readable .npz file ({error})", hint=hint) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise damaged(path, f"not a readable .npz file ({error})", hint=hint) from error


def number(value: Any, *, what: str, where: Path | str, hint: str) -> float:
    """Return a finite number.

    Raises:
        UsageError: It is something else; JSON files of Python programs may hold NaN.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise damaged(where, f"{what} is not a finite number: {value!r:.40}", hint=hint)
    return float(value)


def table(
    value: Any, *, columns: int, what: str, where: Path | str, hint: str
) -> npt.NDArray[np.float64]:
    """Return a list of rows with `columns` finite numbers each as an array, at least one row.

    Raises:
        UsageError: It has another shape, or a number is not finite.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise damaged(where, f"{what} has rows of different lengths", hint=hint) from error
    if array.ndim != 2 or 0 in array.shape or array.shape[1] != columns:
        raise damaged(where, f"{what} is not a table of {columns} columns", hint=hint)
    # Words, nulls and numbers beyond 64 bits make arrays of other kinds.
    if array.dtype.kind not in "iuf":
        raise damaged(where, f"{what} holds something that is not a number", hint=hint)
    if not np.isfinite(array).all():
        raise damaged(where, f"{what} has a number that is not finite", hint=hint)
    return array.astype(np.float64)


def _read_text(path: Path, hint: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise damaged(path, f"cannot be read ({error})", hint=hint) from error


def _parse(text: str, *, where: Path | str, hint: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if "\n" not in text else f"line {error.lineno}"
        raise damaged(where, f"not JSON at {place} ({error.msg})", hint=hint) from error
    except (RecursionError, ValueError) as error:
        raise damaged(
            where, "not JSON (nested too deeply, or a number too long)", hint=hint
        ) from error
