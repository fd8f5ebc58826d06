"""The clip grid: the only place that knows how clip indices and seconds relate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

CLIP_SECONDS = Fraction(1)
"""Length of one clip, in seconds: not longer than both benchmarks' label unit."""


@dataclass(frozen=True, slots=True)
class ClipGrid:
    """Cuts a video into clips of equal length; the last one may be partial."""

    num_clips: int
    """How many clips cover the video, at least 1."""
    clip_seconds: Fraction = CLIP_SECONDS
    """Length of one clip, in seconds."""

    def __post_init__(self) -> None:
        if self.num_clips < 1:
            raise ValueError(f"a grid has at least one clip, got {self.num_clips = }")
        if self.clip_seconds <= 0:
            raise ValueError(f"a clip has a length, got {self.clip_seconds = }")

    @classmethod
    def covering(
        cls, duration_seconds: Fraction, clip_seconds: Fraction = CLIP_SECONDS
    ) -> ClipGrid:
        """Return the grid whose clips cover `[0, duration_seconds)`.

        Example:
            >>> ClipGrid.covering(Fraction(5, 2)).num_clips
            3
        """
        return cls(max(1, math.ceil(duration_seconds / clip_seconds)), clip_seconds)

    def centre(self, clip: int) -> Fraction:
        """Middle of a clip, in seconds from the first video frame."""
        return (clip + Fraction(1, 2)) * self.clip_seconds

    def span(self, clip: int) -> tuple[Fraction, Fraction]:
        """Half-open `[start, end)` of a clip, in seconds from the first video frame."""
        return clip * self.clip_seconds, (clip + 1) * self.clip_seconds


def true_runs(mask_T: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and one past the last clip of each run of True.

    Example:
        >>> true_runs(np.array([True, True, False, True]))
        [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask_T, [False]]))).tolist()
    return list(zip(edges[0::2], edges[1::2], strict=True))
