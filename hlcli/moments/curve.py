"""Scores over time, with the arithmetic that everything here needs.

Axes: T clips, E = T + 1 clip edges, S shot edges.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

FLOOR_PERCENTILE = 20.0
"""The score below which a fifth of the video lies counts as "nothing happens"."""
EPSILON = 1e-9
"""Differences below this are rounding, in seconds and in scores."""


FLAT = 0.02
"""A stretch whose scores differ by no more than this has no structure of its own."""


class Curve:
    """Scores over time: a step per clip, where each clip lies, and where the shots change.

    Args:
        scores_T: Score of each clip, shape `(T,)`.
        clip_seconds: Length of one clip, in seconds.
        duration: Length of the video, in seconds.
        cuts: Instants at which a new shot starts, in seconds; those outside the video are left out.
        second: What decides between stretches of equal score; None: the earlier one wins.
        unusable: Stretches in which nothing is chosen, start and end in seconds: they end shots,
            and their clips have the lowest score of the others.
    """

    def __init__(
        self,
        scores_T: npt.ArrayLike,
        clip_seconds: float,
        duration: float,
        cuts: Iterable[float] = (),
        second: Curve | None = None,
        unusable: Iterable[tuple[float, float]] = (),
    ) -> None:
        scores = np.asarray(scores_T, dtype=np.float64)
        if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
            raise ValueError(f"scores must be finite, shape (T,), got {scores.shape}")
        if not 0 < duration < math.inf or abs(len(scores) - duration / clip_seconds) > 1.001:
            raise ValueError(f"{len(scores)} clips of {clip_seconds} s do not make {duration} s")
        self.clip_seconds = clip_seconds
        self.duration = duration
        self.edges_E = np.minimum(np.arange(len(scores) + 1) * clip_seconds, duration)
        self.edges_E[-1] = duration
        self.centres_T = (self.edges_E[:-1] + self.edges_E[1:]) / 2
        self.unusable = sorted((float(start), float(end)) for start, end in unusable)
        usable_T = np.ones(len(scores), dtype=bool)
        for start, end in self.unusable:
            usable_T &= (self.centres_T < start) | (self.centres_T >= end)
        if usable_T.any():
            scores = np.where(usable_T, scores, scores[usable_T].min())
        self.scores_T = scores
        self.floor = float(np.percentile(scores[usable_T] if usable_T.any() else scores,
                                         FLOOR_PERCENTILE))  # fmt: skip
        edges = [edge for stretch in self.unusable for edge in stretch]
        inside = {float(cut) for cut in (*cuts, *edges) if EPSILON < cut < duration - EPSILON}
        self.shots_S = np.array([0.0, *sorted(inside), duration])
        self.second = second
        self._areas_E = np.concatenate([[0.0], np.cumsum(scores * np.diff(self.edges_E))])

    def area(self, start: Any, end: Any) -> Any:
        """Integral of the score between two instants; arrays are taken too."""
        return np.interp(end, self.edges_E, self._areas_E) - np.interp(
            start, self.edges_E, self._areas_E
        )

    def mean(self, start: float, end: float) -> float:
        """Mean score between two instants, free of rounding beyond the scores' own range."""
        mean = self.area(start, end) / (end - start)
        return float(np.clip(mean, self.scores_T.min(), self.scores_T.max()))

    def mean_from(self, level: float, start: float, end: float) -> float:
        """Mean of the scores of at least `level` between two instants; of all where none is."""
        before_T, after_T = self.edges_E[:-1], self.edges_E[1:]
        inside_T = np.clip(np.minimum(after_T, end) - np.maximum(before_T, start), 0.0, None)
        weights_T = np.where(self.scores_T >= level, inside_T, 0.0)
        if not weights_T.any():
            return self.mean(start, end)
        mean = float((self.scores_T * weights_T).sum() / weights_T.sum())
        return min(max(mean, level, float(self.scores_T.min())), float(self.scores_T.max()))

    def plateau(self, peak: int) -> tuple[float, float]:
        """Return the stretch around a clip in which no score lies more than `FLAT` below it."""
        low_T = np.flatnonzero(self.scores_T < self.scores_T[peak] - FLAT)
        place = int(np.searchsorted(low_T, peak))
        first = int(low_T[place - 1]) + 1 if place else 0
        last = int(low_T[place]) if place < len(low_T) else len(self.scores_T)
        return float(self.edges_E[first]), float(self.edges_E[last])

    def room(self, instant: float) -> tuple[float, float]:
        """Return the stretch around an instant that can be used; empty inside one that cannot."""
        low, high = 0.0, self.duration
        for start, end in self.unusable:
            if start <= instant < end:
                return instant, instant
            low = max(low, end) if end <= instant else low
            high = min(high, start) if start > instant else high
        return low, high

    def next_shot(self, instant: Any) -> Any:
        """First shot edge from an instant on, itself included; arrays are taken too."""
        place = np.searchsorted(self.shots_S, instant - EPSILON)
        return self.shots_S[np.minimum(place, len(self.shots_S) - 1)]

    def last_shot(self, instant: Any) -> Any:
        """Last shot edge up to an instant, itself included; arrays are taken too."""
        place = np.searchsorted(self.shots_S, instant + EPSILON) - 1
        return self.shots_S[np.maximum(place, 0)]

    def on_cut(self, instant: Any) -> Any:
        """Whether an instant is a cut or an end of the video; arrays are taken too."""
        return self.next_shot(instant) - instant <= EPSILON

    def rise(self, start: float, end: float) -> float:
        """How far the mean between two instants lies over the median, in standard deviations."""
        spread = float(self.scores_T.std())
        over = self.mean(start, end) - float(np.median(self.scores_T))
        return over / spread if spread > EPSILON else 0.0
