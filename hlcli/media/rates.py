"""Frame rates as editors know them."""

from __future__ import annotations

from fractions import Fraction

NTSC = Fraction(1000, 1001)
"""What NTSC made of whole rates: 30 became 30000/1001."""
TIMECODE = r"\d{2}:\d{2}:\d{2}[:;.]\d{2,3}"
"""Pattern of a timecode; ";" or "." before the frames is drop-frame."""
STANDARD_RATES: tuple[Fraction, ...] = tuple(
    sorted(
        [Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 72, 90, 96, 100, 120, 240)]
        + [n * NTSC for n in (12, 15, 24, 30, 48, 60, 72, 90, 96, 120, 240)]
    )
)
"""Rates a timeline may have, in frames per second, ascending."""

# 24 and 24000/1001 lie 1/1000 apart: a third of that cannot confuse them.
_SNAP = Fraction(1, 3000)
# A grid of which more than a third of the frames are missing is a clock, not a frame rate.
_MOST_FRAMES_PRESENT = Fraction(8, 5)
_FASTEST_RATE = 1000
# Below it lie time-lapses, screens that stand still and jumps of the clock: no editor has such a
# rate.
_SLOWEST_RATE = 1


def rate_text(rate: Fraction) -> str:
    """Spell a rate exactly, also a whole one; `Fraction` reads it back.

    Example:
        >>> rate_text(Fraction(25))
        '25/1'
    """
    return f"{rate.numerator}/{rate.denominator}"


def nearest_standard_rate(rate: Fraction) -> Fraction:
    """Return the standard rate with the smallest relative distance to `rate`."""
    return min(STANDARD_RATES, key=lambda standard: abs(standard / rate - 1))


def snap_rate(rate: Fraction) -> Fraction | None:
    """Return the standard rate that a measured rate means, None when it means none of them.

    Example:
        >>> snap_rate(Fraction(2997, 100))
        Fraction(30000, 1001)
    """
    standard = nearest_standard_rate(rate)
    return standard if abs(standard / rate - 1) <= _SNAP else None


def choose_frame_rate(
    *, average: Fraction | None, base: Fraction | None
) -> tuple[Fraction, bool] | None:
    """Decide which rate a file has from what its container says.

    Args:
        average: Number of frames over duration, in frames per second; None when unknown.
        base: The finest rate on which all timestamps lie; None when unknown.

    Returns:
        The rate for timelines and whether the frames are unevenly spaced; None when nothing is
        known. An even rate that is not standard is kept as it is; an uneven one, and one below
        1, becomes a standard rate.
    """
    # DV states the clock's rate for the frames'.
    average = average if average and 0 < average <= _FASTEST_RATE else None
    if average and average < _SLOWEST_RATE:
        return nearest_standard_rate(average), True
    if average and base and base > _FASTEST_RATE:
        # Timestamps on the bare clock of the container: no grid of frames at all.
        return nearest_standard_rate(average), True
    base = base if base and 0 < base <= _FASTEST_RATE else None
    measured = average or base
    if measured is None:
        return None
    if average is None or base is None:
        return snap_rate(measured) or _simple(measured), False
    ratio = base / average
    # Interlaced video counts fields: its base rate is twice the frame rate.
    if abs(ratio - 2) < Fraction(1, 100) and snap_rate(average):
        return nearest_standard_rate(average), False
    # AVI headers may count fields where the frames are whole.
    if abs(ratio - Fraction(1, 2)) < Fraction(1, 100) and snap_rate(base):
        return nearest_standard_rate(base), False
    if abs(ratio - 1) < Fraction(1, 100):
        return snap_rate(base) or snap_rate(average) or _simple(average), False
    if 1 <= ratio <= _MOST_FRAMES_PRESENT and (grid := snap_rate(base)):
        return grid, True
    return nearest_standard_rate(average), True


def _simple(rate: Fraction) -> Fraction:
    return rate.limit_denominator(1001)
