"""From the times in a container to seconds from the first frame, and back."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of container time that counts, where others do not."""

    start_seconds: Fraction
    """Its first instant, in container time."""
    end_seconds: Fraction
    """Its last, in container time."""
    from_seconds: Fraction
    """Where it begins, in seconds from the first frame."""


@dataclass(frozen=True, slots=True)
class MediaClock:
    """Counts seconds from the first frame, leaving out what no packets stand behind."""

    start_seconds: Fraction
    """Container time of the first frame."""
    parts: tuple[Part, ...] = ()
    """In the order they are shown, where time stamps jump; empty where all of it counts."""

    def seconds(self, container_seconds: Fraction) -> Fraction | None:
        """Return the seconds from the first frame, None for what is left out."""
        if not self.parts:
            return container_seconds - self.start_seconds
        for part in self.parts:
            if part.start_seconds <= container_seconds <= part.end_seconds:
                return container_seconds - part.start_seconds + part.from_seconds
        return None

    def container(self, seconds: Fraction) -> Fraction:
        """Return the container time of an instant, given in seconds from the first frame."""
        if not self.parts:
            return seconds + self.start_seconds
        part = next((p for p in reversed(self.parts) if p.from_seconds <= seconds), self.parts[0])
        return seconds - part.from_seconds + part.start_seconds
