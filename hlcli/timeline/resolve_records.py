r"""Lines of fields that Lua reads with a few patterns: what `hl` and the Resolve plugin exchange.

The first line is `hl-resolve<TAB>1`, the last `end`, so that a file which is still being written is
never taken for a whole one. Between them each line is a record: its kind, then fields `name=value`,
separated by tabs. In a value, a backslash, a tab and the ends of lines are written `\\`, `\t`, `\n`
and `\r`. UTF-8, lines end with LF. Nothing in such a file is ever run as a program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

HEADER = "hl-resolve\t1"
"""First line; the number changes when an older reader could misunderstand what follows."""

_WORD = re.compile(r"[a-z][a-z_0-9]*", re.ASCII)
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_LETTERS = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Record:
    """One line.

    Raises:
        ValueError: A kind or a name is not a lower-case word.
    """

    kind: str
    """What it is about: "item", "mark", ..."""
    fields: dict[str, str] = field(default_factory=dict)
    """Values by their name; any text."""

    def __post_init__(self) -> None:
        for word in (self.kind, *self.fields):
            if not _WORD.fullmatch(word):
                raise ValueError(f"{word!r} is no lower-case word")


def record(kind: str, /, **fields: str | int) -> Record:
    """Return a record of texts and whole numbers."""
    return Record(kind, {name: str(value) for name, value in fields.items()})


def records_text(records: Iterable[Record]) -> str:
    r"""Return the file that holds the records.

    Example:
        >>> records_text([record("file", path="/a b.mp4")])
        'hl-resolve\t1\nfile\tpath=/a b.mp4\nend\n'
    """
    lines = [HEADER]
    for one in records:
        fields = [f"{name}={_escape(value)}" for name, value in one.fields.items()]
        lines.append("\t".join([one.kind, *fields]))
    return "\n".join([*lines, "end", ""])


def parse_records(text: str) -> list[Record]:
    """Read what `records_text` or the plugin wrote.

    Raises:
        ValueError: It is damaged, not finished, or of another version.
    """
    # Not splitlines(): a file name may hold U+2028, which is no end of a line here.
    lines = text.split("\n")
    if lines[0] != HEADER:
        raise ValueError(f"it begins with {lines[0][:40]!r}, not with {HEADER!r}")
    if lines[-2:] != ["end", ""]:
        raise ValueError("its end is missing")
    records = []
    for number, line in enumerate(lines[1:-2], start=2):
        kind, *parts = line.split("\t")
        fields: dict[str, str] = {}
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals or name in fields:
                raise ValueError(f"line {number}: {part[:40]!r} is no field, or is there twice")
            fields[name] = _unescape(value, number)
        records.append(Record(kind, fields))
    return records


def _escape(value: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in value)


def _unescape(value: str, line: int) -> str:
    def letter(match: re.Match[str]) -> str:
        try:
            return _LETTERS[match[1]]
        except KeyError:
            raise ValueError(f"line {line}: {match[0]!r} stands for nothing") from None

    return _ESCAPED.sub(letter, value)
