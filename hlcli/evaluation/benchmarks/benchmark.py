"""What every public benchmark gives the runner: videos, what is stored of them, how to measure.

Axes: N units of the benchmark (2-second shots, annotated clips, frames), T stored feature rows,
D feature size, R rankings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]

Measure: TypeAlias = Callable[[Float64, int], Mapping[str, float]]
"""Scores of the N units and a seed for ties in; each metric's value for this video out."""
MeasureMany: TypeAlias = Callable[[Float64, int], Float64]
"""Many rankings' scores, shape `(R, N)`, and a seed for ties in; `Benchmark.chance_metric` out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeatures:
    """What a folder of stored features knows of one video; any part may be missing."""

    times_seconds_T: Float64
    """Instant in the middle of each row, ascending, in seconds."""
    duration_seconds: float
    """Length of the video, in seconds."""
    picture_TD: Float64 | None = None
    """Picture features, one row per instant; scaled as the dataset gives them."""
    sound_TD: Float64 | None = None
    """Sound features, one row per instant."""
    loudness_T: Float64 | None = None
    """Loudness, in any rising unit."""
    shot_boundaries_seconds: Float64 | None = None
    """Instants at which a new shot starts, ascending, in seconds."""
    shared_picture_TD: Float64 | None = None
    """What a detector can learn from across videos: its axes mean the same in all. It may be
    another description of the picture than `picture_TD`."""
    shared_sound_TD: Float64 | None = None
    """The same for the sound: with `shared_picture_TD` in all videos that have it, or in none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """One video of a benchmark with its labels."""

    name: str
    """Identity of the video; `--videos` looks for a file of this stem."""
    stratum: str
    """Category or domain; strata are averaged apart and weigh the same."""
    spans_seconds_N2: Float64
    """Start and end of each unit that gets a score, shape `(N, 2)`, in seconds."""
    oracle_N: Float64
    """The labels' own ranking: what a scorer that had seen them would say."""
    measure: Measure
    """The benchmark's metrics for scores of the N units; ties by the seed."""
    measure_many: MeasureMany
    """`Benchmark.chance_metric` of many rankings: thousands show how far luck goes."""
    parts: frozenset[str] = frozenset()
    """Published parts it belongs to, for example "test"."""
    stored: StoredFeatures | None = None
    """Stored features; None where only labels exist."""
    human: Mapping[str, float] | None = None
    """Each metric for the annotators themselves, every one measured against the others and
    averaged; None where that cannot be computed."""

    @property
    def num_units(self) -> int:
        """N, the number of units that get a score."""
        return len(self.spans_seconds_N2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A whole benchmark, ready to be measured."""

    name: str
    """As `hl eval` takes it."""
    protocol: str
    """How the figures are made, in a sentence or two."""
    metrics: tuple[str, ...]
    """Names of the metrics that `measure` returns; the first is the headline."""
    videos: tuple[LabelledVideo, ...]
    """All labelled videos."""
    learnable: str = ""
    """What `shared_picture_TD` and `shared_sound_TD` are, in words."""
    chance_metric: str = ""
    """The metric that `measure_many` gives, for how far luck goes; the first one where empty."""
    headline_part: str | None = None
    """Part the headline is taken over; None for all videos."""
    other_parts: tuple[str, ...] = ()
    """Parts that are reported beside the headline, for comparison with published tables."""
