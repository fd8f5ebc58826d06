"""How sure a mean over videos is: percentile bootstrap, plain and paired.

The unit that is drawn again is the video. Where a video gives several values (one per
annotator, or once with and once without sound) they are drawn together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DRAWS = 2000
"""Bootstrap samples behind every interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and where it would fall in 95 of 100 draws of the videos."""

    mean: float
    """The plain mean; with strata, the mean of the strata's means."""
    low: float
    """2.5th percentile of the bootstrap means."""
    high: float
    """97.5th percentile of the bootstrap means."""
    n: int
    """How many videos were drawn from."""


def bootstrap_interval(
    values: npt.ArrayLike,
    *,
    videos: Sequence[Hashable] | None = None,
    strata: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Bound the mean of `values` by drawing videos with replacement.

    Args:
        values: One number per measurement, shape `(N,)`.
        videos: Which video each value belongs to; None when each is a video of its own.
        strata: Parts of the set that are averaged apart and weigh the same, such as the kinds of
            composite; videos are drawn within their part. None for a single part.
        seed: Fixes the draws.
        draws: Number of bootstrap samples.

    Returns:
        The mean with its 95 % interval.

    Raises:
        ValueError: There is no value, or the lists differ in length.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueError(f"a mean needs at least one value, got shape {numbers.shape}")
    video_of = list(range(len(numbers))) if videos is None else list(videos)
    stratum_of = [None] * len(numbers) if strata is None else list(strata)
    if not len(numbers) == len(video_of) == len(stratum_of):
        raise ValueError("values, videos and strata differ in length")
    random = np.random.default_rng(seed)
    means, sampled, num_videos = [], [], 0
    for stratum in dict.fromkeys(stratum_of):
        members = [i for i, other in enumerate(stratum_of) if other == stratum]
        totals, counts = _sums_by_video(numbers[members], [video_of[i] for i in members])
        chosen_DN = random.integers(0, len(totals), size=(draws, len(totals)))
        means.append(totals.sum() / counts.sum())
        sampled.append(totals[chosen_DN].sum(axis=1) / counts[chosen_DN].sum(axis=1))
        num_videos += len(totals)
    low, high = np.percentile(np.mean(sampled, axis=0), [2.5, 97.5])
    return Interval(mean=float(np.mean(means)), low=float(low), high=float(high), n=num_videos)


def bootstrap_over_strata(
    values: npt.ArrayLike,
    *,
    strata: Sequence[Hashable],
    videos: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Bound the mean of the strata's means, also where a stratum has a single video.

    Drawing a lone video again and again from its own stratum gives an interval of no width. So as
    soon as one stratum has only one, videos are drawn from all strata together, each keeping its
    weight in the mean.

    Args:
        values: One number per measurement, shape `(M,)`.
        strata: Stratum of each measurement.
        videos: Which video each value belongs to; None when each is a video of its own.
        seed: Fixes the draws.
        draws: Number of bootstrap samples.

    Raises:
        ValueError: There is no value, or the lists differ in length.
    """
    numbers = np.asarray(values, dtype=np.float64)
    video_of = list(range(len(numbers))) if videos is None else list(videos)
    if not len(numbers) == len(video_of) == len(strata):
        raise ValueError("values, videos and strata differ in length")
    sizes = Counter(stratum for stratum, _ in set(zip(strata, video_of, strict=True)))
    if min(sizes.values(), default=0) != 1 or len(sizes) == 1:
        return bootstrap_interval(numbers, videos=video_of, strata=strata, seed=seed, draws=draws)
    weights = stratum_weights(strata)
    weighted, _ = _sums_by_video(weights * numbers, video_of)
    weight, _ = _sums_by_video(weights, video_of)
    random = np.random.default_rng(seed)
    chosen_DM = random.integers(0, len(weight), size=(draws, len(weight)))
    sampled = weighted[chosen_DM].sum(axis=1) / weight[chosen_DM].sum(axis=1)
    low, high = np.percentile(sampled, [2.5, 97.5])
    return Interval(mean=float(weights @ numbers), low=float(low), high=float(high), n=len(weight))


def stratum_weights(strata: Sequence[Hashable]) -> npt.NDArray[np.float64]:
    """Weight of each video in the mean of the strata's means; they sum to 1."""
    sizes = Counter(strata)
    return np.array([1 / (len(sizes) * sizes[stratum]) for stratum in strata])


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    videos: Sequence[Hashable] | None = None,
    strata: Sequence[Hashable] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """Bound the mean of `first - second`, measured on the same videos in the same order.

    Pairing removes what makes a video easy or hard for both, so the interval is narrower than
    the two separate ones suggest. See `bootstrap_interval` for the arguments and errors.
    """
    one = np.asarray(first, dtype=np.float64)
    other = np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        raise ValueError(f"cannot pair {one.shape} with {other.shape}")
    return bootstrap_interval(one - other, videos=videos, strata=strata, seed=seed, draws=draws)


def _sums_by_video(
    numbers: npt.NDArray[np.float64], video_of: Sequence[Hashable]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    position = {video: i for i, video in enumerate(dict.fromkeys(video_of))}
    index = np.array([position[video] for video in video_of])
    totals = np.bincount(index, weights=numbers, minlength=len(position)).astype(np.float64)
    counts = np.bincount(index, minlength=len(position)).astype(np.float64)
    return totals, counts
