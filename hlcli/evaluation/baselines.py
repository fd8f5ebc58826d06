"""Rankings that need no training: every table holds them, from the same run as the detector.

A detector that does not beat them has learned nothing worth shipping. None looks at labels
(the oracle, which does, is not in this list).

Axes: T clips, D feature size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from hlcli.features.types import VideoFeatures
from hlcli.media.clips import ClipGrid
from hlcli.model.rarity import gaussian_smoothed
from hlcli.model.readouts import knn

Scores: TypeAlias = npt.NDArray[np.float64]
"""One number per clip, shape `(T,)`, higher is more of a highlight."""
Rows: TypeAlias = npt.NDArray[np.floating[Any]]
"""One feature vector per clip, shape `(T, D)`."""
Looks: TypeAlias = Literal["none", "v", "a", "va"]
"""What a baseline looks at: nothing but the clock, the picture, the sound, or both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A trivial ranking of the clips of one video."""

    name: str
    """Name of its row in every table."""
    looks: Looks
    """What it looks at."""
    score: Callable[[VideoFeatures], Scores | None]
    """Scores of one video; None when the video lacks what the baseline looks at."""


def file_order(features: VideoFeatures) -> Scores:
    """Earlier is better."""
    return np.arange(0.0, -features.num_clips, -1.0)


def centre_prior(features: VideoFeatures) -> Scores:
    """Nearer to the middle of the video is better."""
    return np.asarray(-np.abs(np.arange(features.num_clips) - (features.num_clips - 1) / 2))


def picture_deviation(features: VideoFeatures) -> Scores:
    """Distance of the unit-length picture feature to the video's mean."""
    return deviation(features.visual_TV)


def sound_deviation(features: VideoFeatures) -> Scores | None:
    """Distance of the unit-length sound feature to the video's mean."""
    return None if features.audio_TA is None else deviation(features.audio_TA)


def temporal_difference(features: VideoFeatures) -> Scores:
    """Distance of the unit-length picture feature to the clip before; the first copies the second.

    Known as novelty: it fires at changes, not within what is new.
    """
    return step(features.visual_TV)


def step(rows_TD: Rows) -> Scores:
    """Distance of each unit-length row to the row before; the first copies the second."""
    unit_TD = _unit_rows(rows_TD)
    if len(unit_TD) < 2:
        return np.zeros(len(unit_TD))
    distance = np.linalg.norm(np.diff(unit_TD, axis=0), axis=1)
    return np.concatenate((distance[:1], distance))


def change(features: VideoFeatures) -> Scores:
    """How fast the picture changes: `step` of the embeddings as they are, over four seconds."""
    rows_TD = features.visual_TV.astype(np.float64)
    away_T = np.linalg.norm(np.diff(rows_TD, axis=0, prepend=rows_TD[:1]), axis=1)
    return smoothed(away_T, sigma=4.0)


def nearest(*, share: float, to_unit: bool = False) -> Callable[[VideoFeatures], Scores]:
    """Return the baseline that ranks by the distance to the nearest share of the other clips.

    Args:
        share: How many of the video's clips count as near, in (0, 1].
        to_unit: Bring embeddings to unit length first, so that how much there is to see does not
            count.
    """

    def score(features: VideoFeatures) -> Scores:
        rows_TD = _unit_rows(features.visual_TV) if to_unit else features.visual_TV
        return smoothed(knn(rows_TD, nearest_fraction=share))

    return score


def smoothed(scores_T: npt.NDArray[np.floating[Any]], *, sigma: float = 2.0) -> Scores:
    """Scores averaged along the video by a Gaussian of that many clips."""
    return gaussian_smoothed(scores_T, sigma=sigma).astype(np.float64)


def loudness(features: VideoFeatures) -> Scores | None:
    """Louder is better."""
    return None if features.loudness_T is None else features.loudness_T.astype(np.float64)


def motion(features: VideoFeatures) -> Scores:
    """More change between neighbouring frames is better."""
    return features.motion_T.astype(np.float64)


