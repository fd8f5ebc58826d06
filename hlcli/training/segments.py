"""Cuts the corpus into segments and groups those that look alike (pseudo-categories).

Axes: N segments, V visual size, K categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.model.projection import scale_features

_ROUNDS = 30
_STARTS = 8

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one corpus video, `[start, stop)` in clips."""

    video: int
    """Index of the video in the corpus."""
    start: int
    """First clip."""
    stop: int
    """Clip after the last, above `start`."""
    category: int
    """Pseudo-category, from 0."""

    @property
    def num_clips(self) -> int:
        """Length in clips, at least 1."""
        return self.stop - self.start


def cut_segments(
    videos: Sequence[VideoFeatures], *, segment_clips: int, num_categories: int, seed: int
) -> list[Segment]:
    """Cut each video into segments of at most `segment_clips` and group them by their looks."""
    spans = [
        (index, start, min(start + segment_clips, video.num_clips))
        for index, video in enumerate(videos)
        for start in range(0, video.num_clips, segment_clips)
    ]
    means_NV = np.stack(
        [scale_features(videos[i].visual_TV[start:stop]).mean(axis=0) for i, start, stop in spans]
    )
    categories_N = group_alike(means_NV, num_groups=num_categories, seed=seed)
    return [Segment(*span, int(c)) for span, c in zip(spans, categories_N, strict=True)]


def group_alike(points_NV: FloatArray, *, num_groups: int, seed: int) -> npt.NDArray[np.int64]:
    """Group of each point by k-means, int64 from 0, shape `(N,)`; seeded far apart.

    Args:
        points_NV: Points, float32, shape `(N, V)`.
        num_groups: Most groups to make; no more than there are different points.
        seed: Seed of the first centres.
    """
    points = points_NV.astype(np.float64)
    rng = np.random.default_rng([seed, 1])
    # A single start often merges two groups; the tightest of several is kept.
    tries = [_lloyd(points, _spread_centres(points, num_groups, rng)) for _ in range(_STARTS)]
    return min(tries, key=lambda one: one[0])[1]


def _spread_centres(points: Float64, num_groups: int, rng: np.random.Generator) -> Float64:
    """Draw first centres among the points, each far from those before (k-means++)."""
    centres = [points[int(rng.integers(len(points)))]]
    nearest_N = ((points - centres[0]) ** 2).sum(axis=1)
    while len(centres) < num_groups:
        if nearest_N.sum() <= 1e-9 * max(1.0, float((points**2).sum())):
            break
        centres.append(points[int(rng.choice(len(points), p=nearest_N / nearest_N.sum()))])
        nearest_N = np.minimum(nearest_N, ((points - centres[-1]) ** 2).sum(axis=1))
    return np.stack(centres)


def _lloyd(points: Float64, centres_KV: Float64) -> tuple[float, npt.NDArray[np.int64]]:
    """Move centres to the means of their points until nothing changes: spread and groups."""
    groups_N = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        # |p|^2 is the same for all centres, so the nearest is found without it.
        new_N = ((centres_KV**2).sum(axis=1) - 2 * points @ centres_KV.T).argmin(axis=1)
        if (new_N == groups_N).all():
            break
        groups_N = new_N
        for group in np.unique(groups_N):
            centres_KV[group] = points[groups_N == group].mean(axis=0)
    return float(((points - centres_KV[groups_N]) ** 2).sum()), groups_N
