"""The closed-form rarity detector: rare in its own video, and unlike ordinary video. numpy only.

A second stands out when few seconds of its video look like it (a small-k nearest-neighbour
distance) and when it lies on the far side of a background model, which says what the ordinary
seconds of real, varied, unlabelled video look like. Both read the image encoder's embedding as it
is, not brought to unit length: its length says how much there is to see. On people's choices this
is better than every network trained so far (docs/benchmarks/detector.md). It is ours, not the
paper's.

Axes: T clips, N clips of a corpus, V visual feature size.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.errors import TrainingError
from hlcli.features.types import FloatArray, RowArray, VideoFeatures
from hlcli.model.calibration import Statistics, TermStatistics
from hlcli.model.config import FusionConfig, RarityConfig
from hlcli.model.fusion import FusedScorer, signal_term
from hlcli.model.projection import ROWS_AT_ONCE
from hlcli.model.readouts import knn

USUAL_LOUDNESS = TermStatistics(mean=-25.0, sd=13.0)
"""Loudness of clips in dBFS where the corpus is silent: measured on 33 minutes of short clips."""


@dataclass(frozen=True, slots=True)
class Background:
    """What the ordinary seconds of a corpus look like: where they lie, and to which side.

    Embeddings of ordinary pictures crowd together on one side of their mean, and the mean of the
    unit vectors from that mean points there; what lies the other way is out of the ordinary.
    """

    mean_V: FloatArray
    """Mean of the corpus's embeddings, float32, shape `(V,)`."""
    direction_V: FloatArray
    """Mean of the unit vectors from `mean_V` to each embedding, float32, shape `(V,)`."""

    def distance(self, visual_TV: RowArray) -> FloatArray:
        """How far each clip lies on the side away from the ordinary, float32, signed, `(T,)`."""
        direction = self.direction_V.astype(np.float64)
        offset = float(self.mean_V.astype(np.float64) @ direction)
        return np.concatenate(
            [
                (offset - block.astype(np.float64) @ direction).astype(np.float32)
                for block in _blocks(visual_TV)
            ]
        )

    @classmethod
    def fit(cls, read: Callable[[], Iterable[RowArray]]) -> Background:
        """Fit on an unlabelled corpus in two passes.

        Args:
            read: Starts a pass over the embeddings, in blocks of shape `(N, V)`; all blocks
                together are the same in each pass.

        Raises:
            TrainingError: There are no clips, or they all look the same.
        """
        total, count = np.zeros(0), 0
        for block in read():
            rows = block.astype(np.float64)
            total = rows.sum(axis=0) + (total if len(total) else 0.0)
            count += len(rows)
        if not count:
            raise TrainingError("there is no video to learn from", hint="correct data.folders")
        mean = total / count
        towards = np.zeros_like(mean)
        for block in read():
            away = block.astype(np.float64) - mean
            length = np.linalg.norm(away, axis=1, keepdims=True)
            towards += (away / np.maximum(length, 1e-9)).sum(axis=0)
        if not np.linalg.norm(towards) > 1e-9 * count:
            raise TrainingError(
                "the pictures of the corpus do not differ", hint="add videos of other places"
            )
        return cls(mean.astype(np.float32), (towards / count).astype(np.float32))

    def mixed_with(self, other: Background, *, share: float) -> Background:
        """Return the background of two corpora, of which `other` counts for `share` in [0, 1]."""
        return Background(
            *(
                (1 - share) * ours + np.float32(share) * theirs
                for ours, theirs in (
                    (self.mean_V, other.mean_V),
                    (self.direction_V, other.direction_V),
                )
            )
        )

    def tensors(self) -> dict[str, FloatArray]:
        """Arrays by name, for a checkpoint."""
        return {"background.mean": self.mean_V, "background.direction": self.direction_V}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, FloatArray]) -> Background:
        """Read what `tensors` wrote."""
        return cls(tensors["background.mean"], tensors["background.direction"])


class RarityScorer(FusedScorer):
    """Scores by rarity within the video and by distance from the background.

    Args:
        config: Settings.
        background: Fitted on the training corpus.
        spec_digest: Digest of the feature specification it was fitted on.
        statistics: Corpus statistics; empty until `calibrate` was called.
        fusion: Weights other than those of `config`.
    """

    kind = "rarity"
    # Calibrated on real videos as they are, and smooth: its peaks are one to two spreads high.
    least_centre = 0.5

    def __init__(
        self,
        config: RarityConfig,
        background: Background,
        *,
        spec_digest: str,
        statistics: Statistics | None = None,
        fusion: FusionConfig | None = None,
    ) -> None:
        super().__init__(
            spec_digest=spec_digest,
            fusion=fusion or config.fusion,
            statistics=statistics or Statistics(),
        )
        self.config = config
        self.background = background

    def available_terms(self) -> tuple[str, ...]:
        """See `FusedScorer.available_terms`."""
        return ("picture_knn", "picture_background", "motion", "loudness")

    def compute_terms(self, features: VideoFeatures, names: Iterable[str]) -> dict[str, FloatArray]:
        """See `FusedScorer.compute_terms`."""
        terms: dict[str, FloatArray] = {}
        for name in names:
            signal = signal_term(features, name)
            if signal is not None:
                terms[name] = signal
            elif name == "picture_knn":
                terms[name] = knn(features.visual_TV, nearest_fraction=self.config.nearest_fraction)
            else:
                assert name == "picture_background", name
                terms[name] = self.background.distance(features.visual_TV)
        return terms

    def _smoothed(self, raw_T: FloatArray) -> FloatArray:
        """Smoothed by a Gaussian, since moments last seconds."""
        return gaussian_smoothed(raw_T, sigma=self.config.smoothing_clips)

    def calibrate(self, corpus: Sequence[VideoFeatures]) -> None:
        """See `FusedScorer.calibrate`; a silent corpus has `USUAL_LOUDNESS`."""
        super().calibrate(corpus)
        self.statistics.terms.setdefault("loudness", USUAL_LOUDNESS)

    def with_background(self, background: Background) -> RarityScorer:
        """Return the same model with another background; not recalibrated."""
        other = copy.copy(self)
        other.background = background
        return other


def gaussian_smoothed(values_T: npt.NDArray[np.floating], *, sigma: float) -> FloatArray:
    """Smooth along the video by a Gaussian, float32; the ends weigh only what is there.

    Args:
        values_T: One number per clip, shape `(T,)`.
        sigma: Standard deviation in clips, at least 0; 0 leaves all as it is.
    """
    values = values_T.astype(np.float64)
    reach = math.ceil(4 * sigma)
    if reach == 0 or len(values) < 2:
        return values.astype(np.float32)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weight = np.convolve(np.ones(len(values)), kernel)[reach:-reach]
    smooth_T: FloatArray = (np.convolve(values, kernel)[reach:-reach] / weight).astype(np.float32)
    return smooth_T


def _blocks(rows_TV: RowArray) -> Iterator[RowArray]:
    for start in range(0, len(rows_TV), ROWS_AT_ONCE):
        yield rows_TV[start : start + ROWS_AT_ONCE]
