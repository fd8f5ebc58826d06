"""What a check finds, and what it knows about the media."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import MediaError, shortened
from hlcli.media.probe import probe
from hlcli.timeline.check.rules import PROGRAMS, RULES, Severity
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import is_file, media_path, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place that breaks one rule."""

    rule: str
    """Id of the rule."""
    severity: Severity
    """"error": the program refuses or misplaces it. "warning": it may, or something is lost."""
    where: str
    """Track, clip and timecode, as far as there are any."""
    what: str
    """What is there, without a full stop."""
    hint: str
    """What to do about it."""


class Findings:
    """Collects problems for one program.

    Args:
        target: The program.
        look_at_media: Whether files are looked at.
        folder: Folder of the timeline; relative paths start there.
    """

    def __init__(self, target: str, *, look_at_media: bool, folder: Path) -> None:
        self.target = target
        self.program = PROGRAMS[target]
        self.problems: list[Violation] = []
        self._look_at_media = look_at_media
        self._folder = folder
        self._facts: dict[str, Source | None] = {}
        self._once: set[tuple[str, str]] = set()

    def add(self, rule: str, where: str, what: str, *, hint: str = "", once: str = "") -> None:
        """Remember a problem, if the rule is one of the program's.

        Args:
            rule: Id of the rule.
            where: Where it is.
            what: What is there.
            hint: What to do; the rule's own where nothing better is known.
            once: Names what is said only once, a file for example.
        """
        severity = RULES[rule].severity.get(self.target)
        if severity is None or (once and (rule, once) in self._once):
            return
        self._once.add((rule, once))
        self.problems.append(
            Violation(
                rule=rule,
                severity=severity,
                where=shortened(where),
                what=shortened(what),
                hint=hint or RULES[rule].hint,
            )
        )

    def media(self, path: str, where: str) -> Source | None:
        """Return what is known about a file that is there; says once when it is not."""
        if not self._look_at_media:
            return None
        if path not in self._facts:
            self._facts[path] = self._look(path, where)
        return self._facts[path]

    def _look(self, path: str, where: str) -> Source | None:
        here = Path(path) if media_path(path).is_absolute() else self._folder / path
        if not is_file(here):
            self.add("media-missing", where, f"there is no file {readable(path)}", once=path)
            return None
        try:
            info = probe(here)
        except MediaError:
            return None  # Sound, or a still: no rule of ours measures it.
        if info.is_variable_rate:
            self.add(
                "media-variable-rate", where, f"{here.name} has unevenly spaced frames", once=path
            )
        return Source.from_media(info)
