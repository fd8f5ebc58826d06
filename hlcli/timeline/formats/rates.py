"""Frame rates that a format can name, and what to say where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from hlcli.errors import UsageError
from hlcli.media.rates import NTSC
from hlcli.timeline.edit_list import EditList

EDITOR_RATES = (
    24 * NTSC,
    Fraction(24),
    Fraction(25),
    30 * NTSC,
    Fraction(30),
    Fraction(50),
    60 * NTSC,
    Fraction(60),
)
"""Rates that every editor offers for a timeline, in frames per second."""


def nearest_rate(frame_rate: Fraction, rates: Iterable[Fraction] = EDITOR_RATES) -> Fraction:
    """Return the rate of a list that is nearest to another, the lower one halfway.

    Example:
        >>> nearest_rate(Fraction(90000, 1501))
        Fraction(60000, 1001)
    """
    return min(sorted(rates), key=lambda rate: abs(rate - frame_rate))


def check_rates(edit: EditList, *, title: str, has_rate: Callable[[Fraction], bool]) -> None:
    """Refuse a timeline or a source of a rate that a format has no name for.

    Args:
        edit: The timeline.
        title: What people call the format.
        has_rate: Whether the format can name a rate.

    Raises:
        UsageError: It cannot; the hint offers the nearest one.
    """
    for source in edit.sources:  # First, as another rate of the timeline would not help them.
        if not has_rate(source.frame_rate):
            raise UsageError(
                f"{title} has no frame rate {source.frame_rate}, which {source.name} has",
                hint=f"convert the video to {nearest_rate(source.frame_rate)} frames a second, "
                "or write an .otio file, which can have any",
            )
    if not has_rate(edit.frame_rate):
        raise UsageError(
            f"{title} has no frame rate {edit.frame_rate}",
            hint=f"--frame-rate {nearest_rate(edit.frame_rate)} is the nearest it has; "
            "an .otio file can have any",
        )
