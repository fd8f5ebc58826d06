"""Checked reading of JSON: every getter names the file and the field when it fails."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

from hlcli.errors import DocumentError

HINT = "make it anew with `hl score VIDEO -o FILE.json`"
"""What to do about a document that is of no use."""

_MOST_EXACT = 2**53  # larger whole numbers have no exact float


class Fields:
    """One JSON object under check."""

    def __init__(self, value: object, source: str, prefix: str = "") -> None:
        self._source = source
        self._prefix = prefix
        if not isinstance(value, dict):
            raise DocumentError(
                f"{source}: {prefix.rstrip('.') or 'the document'} must be an object", hint=HINT
            )
        self._value = value

    def wrong(self, name: str, problem: str) -> DocumentError:
        """Return the error that says what is wrong with a field."""
        return DocumentError(f"{self._source}: {self._prefix}{name} {problem}", hint=HINT)

    def get(self, name: str) -> Any:
        """Return a field of any kind; it must be there."""
        if name not in self._value:
            raise self.wrong(name, "is missing")
        return self._value[name]

    def has(self, name: str) -> bool:
        """Return whether a field that an earlier `hl` did not write is there."""
        return name in self._value

    def inside(self, name: str) -> Fields:
        """Return a field that is an object."""
        return Fields(self.get(name), self._source, f"{self._prefix}{name}.")

    def items(self, name: str) -> Iterator[Fields]:
        """Yield the items of a field that is a list of objects."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        for index, item in enumerate(value):
            yield Fields(item, self._source, f"{self._prefix}{name}[{index}].")

    def text(self, name: str, pattern: str | None = None) -> str:
        """Return a text, not empty, that matches the pattern as a whole."""
        value = self.get(name)
        if not isinstance(value, str) or (not value and pattern is None):
            raise self.wrong(name, f"must be text, is {value!r}")
        try:
            # Bytes of a file name that are no UTF-8 pass, half a character does not.
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise self.wrong(name, f"must be text, is {value!r}") from error
        if pattern is not None and not re.fullmatch(pattern, value, re.ASCII):
            raise self.wrong(name, f"has an unknown value {value!r}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts, none of them empty."""
        value = self.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.wrong(name, f"must be a list of texts, is {value!r}")
        return tuple(value)

    def flag(self, name: str, *, missing: bool | None = None) -> bool:
        """Return true or false; `missing` for a field that an earlier `hl` did not write."""
        if missing is not None and name not in self._value:
            return missing
        value = self.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, f"must be true or false, is {value!r}")
        return value

    def integer(self, name: str, least: int, most: int = _MOST_EXACT) -> int:
        """Return a whole number from `least` to `most`."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.wrong(name, f"must be a whole number from {least} up, is {value!r}")
        if value > most:
            raise self.wrong(name, "is too large a number")
        return value

    def number(
        self,
        name: str,
        least: float = -math.inf,
        most: float = math.inf,
        *,
        above: float = -math.inf,
    ) -> float:
        """Return a finite number in `[least, most]`, over `above`."""
        value = _finite(self.get(name))
        if value is None or not least <= value <= most or value <= above:
            raise self.wrong(name, f"is {self.get(name)!r}, outside its range")
        return value

    def numbers(
        self, name: str, least: float = -math.inf, most: float = math.inf
    ) -> tuple[float, ...]:
        """Return a list of finite numbers in `[least, most]`."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        row: list[float] = []
        for index, item in enumerate(value):
            number = _finite(item)
            if number is None or not least <= number <= most:
                raise self.wrong(f"{name}[{index}]", f"is {item!r}, outside its range")
            row.append(number)
        return tuple(row)

    def spans(self, name: str) -> tuple[tuple[float, float], ...]:
        """Return a list of pairs of seconds from 0 on, start and end, ascending and apart."""
        value = self.get(name)
        if not isinstance(value, list):
            raise self.wrong(name, "must be a list")
        spans: list[tuple[float, float]] = []
        for index, item in enumerate(value):
            pair = item if isinstance(item, list) and len(item) == 2 else [None, None]
            start, end = _finite(pair[0]), _finite(pair[1])
            if start is None or end is None or not 0 <= start <= end:
                raise self.wrong(f"{name}[{index}]", f"is {item!r}, not a start and an end")
            if spans and start < spans[-1][1]:
                raise self.wrong(f"{name}[{index}]", "begins before the one before it ends")
            spans.append((start, end))
        return tuple(spans)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    with contextlib.suppress(OverflowError):  # an integer of a thousand digits
        number = float(value)
        return number if math.isfinite(number) else None
    return None
