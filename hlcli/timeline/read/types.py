"""What reading a timeline gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hlcli.errors import TimelineError, shortened
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.paths import readable

_MOST_LINES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTimeline:
    """A timeline read from a file."""

    edit: EditList
    """The cuts, in whole frames."""
    notes: tuple[str, ...] = ()
    """Everything the file says that the cuts do not, one sentence each, without a full stop."""


class MissingMediaError(TimelineError):
    """A file is not there, and the timeline does not say enough to go on without it.

    Args:
        message: See `HlError`.
        path: The file as the timeline writes it.
        hint: See `HlError`.
    """

    def __init__(self, message: str, *, path: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.path = path


class NoClipError(TimelineError):
    """Nothing of a timeline can be cut."""


class OutsideMediaError(TimelineError):
    """A timeline takes frames that its media does not have."""


_MOST_NAMES = 5


def listed(names: Iterable[str]) -> str:
    """Return the first names, each once and quoted, and how many more there are.

    Example:
        >>> listed(["a", "b", "a"])
        "'a', 'b'"
    """
    unique = list(dict.fromkeys(names))
    words = ", ".join(repr(readable(name)) for name in unique[:_MOST_NAMES])
    return words + (f" and {len(unique) - _MOST_NAMES} more" if len(unique) > _MOST_NAMES else "")


class Notes:
    """Collects sentences, each once, in the order they come."""

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._lines: dict[str, None] = dict.fromkeys(map(shortened, lines))

    def add(self, line: str) -> None:
        """Remember a sentence, without a full stop."""
        self._lines.setdefault(shortened(line))

    def lines(self) -> tuple[str, ...]:
        """Return the sentences; of very many the first."""
        lines = tuple(self._lines)
        if len(lines) <= _MOST_LINES:
            return lines
        return (*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES:,} more of this kind")
