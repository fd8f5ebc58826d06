"""Instants and lengths of time as people read them, in messages, pages and timelines."""

from __future__ import annotations

import math
from fractions import Fraction


def clock_text(seconds: Fraction | float) -> str:
    """Spell an instant or a length for people, without its fraction.

    Example:
        >>> clock_text(3725.5)
        '1:02:05'
    """
    minutes, rest = divmod(math.floor(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
