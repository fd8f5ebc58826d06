"""The one interface behind which every detector stands.

Axes: T clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hlcli.document.records import Modality as Modality
from hlcli.features.types import FloatArray, VideoFeatures


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipScores:
    """What a detector says about each clip of one video."""

    raw_T: FloatArray
    """Activations, float32, shape `(T,)`, comparable between videos of one model."""
    score_T: FloatArray
    """The activations squashed to [0, 1], float32, shape `(T,)`."""
    picture_T: FloatArray | None
    """What the picture alone says, in [0, 1], shape `(T,)`; None when it was not looked at."""
    sound_T: FloatArray | None
    """What the sound alone says, in [0, 1], shape `(T,)`; None when it was not listened to."""


class Scorer(Protocol):
    """A trained detector: features in, one score per clip out, no labels, no sign flip."""

    @property
    def spec_digest(self) -> str:
        """`FeatureSpec.digest()` of the features it was trained on."""

    def score(self, features: VideoFeatures, *, modality: Modality = "va") -> ClipScores:
        """Score every clip of one video.

        Asking for "va" or "a" on a video without sound falls back to "v".

        Raises:
            CheckpointError: The features come from another specification.
        """
