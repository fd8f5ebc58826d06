"""Where in a file a stated range lies.

A range should count like the file's own timecode. Programs write it from 0 all the same, or with a
timecode the file has lost; what fits into the file decides, and a note says so.
"""

from __future__ import annotations

from fractions import Fraction

from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.types import Notes, OutsideMediaError
from hlcli.timeline.timecode import frame_at, frames_per_day

_ROUNDING = Fraction(3, 2)
"""Frames by which lengths of one file differ between programs: rounded down, or up."""


def frames_in_file(
    source: Source,
    *,
    start: Fraction | None,
    duration: Fraction,
    available_start: Fraction | None,
    available_duration: Fraction | None,
    grid: Fraction,
    notes: Notes,
    may_end: bool = False,
) -> range:
    """Return the frames of a file, from its first one.

    Args:
        source: The file.
        start: First instant as the range counts, in seconds; None is the file's first.
        duration: Length of the range, in seconds.
        available_start: Where the same counting has the file's first frame; None if not stated.
        available_duration: How long the timeline says the file is; None if not stated.
        grid: Rate of the timeline, in frames per second. Formats that count everything at it take
            a whole file for as many frames as begin in it, and so a little more than there is.
        notes: Gets what had to be assumed.
        may_end: Whether the file may end before the range does; the frames are then fewer.

    Raises:
        OutsideMediaError: It lies outside the file, however it is counted.
    """
    rate = source.frame_rate
    timecode = source.start_frame / rate
    tolerance = _ROUNDING / rate
    length = source.num_frames / rate
    if start is None:
        begins: list[tuple[Fraction, str | None]] = [(Fraction(0), None)]
    else:
        day = frames_per_day(rate, drop_frame=source.drop_frame) / rate
        if available_start is None and start < timecode and timecode + length > day:
            # Labels start again at midnight; a list that has nothing but labels goes with them.
            start += day
        begins = _ways(
            start, timecode, available_start, available_duration, length=length, tolerance=tolerance
        )
    for begin, assumption in begins:
        fits = begin + duration <= length + _ROUNDING / min(rate, grid)
        if begin >= -tolerance and (fits or (may_end and begin < length)):
            if assumption:
                notes.add(f"{source.name}: {assumption}")
            first = min(max(0, frame_at(begin, rate)), source.num_frames - 1)
            last = min(max(first + 1, frame_at(begin + duration, rate)), source.num_frames)
            return range(first, last)
    begin = begins[0][0]
    raise OutsideMediaError(
        f"the timeline takes {_words(begin)} to {_words(begin + duration)} seconds of "
        f"{source.name}, which is {_words(length)} seconds long",
        hint="the file was shortened or replaced, or the timeline counts from another timecode",
    )


def _ways(
    start: Fraction,
    timecode: Fraction,
    available_start: Fraction | None,
    available_duration: Fraction | None,
    *,
    length: Fraction,
    tolerance: Fraction,
) -> list[tuple[Fraction, str | None]]:
    """Return the ways to count, the likeliest first, and what is assumed in each."""
    from_timecode, from_zero = start - timecode, start
    if not timecode and not available_start:
        return [(start, None)]
    if available_start is None:
        return [
            # Nobody counts from 0 who starts after the file's timecode.
            (from_timecode, None),
            (from_zero, "ranges count from 0 though the file has a timecode"),
        ]
    stated = start - available_start
    if abs(available_start - timecode) <= tolerance:
        return [
            (from_timecode, None),
            (from_zero, "a range counts from 0 though the file has a timecode"),
        ]
    if not available_start:
        return [
            (stated, None),
            (from_timecode, "a range counts from the timecode, its media from 0"),
        ]
    other = "the timeline states another timecode than the file has"
    ways: list[tuple[Fraction, str | None]] = [
        (from_timecode, f"{other}, ranges count from the file's"),
        (stated, f"{other}, ranges count from the timeline's"),
    ]
    whole = available_duration is not None and abs(available_duration - length) <= 2 * tolerance
    # What covers the whole file starts where the file does.
    return ways[::-1] if whole else ways


def _words(seconds: Fraction) -> str:
    return f"{float(seconds):.3f}"
