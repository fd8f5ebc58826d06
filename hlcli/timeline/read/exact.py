"""OpenTimelineIO's floats as the exact numbers they mean."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import opentimelineio as otio

from hlcli.media.rates import snap_rate

_NEAR = Fraction(1, 1000)
# Far more than parts of a frame come to where standard rates meet, far less than a float can tell.
_MOST_PARTS = 100_000


def exact_rate(value: float | str | Fraction) -> Fraction:
    """Return the rate a float or "30000/1001" means: 29.97 and 29.970029 are 30000/1001.

    Raises:
        ValueError: It is not above 0.
    """
    rate = Fraction(value)
    if rate <= 0:
        raise ValueError(f"{value} is no frame rate")
    return snap_rate(rate) or rate.limit_denominator(1001)


def exact_seconds(time: otio.opentime.RationalTime) -> Fraction:
    """Return a time in seconds.

    A count within a thousandth of a whole frame is that frame, any other the simple fraction that
    its float stands for: half a frame, summed up exactly, must not fall below a half.
    """
    value = Fraction(time.value).limit_denominator(_MOST_PARTS)
    whole = round(value)
    if abs(value - whole) <= _NEAR:
        value = Fraction(whole)
    return value / exact_rate(time.rate)


def entry(metadata: Any, *keys: str | int) -> Any:
    """Return what stands under nested keys of metadata, None where a level is missing."""
    for key in keys:
        try:
            metadata = metadata[key]
        except (KeyError, IndexError, TypeError):
            return None
    return metadata
