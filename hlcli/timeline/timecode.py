"""Frames and timecode labels, in integers.

OpenTimelineIO refuses drop-frame labels on integer 30 and 60 media, which some phones record, and
takes only the rates of its list; the arithmetic here takes any rate and agrees with it where both
answer (the tests compare). Drop-frame leaves out labels, never frames: at 30 labels a second the
first two of each minute but every tenth, at 60 the first four.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_LABEL = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.])(\d{2,3})", re.ASCII)


def frame_at(seconds: float | Fraction, frame_rate: Fraction) -> int:
    """Return the frame whose start is nearest to an instant, the later one halfway.

    The one rule for starts and ends alike, so that stretches which meet in seconds meet in frames.

    Args:
        seconds: From the first video frame.
        frame_rate: Frames per second, exact.

    Example:
        >>> frame_at(2.002, Fraction(30000, 1001))
        60
    """
    return math.floor(Fraction(seconds) * frame_rate + Fraction(1, 2))


def labels_per_second(frame_rate: Fraction) -> int:
    """Return how many labels a timecode second has: 24 at 24000/1001, 30 at 30000/1001."""
    return max(1, math.floor(frame_rate + Fraction(1, 2)))


def has_drop_frame(frame_rate: Fraction) -> bool:
    """Return whether drop-frame labels are defined at a rate: whole thirties a second."""
    return labels_per_second(frame_rate) % 30 == 0


def is_drop_frame(start_timecode: str | None, frame_rate: Fraction) -> bool:
    """Return whether a file counts in drop-frame: ";" or "." before the frames, a fitting rate."""
    if start_timecode is None or start_timecode.count(":") == 3:
        return False
    return has_drop_frame(frame_rate)


def parse_timecode(label: str, frame_rate: Fraction) -> int:
    """Return the frame count of a timecode label, from 00:00:00:00.

    Args:
        label: "HH:MM:SS:FF", or "HH:MM:SS;FF" or "HH:MM:SS.FF" for drop-frame, which is read as
            non-drop-frame at rates that have none.
        frame_rate: Frames per second, exact.

    Raises:
        ValueError: It is no timecode, or has more frames than the rate.

    Example:
        >>> parse_timecode("16:37:10;02", Fraction(30))
        1793106
    """
    match = _LABEL.fullmatch(label)
    base = labels_per_second(frame_rate)
    if match is None:
        raise ValueError(f"{label!r} is not a timecode")
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    if minutes > 59 or seconds > 59 or frames >= base:
        raise ValueError(f"{label!r} is not a timecode at {base} frames a second")
    total = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if match[4] != ":" and has_drop_frame(frame_rate):
        minute = hours * 60 + minutes
        total -= _dropped_each_minute(base) * (minute - minute // 10)
    return total


def frames_per_day(frame_rate: Fraction, *, drop_frame: bool) -> int:
    """Return after how many frames labels start again at 00:00:00:00.

    Example:
        >>> frames_per_day(Fraction(30000, 1001), drop_frame=True)
        2589408
    """
    base = labels_per_second(frame_rate)
    if drop_frame and has_drop_frame(frame_rate):
        return 144 * (600 * base - 9 * _dropped_each_minute(base))
    return 86400 * base


def format_timecode(frames: int, frame_rate: Fraction, *, drop_frame: bool) -> str:
    """Return the label of a frame; after 23:59:59 it starts again at 0, as in every editor.

    Args:
        frames: Frames from 00:00:00:00, 0 or more.
        frame_rate: Frames per second, exact.
        drop_frame: Count in drop-frame; without effect at rates that have none.

    Example:
        >>> format_timecode(107892, Fraction(30000, 1001), drop_frame=True)
        '01:00:00;00'
    """
    base = labels_per_second(frame_rate)
    drop_frame = drop_frame and has_drop_frame(frame_rate)
    frames %= frames_per_day(frame_rate, drop_frame=drop_frame)
    if drop_frame:
        dropped = _dropped_each_minute(base)
        tens, rest = divmod(frames, 600 * base - 9 * dropped)
        # The first minute of ten drops nothing, each of the other nine at its start.
        minutes = 0 if rest < 60 * base else 1 + (rest - 60 * base) // (60 * base - dropped)
        label = tens * 600 * base + rest + dropped * minutes
    else:
        label = frames
    seconds, frame = divmod(label, base)
    return (
        f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        f"{';' if drop_frame else ':'}{frame:0{len(str(base - 1)) if base > 10 else 2}d}"
    )


def start_frame(start_timecode: str | None, frame_rate: Fraction) -> int:
    """Return the frame count at which a file starts; 0 without a timecode that can be read."""
    if start_timecode is None:
        return 0
    try:
        return parse_timecode(start_timecode, frame_rate)
    except ValueError:
        # Editors show such a file from zero, too.
        return 0


def timecode(seconds: float | Fraction, *, frame_rate: Fraction, start_timecode: str | None) -> str:
    """Return the timecode an editor shows at an instant of a file.

    Args:
        seconds: From the first video frame.
        frame_rate: Frames per second, exact.
        start_timecode: The file's own; None counts from 00:00:00:00, non-drop-frame.

    Example:
        >>> timecode(12.2, frame_rate=Fraction(25), start_timecode=None)
        '00:00:12:05'
    """
    frame = start_frame(start_timecode, frame_rate) + frame_at(seconds, frame_rate)
    return format_timecode(frame, frame_rate, drop_frame=is_drop_frame(start_timecode, frame_rate))


def _dropped_each_minute(base: int) -> int:
    return base // 15
