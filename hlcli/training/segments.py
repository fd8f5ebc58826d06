"""Cuts the corpus into segments and groups those that look alike (pseudo-categories).

Axes: N segments, V visual size, K categories.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray
from hlcli.model.projection import scale_features
from hlcli.training.clips import ClipSource

MOST_POINTS = 4096
"""Groups are found among at most so many segments; the others join the nearest."""
_AT_ONCE = 1024
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


class SegmentPool(Sequence[Segment]):
    """Segments to choose from, quickly found by category however many there are.

    Args:
        segments: All of them.
        indices_N: Which of them are in the pool, in order; all where None.
    """

    def __init__(
        self, segments: Sequence[Segment], indices_N: npt.NDArray[np.int64] | None = None
    ) -> None:
        self._segments = segments
        self._indices_N = np.arange(len(segments)) if indices_N is None else indices_N
        self._categories_N = np.array([segments[i].category for i in self._indices_N], np.int64)
        self.categories: list[int] = np.unique(self._categories_N).tolist()

    def of(self, categories: Container[int]) -> SegmentPool:
        """The segments of some categories, in the same order."""
        wanted = [category for category in self.categories if category in categories]
        chosen_N = np.isin(self._categories_N, wanted)
        pool = SegmentPool.__new__(SegmentPool)
        pool._segments, pool._indices_N = self._segments, self._indices_N[chosen_N]
        pool._categories_N, pool.categories = self._categories_N[chosen_N], wanted
        return pool

    def __len__(self) -> int:
        return len(self._indices_N)

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Segment]: ...
    def __getitem__(self, index: int | slice) -> Segment | Sequence[Segment]:
        if isinstance(index, slice):
            return [self._segments[i] for i in self._indices_N[index]]
        return self._segments[int(self._indices_N[index])]


def cut_segments(
    source: ClipSource, *, segment_clips: int, num_categories: int, seed: int
) -> list[Segment]:
    """Cut each video into segments of at most `segment_clips` and group them by their looks.

    Of more than `MOST_POINTS` segments, a seeded choice of so many makes the groups, and each
    segment joins the one whose centre is nearest; so memory does not grow with the corpus.
    """
    spans = [
        (index, start, min(start + segment_clips, num_clips))
        for index, num_clips in enumerate(source.clip_counts)
        for start in range(0, num_clips, segment_clips)
    ]
    if len(spans) <= MOST_POINTS:
        categories_N = group_alike(_means(source, spans), num_groups=num_categories, seed=seed)
    else:
        rng = np.random.default_rng([seed, 3])
        some = np.sort(rng.choice(len(spans), MOST_POINTS, replace=False))
        points_NV = _means(source, [spans[i] for i in some])
        groups_N = group_alike(points_NV, num_groups=num_categories, seed=seed)
        centres_KV = np.stack(
            [points_NV[groups_N == group].mean(axis=0) for group in range(groups_N.max() + 1)]
        ).astype(np.float64)
        categories_N = np.concatenate(
            [
                _nearest(_means(source, spans[i : i + _AT_ONCE]).astype(np.float64), centres_KV)
                for i in range(0, len(spans), _AT_ONCE)
            ]
        )
    return [Segment(*span, int(c)) for span, c in zip(spans, categories_N, strict=True)]


def _means(source: ClipSource, spans: Sequence[tuple[int, int, int]]) -> FloatArray:
    """Mean scaled picture of each segment, float32, shape `(N, V)`."""
    return np.stack([scale_features(source.read(*span).visual_TV).mean(axis=0) for span in spans])


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
        new_N = _nearest(points, centres_KV)
        if (new_N == groups_N).all():
            break
        groups_N = new_N
        for group in np.unique(groups_N):
            centres_KV[group] = points[groups_N == group].mean(axis=0)
    return float(((points - centres_KV[groups_N]) ** 2).sum()), groups_N


def _nearest(points: Float64, centres_KV: Float64) -> npt.NDArray[np.int64]:
    # |p|^2 is the same for all centres, so the nearest is found without it.
    distance_NK: Float64 = (centres_KV**2).sum(axis=1) - 2 * points @ centres_KV.T
    nearest_N: npt.NDArray[np.int64] = distance_NK.argmin(axis=1)
    return nearest_N
