"""Corpus statistics that make scores of different videos comparable; fitted without labels.

Axes: T clips.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray
from hlcli.model.scorer import Modality

HIGHLIGHT_QUANTILE = 0.9
"""This share of the corpus scores below 0.5; half of it shows nothing that stands out."""
ORDINARY_SCORE = 0.1
"""Score of a video's median clip."""
_SMALLEST_SPREAD = 1e-3


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Where one term lies over the training corpus."""

    mean: float
    """Mean of the (log-)term over all clips."""
    sd: float
    """Standard deviation of the (log-)term, above 0."""

    def standardise(self, values_T: FloatArray) -> FloatArray:
        """Standard scores, softly bounded to (-3, 3) so that silence cannot outweigh all else."""
        standard = (values_T.astype(np.float64) - self.mean) / self.sd
        return (3 * np.tanh(standard / 3)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Squash:
    """From the raw scores of one video to [0, 1]: how far each clip stands out of its own video.

    The distance to the video's median, in units of the video's own spread, goes through a
    logistic curve. A video whose raw scores hardly differ is measured by the corpus's spread
    instead, so that nothing stands out of an uneventful one. Rising everywhere: the order of the
    clips of a video is that of their raw scores.
    """

    centre: float
    """Distance from the median, in spreads, that becomes 0.5; above 0."""
    least_spread: float
    """Smallest spread that is believed, in raw units, above 0."""

    def __call__(self, raw_T: FloatArray) -> FloatArray:
        """Squash the raw scores of one whole video to [0, 1], float32."""
        scale = self.centre / -math.log(ORDINARY_SCORE / (1 - ORDINARY_SCORE))
        # Bounded where exp would overflow; the curve is flat there in float32 anyway.
        exponent = np.clip((deviation(raw_T, self.least_spread) - self.centre) / scale, -60, 60)
        return (1 / (1 + np.exp(-exponent))).astype(np.float32)

    @classmethod
    def fit(cls, videos: Sequence[FloatArray], *, least_centre: float) -> Squash:
        """Put the corpus's `HIGHLIGHT_QUANTILE` at 0.5, or `least_centre` where that is more.

        Args:
            videos: Raw scores of each video of an unlabelled corpus, at least one.
            least_centre: In spreads, above 0.
        """
        least = max(float(np.median([spread(raw_T) for raw_T in videos])), _SMALLEST_SPREAD)
        every = np.concatenate([deviation(raw_T, least) for raw_T in videos])
        return cls(max(float(np.quantile(every, HIGHLIGHT_QUANTILE)), least_centre), least)


def spread(raw_T: FloatArray) -> float:
    """Median distance to the median, scaled to equal the standard deviation of a normal one."""
    raw = raw_T.astype(np.float64)
    return float(1.4826 * np.median(np.abs(raw - np.median(raw))))


def deviation(raw_T: FloatArray, least_spread: float) -> npt.NDArray[np.float64]:
    """Distance of each clip to the video's median, in spreads of the video."""
    raw = raw_T.astype(np.float64)
    distance_T: npt.NDArray[np.float64] = raw - np.median(raw)
    return distance_T / max(spread(raw_T), least_spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """All corpus statistics of one model; stored in its checkpoint."""

    terms: dict[str, TermStatistics] = field(default_factory=dict)
    """By term name."""
    squash: dict[Modality, Squash] = field(default_factory=dict)
    """By modality."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for a checkpoint's header."""
        return {
            "terms": {name: [one.mean, one.sd] for name, one in sorted(self.terms.items())},
            "squash": {
                name: [one.centre, one.least_spread] for name, one in sorted(self.squash.items())
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Statistics:
        """Read what `to_json` wrote.

        Raises:
            ValueError: A table is missing or a number is not usable.
        """
        try:
            terms = {str(k): TermStatistics(*map(float, v)) for k, v in data["terms"].items()}
            squash = {k: Squash(*map(float, v)) for k, v in data["squash"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the calibration is incomplete: {error}") from error
        if set(squash) - {"v", "a", "va"}:
            raise ValueError(f"the calibration has an unknown modality in {sorted(squash)}")
        spreads = [term.sd for term in terms.values()]
        spreads += [size for one in squash.values() for size in (one.centre, one.least_spread)]
        if not all(math.isfinite(spread) and spread > 0 for spread in spreads):
            raise ValueError("a spread in the calibration is not above 0")
        return cls(terms=terms, squash=squash)


def fit_term(values_N: FloatArray) -> TermStatistics:
    """Mean and spread of one term over all corpus clips."""
    values = values_N.astype(np.float64)
    return TermStatistics(float(values.mean()), float(max(values.std(), 1e-6)))


def ranks(values_T: FloatArray) -> npt.NDArray[np.float32]:
    """Ranks within the video scaled to (0, 1), equal values sharing their mean rank.

    Example:
        >>> ranks(np.array([3.0, 1.0, 1.0, 9.0], np.float32)).tolist()
        [0.625, 0.25, 0.25, 0.875]
    """
    _, inverse, counts = np.unique(values_T, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return (middle[inverse.reshape(-1)] / len(values_T)).astype(np.float32)
