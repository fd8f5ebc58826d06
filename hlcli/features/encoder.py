"""What every encoder is: arrays in, rows of numbers out.

Axes: N pictures or patches, H and W pixels, S samples, V visual size, A audio size, C AudioSet
classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from hlcli.features.silero_vad import SpeechDetector
from hlcli.features.types import FeatureSpec, FloatArray, RowArray


class Encoder(Protocol):
    """What picture and sound encoders have in common."""

    @property
    def name(self) -> str:
        """Name of its manifest, or of its backbone: what recipes and feature specs say."""

    @property
    def sha256(self) -> str:
        """sha256 of its weights."""

    @property
    def size(self) -> int:
        """V or A, the length of one embedding."""

    @property
    def batch_size(self) -> int:
        """How many pictures or patches at once go fastest."""


class VisualEncoder(Encoder, Protocol):
    """Turns pictures into embeddings."""

    @property
    def picture_size(self) -> int:
        """Side of the square picture it reads, in pixels."""

    def encode(self, rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        """Return the embeddings, float32, shape `(N, V)`, of uint8 pictures `(N, H, W, 3)`."""


@runtime_checkable
class PictureClassifier(Protocol):
    """An image encoder that also knows the ImageNet classes."""

    def class_probabilities(self, visual_NV: RowArray) -> FloatArray:
        """Return the probability of each class, float32, `(N, 1000)`, of embeddings `(N, V)`."""


class AudioEncoder(Encoder, Protocol):
    """Turns patches of sound into embeddings and event probabilities."""

    @property
    def sample_rate(self) -> int:
        """Samples per second of the mono sound it reads."""

    @property
    def patch_samples(self) -> int:
        """Length of one patch."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the C event classes."""

    def encode(self, sound_NS: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return embeddings `(N, A)` and probabilities `(N, C)` of patches `(N, S)`, float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """What turns media into features."""

    visual: VisualEncoder
    """The image encoder."""
    audio: AudioEncoder
    """The sound encoder."""
    speech: SpeechDetector | None = None
    """What finds speech; None leaves it unknown."""

    @property
    def spec(self) -> FeatureSpec:
        """Specification of the features these two make of clips of one second."""
        return FeatureSpec(
            visual_encoder=self.visual.name,
            visual_sha256=self.visual.sha256,
            visual_size=self.visual.size,
            picture_size=self.visual.picture_size,
            audio_encoder=self.audio.name,
            audio_sha256=self.audio.sha256,
            audio_size=self.audio.size,
        )