def shot_length(features: VideoFeatures) -> Scores | None:
    """A clip whose middle lies in a shorter shot is better; None where no cut was found."""
    grid = ClipGrid(features.num_clips)
    return negative_shot_length(
        np.array([float(grid.centre(clip)) for clip in range(grid.num_clips)]),
        boundaries_seconds=features.shot_boundaries_seconds,
        duration_seconds=features.duration_seconds,
    )


def negative_shot_length(
    instants_seconds: Scores,
    *,
    boundaries_seconds: Scores,
    duration_seconds: float,
) -> Scores | None:
    """Minus the length of the shot that each instant lies in, in seconds; None without a cut."""
    cuts = np.asarray(boundaries_seconds, dtype=np.float64)
    cuts = cuts[(cuts > 0) & (cuts < duration_seconds)]
    if len(cuts) == 0:
        return None
    edges = np.concatenate(([0.0], np.sort(cuts), [duration_seconds]))
    shot = np.searchsorted(edges, instants_seconds, side="right") - 1
    return -np.diff(edges)[np.clip(shot, 0, len(edges) - 2)]


def ranks(scores_T: npt.ArrayLike) -> Scores:
    """Rank of each clip in [0, 1], the best 1; equal scores share the mean of their ranks."""
    scores = np.asarray(scores_T, dtype=np.float64)
    if len(scores) < 2:
        return np.full(len(scores), 0.5)
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = (last - counts + last - 1) / 2
    return np.asarray(mean_rank[group] / (len(scores) - 1), dtype=np.float64)


def rank_average(
    *parts: Callable[[VideoFeatures], Scores | None],
) -> Callable[[VideoFeatures], Scores | None]:
    """Return the baseline whose score is the mean rank that `parts` give to a clip.

    It scores nothing (None) when one of its parts cannot.
    """

    def score(features: VideoFeatures) -> Scores | None:
        total = np.zeros(features.num_clips)
        for part in parts:
            scores_T = part(features)
            if scores_T is None:
                return None
            total += ranks(scores_T)
        return total / len(parts)

    return score


BASELINES: tuple[Baseline, ...] = (
    Baseline(name="file-order", looks="none", score=file_order),
    Baseline(name="centre-prior", looks="none", score=centre_prior),
    Baseline(name="deviation-from-mean", looks="v", score=picture_deviation),
    Baseline(name="sound-deviation-from-mean", looks="a", score=sound_deviation),
    Baseline(name="temporal-difference", looks="v", score=temporal_difference),
    Baseline(name="change over 4 s", looks="v", score=change),
    Baseline(name="nearest 5 %, smoothed", looks="v", score=nearest(share=0.05)),
    Baseline(name="nearest 10 %, smoothed", looks="v", score=nearest(share=0.1)),
    Baseline(
        name="nearest 5 % of unit vectors, smoothed",
        looks="v",
        score=nearest(share=0.05, to_unit=True),
    ),
    Baseline(name="loudness", looks="a", score=loudness),
    Baseline(name="motion", looks="v", score=motion),
    Baseline(
        name="motion, smoothed",
        looks="v",
        score=lambda features: smoothed(motion(features)),
    ),
    Baseline(name="shot-length", looks="v", score=shot_length),
    Baseline(
        name="ranks(deviation, sound-deviation)",
        looks="va",
        score=rank_average(picture_deviation, sound_deviation),
    ),
    Baseline(name="ranks(loudness, motion)", looks="va", score=rank_average(loudness, motion)),
    Baseline(
        name="ranks(deviation, motion)", looks="v", score=rank_average(picture_deviation, motion)
    ),
    Baseline(
        name="ranks(deviation, sound-deviation, loudness, motion)",
        looks="va",
        score=rank_average(picture_deviation, sound_deviation, loudness, motion),
    ),
)
"""Every trivial baseline, in the order of the tables."""


def _unit_rows(rows_TD: Rows) -> Scores:
    rows = rows_TD.astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12))


def deviation(rows_TD: Rows) -> Scores:
    """Distance of each row, brought to unit length, to the mean of all; shape `(T,)`."""
    unit_TD = _unit_rows(rows_TD)
    return np.asarray(np.linalg.norm(unit_TD - unit_TD.mean(axis=0), axis=1))
