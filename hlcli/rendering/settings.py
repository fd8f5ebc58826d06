"""What a render is asked for, and what it has to say afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, TypeAlias

AudioChoice: TypeAlias = Literal["mix", "all", "first"]
"""All sound tracks of the timeline in one, each kept, or only the first."""

SUFFIXES = (".mp4", ".mov", ".mkv")
"""Containers that can be rendered to."""

MUSIC_LEVEL_DB = -10.0
"""Default level of music: under a film's own sound, which is not mastered as songs are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """How a timeline is rendered."""

    size: tuple[int, int] | None = None
    """Width and height in pixels, both even; None takes the timeline's."""
    vertical: bool = False
    """Crop to 9:16, following faces, else what moves."""
    crossfade_seconds: Fraction = Fraction(0)
    """Length of the crossfade at each cut, in seconds; 0 cuts hard."""
    audio: AudioChoice = "mix"
    """What becomes of several sound tracks."""
    captions: bool = False
    """Draw what is said into the picture, where the sources have captions."""
    font: Path | None = None
    """Font file of the captions; None finds one on the system."""
    music: Path | None = None
    """Sound file to lay under the film; None for none."""
    music_level_db: float = MUSIC_LEVEL_DB
    """Level of the music, in dB; 0 is as in its file."""
    encoder: str = "auto"
    """Name of an ffmpeg encoder; "auto" is software, "hardware" the first that works here."""
    quality: int | None = None
    """The encoder's constant quality, lower is better, 0 to 51; None is its default here."""


@dataclass(slots=True)
class RenderReport:
    """What was rendered."""

    path: Path
    """The film."""
    num_frames: int
    """Its pictures."""
    encoder: str
    """The encoder that made them; "copy" for none."""
    remarks: list[str] = field(default_factory=list)
    """What is not as asked or may surprise, a sentence each."""
