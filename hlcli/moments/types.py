"""What is asked for, and what is found."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from hlcli.errors import UsageError
from hlcli.moments.marks import WEIGHTS, MarksVote

Why: TypeAlias = Literal["picture", "sound", "both"]
"""What makes a moment stand out."""

SHORTEST_SECONDS = 0.001
"""The least that a moment may be asked to last: less is shorter than any picture, and in the end
nothing, over which no mean can be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Another take of what a moment shows, half-open: `[start_seconds, end_seconds)`."""

    start_seconds: float
    """First instant inside, in seconds from the first video frame of its file."""
    end_seconds: float
    """First instant after it, in seconds from the first video frame of its file."""
    score: float
    """Mean score of the clips inside, weighted by overlap, in [0, 1]."""
    video: str | None = None
    """Path of its file; None where it is in the same file as the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of video worth keeping, half-open: `[start_seconds, end_seconds)`."""

    start_seconds: float
    """First instant inside, handles included, in seconds from the first video frame."""
    end_seconds: float
    """First instant after it, handles included, in seconds from the first video frame."""
    score: float
    """Mean score of the clips inside, weighted by overlap, in [0, 1]; with a threshold of those
    that reach it, so that no moment has less than what was asked for."""
    peak_seconds: float
    """Middle of the best clip inside, in seconds from the first video frame."""
    picture: float | None = None
    """Mean of the picture's own score inside, in [0, 1]; None when it was not looked at."""
    sound: float | None = None
    """Mean of the sound's own score inside, in [0, 1]; None when it was not listened to."""
    why: Why = "picture"
    """Which side rises above its own usual level here, measured in its standard deviations; "both"
    when the lesser one rises at least half as much, or neither rises."""
    reasons: tuple[str, ...] = ()
    """What sets it apart from the rest of its video, the most telling first, in an editor's words:
    "cheering", "fast movement", "like 0:40 and 3:12"; see `hlcli.moments.reasons`."""
    alternatives: tuple[Take, ...] = ()
    """Other takes of the same, which were not chosen, in the order of files and time."""
    continues: bool = False
    """Whether it goes on from the end of the file before: a camera split the recording there."""

    @property
    def duration_seconds(self) -> float:
        """Length, handles included, in seconds."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a video that a person named.

    Raises:
        UsageError: It does not end after it starts, or starts before the video.
    """

    start_seconds: float
    """First instant inside, in seconds from the first video frame."""
    end_seconds: float
    """First instant after it."""
    video: str | None = None
    """File name of the video, with or without its extension; None for the only one."""

    def __post_init__(self) -> None:
        if not 0 <= self.start_seconds < self.end_seconds < math.inf:
            raise UsageError(
                f"{self.start_seconds:g} s to {self.end_seconds:g} s is no stretch of a video",
                hint="write where it starts and where it ends: 12:30-12:40",
            )

    def is_of(self, name: str) -> bool:
        """Whether it is of the video with this file name."""
        return self.video is None or self.video in (name, name.rpartition(".")[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How much to keep: at most one of the first three, else the package's default rule.

    Raises:
        UsageError: More than one rule, or a value out of its range.
    """

    target_duration_seconds: float | None = None
    """Total length of all moments, handles included, in seconds, over 0."""
    top: int | None = None
    """Number of moments, at least 1."""
    threshold: float | None = None
    """Lowest score of a clip that counts, in [0, 1]."""
    min_duration_seconds: float = 2.0
    """Shortest moment, in seconds, over 0."""
    max_duration_seconds: float = 20.0
    """Longest moment without its handles, in seconds, at least the shortest."""
    handles_seconds: float = 0.5
    """Extra footage on each side, in seconds, 0 or more; less where a neighbour, the end of the
    video or a shot boundary is nearer."""
    marks: MarksVote = "weak"
    """How much the marks that somebody set while recording count."""

    keep_all: bool = False
    """Whether stretches that nobody can use, black or credits, may be chosen too."""
    keep_takes: bool = False
    """Whether several takes of one thing may be chosen."""
    pins: tuple[Stretch, ...] = ()
    """What is a moment in any case, exactly as long as it is; it counts for the total and for
    `top`."""
    avoids: tuple[Stretch, ...] = ()
    """What no moment may touch."""

    def of_video(self, name: str) -> Selection:
        """Return the same with the pins and avoids that are of the video with this file name."""
        return replace(
            self,
            pins=tuple(pin for pin in self.pins if pin.is_of(name)),
            avoids=tuple(avoid for avoid in self.avoids if avoid.is_of(name)),
        )

    def __post_init__(self) -> None:
        for pin, avoid in itertools.product(self.pins, self.avoids):
            overlap = min(pin.end_seconds, avoid.end_seconds) > max(
                pin.start_seconds, avoid.start_seconds
            )
            if overlap and pin.video == avoid.video:
                raise UsageError(
                    f"--pin and --avoid both name {max(pin.start_seconds, avoid.start_seconds):g} "
                    f"s to {min(pin.end_seconds, avoid.end_seconds):g} s",
                    hint="leave one of them out there",
                )
        rules = ("target_duration_seconds", "top", "threshold")
        given = [name for name in rules if getattr(self, name) is not None]
        if len(given) > 1:
            options = " and ".join(
                "--" + name.removesuffix("_seconds").replace("_", "-") for name in given
            )
            raise UsageError(f"{options} exclude each other", hint="give only one of them")
        if self.marks not in WEIGHTS:
            raise UsageError(
                f"--marks: {self.marks!r} is unknown", hint=f"use one of {', '.join(WEIGHTS)}"
            )
        target, top, threshold = self.target_duration_seconds, self.top, self.threshold
        shortest, longest = self.min_duration_seconds, self.max_duration_seconds
        if target is not None:
            _require(0 < target < math.inf, "--target-duration must be more than 0 s", target)
        if top is not None:
            _require(top >= 1, "--top must be at least 1", top)
        if threshold is not None:
            _require(0 <= threshold <= 1, "--threshold must be between 0 and 1", threshold)
        for name, value in (("--min-duration", shortest), ("--max-duration", longest)):
            _require(SHORTEST_SECONDS <= value < math.inf, f"{name} must be at least 1 ms", value)
        _require(0 <= self.handles_seconds < math.inf, "--handles must be 0 s or more",
                 self.handles_seconds)  # fmt: skip
        if shortest > longest:
            raise UsageError(
                f"--min-duration {shortest:g} s is longer than --max-duration {longest:g} s",
                hint="raise --max-duration or lower --min-duration",
            )

    @property
    def longest_seconds(self) -> float:
        """Longest moment with both handles, in seconds."""
        return self.max_duration_seconds + 2 * self.handles_seconds


def _require(fine: bool, message: str, value: float) -> None:
    if not fine or isinstance(value, bool):
        raise UsageError(f"{message}, got {value:g}", hint="hl score --help lists the options")
