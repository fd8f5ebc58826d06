"""The numbers of timelines, exactly; what no number or no time can be is refused here."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from hlcli.errors import shortened
from hlcli.media.rates import snap_rate

MOST_SECONDS = 10**10
"""Instants and lengths, in seconds: 317 years. Clocks may count from 1970."""
MOST_CHANNELS = 1_024
"""Sound tracks of a file, and channels of each."""
_RATES = (Fraction(1, 1000), Fraction(1_000_000))
_MOST = 10**18
_NUMBER = re.compile(
    r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3}|/\d{1,40})?", re.ASCII
)
_NEAR = Fraction(1, 1000)
# Far more than parts of a frame come to where standard rates meet, far less than a float can tell.
_MOST_PARTS = 100_000
_FINEST = 10**30


def exact_number(value: Any) -> Fraction:
    """Return the number that a float or a text means.

    Args:
        value: A number, or a text like "25", "29.97", "-1e-3" or "30000/1001".

    Raises:
        ValueError: It is none, is not finite, or is beyond 10**18.
    """
    number: Fraction | None = None
    if isinstance(value, str):
        text = value.strip()
        # "1/0" and "1.5/2" look like numbers, too.
        if _NUMBER.fullmatch(text) and not re.search(r"/0*$|[.].*/", text):
            number = Fraction(text)
    elif isinstance(value, float):
        number = Fraction(value) if math.isfinite(value) else None
    elif isinstance(value, int | Fraction) and not isinstance(value, bool):
        number = Fraction(value)
    if number is None or abs(number) > _MOST:
        raise ValueError(f"{shortened(repr(value))} is not a number that hl can use")
    return number


def exact_rate(value: float | str | Fraction) -> Fraction:
    """Return the rate a float or "30000/1001" means: 29.97 and 29.970029 are 30000/1001.

    Raises:
        ValueError: It is no number, or not between a frame in 1,000 s and a million frames a
            second.
    """
    rate = exact_number(value)
    if not _RATES[0] <= rate <= _RATES[1]:
        raise ValueError(f"{shortened(str(value))} is no frame rate")
    return snap_rate(rate) or rate.limit_denominator(1001)


def exact_seconds(time: otio.opentime.RationalTime) -> Fraction:
    """Return a time in seconds.

    A count within a thousandth of a whole frame is that frame, any other the simple fraction that
    its float stands for: half a frame, summed up exactly, must not fall below a half.

    Raises:
        ValueError: It is no number, or beyond `MOST_SECONDS`.
    """
    value = exact_number(time.value).limit_denominator(_MOST_PARTS)
    whole = round(value)
    if abs(value - whole) <= _NEAR:
        value = Fraction(whole)
    return possible_seconds(value / exact_rate(time.rate))


def possible_seconds(seconds: Fraction) -> Fraction:
    """Return an instant or a length as it is.

    Raises:
        ValueError: It is beyond `MOST_SECONDS`.
    """
    if abs(seconds) > MOST_SECONDS:
        raise ValueError(f"a time of {float(seconds):.3g} seconds is beyond {MOST_SECONDS:.0e}")
    return seconds


def settled(seconds: Fraction) -> Fraction:
    """Return a sum of times as it is, or the nearest that can be reckoned with.

    Sums of times on thousands of different grids have denominators of millions of digits.
    """
    if seconds.denominator <= _FINEST:
        return seconds
    return seconds.limit_denominator(math.isqrt(_FINEST))


def number_or_none(value: Any) -> float | None:
    """Return a number of metadata as a float; None for what is none, as in others' metadata."""
    try:
        return float(exact_number(value))
    except ValueError:
        return None


def whole_or_zero(value: Any, *, most: int = 10**12) -> int:
    """Return a count of metadata; 0, as for one that is not stated, for what is no count.

    Args:
        value: A number, or a text of one.
        most: More than this is no count.
    """
    number = number_or_none(value)
    return int(number) if number is not None and 0 <= number <= most else 0


def texts_or_none(value: Any) -> tuple[str, ...] | None:
    """Return a list of texts of metadata; None for anything else."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    return tuple(value) if all(isinstance(one, str) and one for one in value) else None


def entry(metadata: Any, *keys: str | int) -> Any:
    """Return what stands under nested keys of metadata, None where a level is missing."""
    for key in keys:
        try:
            metadata = metadata[key]
        except (KeyError, IndexError, TypeError):
            return None
    return metadata
