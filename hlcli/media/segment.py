"""What decoding one segment of a video yields."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hlcli.media.luma import Thumbnail
from hlcli.media.measures import Measurements


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The picture of one clip."""

    clip: int
    """Index of the clip."""
    pts_seconds: float
    """Time of the frame it was made from, in seconds from the first video frame."""
    rgb_HWC: npt.NDArray[np.uint8]
    """Upright, the whole frame squeezed to a square, uint8, shape `(H, W, 3)`."""


@dataclass(slots=True)
class Step:
    """A frame at which motion is measured."""

    number: int
    """Which quarter second it belongs to."""
    seconds: float
    """Its time, from the first video frame."""
    thumbnail: Thumbnail
    """Its brightness."""


@dataclass(slots=True)
class SegmentResult:
    """What a segment tells besides its pictures; a few bytes per frame."""

    index: int
    """Place of the segment, from 0."""
    missing_clips: range
    """Clips for which no frame was found at all."""
    change_seconds: array[float] = field(default_factory=lambda: array("d"))
    """For each pair of neighbouring frames: times of both, one after the other."""
    change: array[float] = field(default_factory=lambda: array("f"))
    """Difference of each pair, in [0, 1]."""
    motion: list[tuple[float, float, float]] = field(default_factory=list)
    """Start, end, and change per step (between keyframes: change) of each measured stretch."""
    measured: Measurements = field(default_factory=Measurements)
    """How the pictures look, for a frame of each quarter second."""
    first_step: Step | None = None
    """For the seam with the segment before."""
    last_step: Step | None = None
    """For the seam with the segment after."""
    last_picture: Picture | None = None
    """For clips of the next segments, if those are damaged."""
    repeated_seconds: float = 0.0
    """Length of what was left out since its times lie before those of frames already seen."""
    lost: list[tuple[float, float]] = field(default_factory=list)
    """Stretches that could not be decoded, in seconds from the first video frame."""
