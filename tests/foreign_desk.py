"""Two numbered videos, a timeline of another program that cuts them, and the film it makes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from media_factory import Sound
from numbered_footage import (
    Footage,
    make_footage,
    read_numbers,
    read_sound,
    samples,
    sound_lag,
)

from hlcli.rendering.film import render
from hlcli.timeline.read import read_timeline

RATE = Fraction(25)
A = Footage(name="A.mov")
"""A hundred frames numbered from 0."""
B = Footage(name="B.mov", first_number=1000)
"""A hundred frames numbered from 1000."""


def a(first: int, last: int) -> list[int]:
    """Return what the frames of A read, both ends counted."""
    return list(range(first, last + 1))


def b(first: int, last: int) -> list[int]:
    """Return what the frames of B read, both ends counted."""
    return [B.first_number + number for number in a(first, last)]


def black(count: int) -> list[None]:
    """Return what frames without a picture read."""
    return [None] * count


@dataclass(frozen=True, kw_only=True)
class Film:
    """What a timeline became."""

    numbers: list[int | None]
    """The number on every frame, None for black."""
    notes: tuple[str, ...]
    """What reading it left out."""
    wave: Sound | None
    """Its sound, `(channels, N)`; None without one."""

    def plays(self, footage: Footage, source: range, at: int, *, track: int = 0) -> bool:
        """Say whether frames of a source are heard from a frame of the film on, to a sample."""
        if self.wave is None:
            return False
        lag = sound_lag(
            self.wave[0],
            footage,
            track=track,
            source=samples(source, footage.rate),
            record_start=samples(range(at, at + 1), RATE).start,
        )
        return lag is not None and abs(lag) <= 1


def make_desk(folder: Path, *footage: Footage) -> Path:
    """Write A and B, or other footage, into `folder` and return it."""
    for one in footage or (A, B):
        make_footage(folder, one)
    return folder


def film_of(timeline: Path, *, search: Path | None = None) -> Film:
    """Read a timeline and render it."""
    made = read_timeline(timeline, search=[search] if search else [])
    film = timeline.parent / f"film of {timeline.stem}.mov"
    render(made.edit, film)
    has_sound = any(event.sound for event in made.edit.events)
    return Film(
        numbers=read_numbers(film),
        notes=made.notes,
        wave=read_sound(film) if has_sound else None,
    )
