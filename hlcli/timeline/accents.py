"""Cuts moved by some frames, so that they lie on the accents of music."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from hlcli.timeline.timecode import frame_at

MOST_FRAMES = 3
"""How far a cut moves at most: too little to be seen as another cut."""


@dataclass(frozen=True, slots=True)
class Play:
    """Where a stretch of a source may start and end, in its frames; each with what it is now."""

    starts: range
    """First frames that it may have."""
    stops: range
    """Frames that may be the first after it."""


def play_of(
    frames: range,
    limits: range,
    shots: Sequence[int],
    spoken: Sequence[tuple[int, int]],
) -> Play:
    """Return how far the ends of a stretch may move.

    No frame of another shot comes in, and no frame in which somebody speaks comes in or goes.

    Args:
        frames: The stretch.
        limits: Frames of its source that it may have.
        shots: First frames of shots, ascending.
        spoken: First frame of each stretch of speech and the first after it, ascending.
    """

    def is_spoken(frame: int) -> bool:
        place = bisect.bisect_right(spoken, frame, key=lambda pair: pair[0])
        return place > 0 and frame < spoken[place - 1][1]

    def is_shot(frame: int) -> bool:
        place = bisect.bisect_left(shots, frame)
        return place < len(shots) and shots[place] == frame

    first = last = frames.start
    while frames.start - first < MOST_FRAMES and first > limits.start:
        if is_shot(first) or is_spoken(first - 1):
            break
        first -= 1
    while last - frames.start < MOST_FRAMES and last < frames.stop - 1 and not is_spoken(last):
        last += 1
    starts = range(first, last + 1)
    first = last = frames.stop
    while frames.stop - first < MOST_FRAMES and first > frames.start + 1:
        if is_spoken(first - 1):
            break
        first -= 1
    while last - frames.stop < MOST_FRAMES and last < limits.stop:
        if is_shot(last) or is_spoken(last):
            break
        last += 1
    return Play(starts, range(first, last + 1))


def on_accents(
    stretches: Sequence[tuple[range, Fraction, Play | None]],
    frame_rate: Fraction,
    accents_seconds: Sequence[float],
) -> list[range]:
    """Return the frames of stretches that lie back to back and begin with the music.

    Each cut goes to the nearest accent within `MOST_FRAMES`, by the end of the stretch before it
    or, where that may not move, by its start; those after it move along.

    Args:
        stretches: Frames, the rate of their source, and how far they may move; None where what
            follows is no cut.
        frame_rate: Of the timeline. Sources of another rate stay as they are.
        accents_seconds: Accents of the music, ascending, in seconds.
    """
    accents = sorted({frame_at(seconds, frame_rate) for seconds in accents_seconds})
    found: list[range] = []
    at, seconds = 0, Fraction(0)
    for frames, rate, play in stretches:
        if rate == frame_rate and play is not None:
            frames = _moved(frames, play, at + len(frames), accents)
        seconds += len(frames) / rate
        at = at + len(frames) if rate == frame_rate else frame_at(seconds, frame_rate)
        found.append(frames)
    return found


def _moved(frames: range, play: Play, cut: int, accents: Sequence[int]) -> range:
    """Return the frames of a stretch whose end is the cut at a frame of the timeline."""
    near = accents[
        bisect.bisect_left(accents, cut - MOST_FRAMES) : bisect.bisect_right(
            accents, cut + MOST_FRAMES
        )
    ]
    for accent in sorted(near, key=lambda frame: abs(frame - cut)):
        longer = accent - cut
        if frames.stop + longer in play.stops:
            return range(frames.start, frames.stop + longer)
        if frames.start - longer in play.starts:
            return range(frames.start - longer, frames.stop)
    return frames
