"""Makes one score per clip out of named terms; the part that all detectors share.

Axes: T clips.
"""

from __future__ import annotations

import abc
import copy
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np

from hlcli.errors import CheckpointError
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.model.calibration import Squash, Statistics, fit_term, ranks
from hlcli.model.config import PICTURE_TERMS, SOUND_TERMS, FusionConfig
from hlcli.model.scorer import ClipScores, Modality
from hlcli.model.taste import TasteHead

_SIGNED = ("_rasl", "_pc1", "_background", "loudness")


class FusedScorer(abc.ABC):
    """A scorer whose raw score is a weighted mean of terms; subclasses compute the terms."""

    kind: ClassVar[str]
    """Name of this kind of model in manifests and checkpoints."""

    least_centre: ClassVar[float] = 2.0
    """Distance from a video's median, in its spreads, that scores 0.5 at the least: sequences
    composed for calibration stand out more than footage does."""
    taste: TasteHead | None = None
    """What an editor keeps, added to the raw scores; None where nobody was learned from."""

    def __init__(self, *, spec_digest: str, fusion: FusionConfig, statistics: Statistics) -> None:
        self._spec_digest = spec_digest
        self.fusion = fusion
        self.statistics = statistics

    @property
    def spec_digest(self) -> str:
        """`FeatureSpec.digest()` of the features it was trained on."""
        return self._spec_digest

    @abc.abstractmethod
    def available_terms(self) -> tuple[str, ...]:
        """Names of all terms this model can compute for a video with sound."""

    @abc.abstractmethod
    def compute_terms(self, features: VideoFeatures, names: Iterable[str]) -> dict[str, FloatArray]:
        """Compute the terms of that name, each float32 of shape `(T,)`, higher = stands out more.

        Sound terms are asked for only when the video has sound.
        """

    def score(self, features: VideoFeatures, *, modality: Modality = "va") -> ClipScores:
        """Score every clip of one video; see `Scorer.score`."""
        if features.spec_digest != self._spec_digest:
            raise CheckpointError(
                f"the features come from another specification ({features.spec_digest[:12]}) "
                f"than the model's ({self._spec_digest[:12]})",
                hint="extract the features again with the encoders this model names",
            )
        if not has_sound(features):
            modality = "v"
        sides: tuple[Modality, ...] = ("v", "a", "va") if modality == "va" else (modality,)
        raw = self.raw_scores(features, sides)
        score = {side: self.statistics.squash[side](raw[side]) for side in sides}
        return ClipScores(
            raw_T=raw[modality],
            score_T=score[modality],
            picture_T=score.get("v"),
            sound_T=score.get("a"),
        )

    def raw_scores(
        self, features: VideoFeatures, sides: Sequence[Modality]
    ) -> dict[Modality, FloatArray]:
        """Raw score of each modality asked for, float32 of shape `(T,)`; terms computed once."""
        weights = {side: self._weights(side) for side in sides}
        names = sorted({name for part in weights.values() for name in part})
        terms = self._presented(self.compute_terms(features, names))
        raw = {side: self._smoothed(_weighted_mean(terms, part)) for side, part in weights.items()}
        if self.taste is None:
            return raw
        return {side: one + self.taste.preferences(features, side) for side, one in raw.items()}

    def with_fusion(
        self, fusion: FusionConfig, corpus: Sequence[VideoFeatures] | None = None
    ) -> FusedScorer:
        """Return the same model with other weights, recalibrated where a corpus is given.

        Without `corpus` the squashing curves stay those of the old weights: the order of clips
        is right, the level of scores is not.
        """
        other = copy.copy(self)
        other.fusion = fusion
        if corpus is not None:
            other.calibrate(corpus)
        return other

    def with_taste(self, taste: TasteHead | None) -> FusedScorer:
        """Return the same model with another taste, or with none; not recalibrated."""
        other = copy.copy(self)
        other.taste = taste
        return other

    def _smoothed(self, raw_T: FloatArray) -> FloatArray:
        """The fused score along the video; a kind of model that smooths it says how."""
        return raw_T

    def calibrate(self, corpus: Sequence[VideoFeatures]) -> None:
        """Fit term statistics and squashing curves on an unlabelled corpus.

        All available terms are measured, not only the weighted ones, so that weights can be
        changed later. A corpus without sound leaves the curves of sound as those of the picture.
        """
        values: dict[str, list[FloatArray]] = {}
        for features in corpus:
            sound = has_sound(features)
            names = [n for n in self.available_terms() if sound or n in PICTURE_TERMS]
            for name, term in self.compute_terms(features, names).items():
                values.setdefault(name, []).append(_scaled(name, term))
        terms = {name: fit_term(np.concatenate(parts)) for name, parts in values.items()}
        self.statistics = Statistics(terms=terms, squash={})
        self.calibrate_squash(corpus)

    def calibrate_squash(self, corpus: Sequence[VideoFeatures]) -> None:
        """Fit the squashing curves alone: raw scores stay what they are."""
        raw: dict[Modality, list[FloatArray]] = {"v": [], "a": [], "va": []}
        for features in corpus:
            sides: tuple[Modality, ...] = ("v", "a", "va") if has_sound(features) else ("v",)
            for side, score in self.raw_scores(features, sides).items():
                raw[side].append(score)
        squash = {
            side: Squash.fit(parts, least_centre=self.least_centre)
            for side, parts in raw.items()
            if parts
        }
        for side in raw:
            squash.setdefault(side, squash["v"])
        self.statistics = Statistics(terms=self.statistics.terms, squash=squash)

    def _weights(self, side: Modality) -> dict[str, float]:
        table: dict[str, float] = getattr(self.fusion, f"weights_{side}")
        return {name: weight for name, weight in table.items() if weight}

    def _presented(self, terms: dict[str, FloatArray]) -> dict[str, FloatArray]:
        if self.fusion.mode == "rank":
            return {name: ranks(term) for name, term in terms.items()}
        missing = sorted(set(terms) - set(self.statistics.terms))
        if missing:
            raise CheckpointError(
                f"the model was not calibrated for {', '.join(missing)}",
                hint="train it on videos with sound, or set the weight of these terms to 0",
            )
        return {
            name: self.statistics.terms[name].standardise(_scaled(name, term))
            for name, term in terms.items()
        }


def has_sound(features: VideoFeatures) -> bool:
    """Whether every sound term can be computed for this video."""
    return features.audio_TA is not None and features.loudness_T is not None


def signal_term(features: VideoFeatures, name: str) -> FloatArray | None:
    """Motion or loudness as a term; None for any other name."""
    if name == "motion":
        return features.motion_T
    if name == "loudness":
        return features.loudness_T
    return None


def side_of(term: str) -> str:
    """Whether a term is of the "picture" or of the "sound"."""
    assert term in PICTURE_TERMS or term in SOUND_TERMS, term
    return "picture" if term in PICTURE_TERMS else "sound"


def _scaled(name: str, term_T: FloatArray) -> FloatArray:
    """Sizes are compared by ratio, so by their logarithm; signed terms and decibels as they are."""
    if name.endswith(_SIGNED):
        return term_T
    scaled_T: FloatArray = np.log(np.maximum(term_T, 0) + np.float32(1e-3)).astype(np.float32)
    return scaled_T


def _weighted_mean(terms: dict[str, FloatArray], weights: dict[str, float]) -> FloatArray:
    total = sum(terms[name].astype(np.float64) * weight for name, weight in weights.items())
    return np.asarray(total / sum(map(abs, weights.values())), dtype=np.float32)
