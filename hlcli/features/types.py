"""What extraction produces and every detector reads.

Axes: T clips, V visual feature size, A audio feature size, C AudioSet classes, S shot
boundaries, or stretches of speech.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from hlcli.media.measures import PictureMeasures

FloatArray = npt.NDArray[np.float32]
RowArray: TypeAlias = npt.NDArray[np.floating[Any]]
"""Rows in float16, as extraction and the cache give them, or in float32: the same numbers. Whoever
calculates with them goes to float32 first, in blocks, since those of a day fill a gibibyte then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpec:
    """Everything that changes the numbers of a feature: part of the cache key and of each model."""

    clip_seconds: float = 1.0
    """Length of one clip, in seconds."""
    visual_encoder: str
    """Name of the image encoder."""
    visual_sha256: str
    """sha256 of the image encoder's weights, 64 hex digits."""
    visual_size: int
    """V, the length of one visual feature vector."""
    picture_size: int
    """Side of the square picture the image encoder reads, in pixels."""
    audio_encoder: str
    """Name of the audio encoder."""
    audio_sha256: str
    """sha256 of the audio encoder's weights, 64 hex digits."""
    audio_size: int
    """A, the length of one audio feature vector."""
    extraction_version: int = 1
    """Raised whenever sampling, resizing or the front end changes."""

    @classmethod
    def from_table(cls, table: Mapping[str, object] | None) -> FeatureSpec:
        """Return the specification in the manifest of a detector, which has checked it."""
        return cls(**cast("dict[str, Any]", table))

    def digest(self) -> str:
        """Hex sha256 of all fields: equal exactly when the features would be."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFeatures:
    """All features of one video, one row per clip."""

    spec_digest: str
    """`FeatureSpec.digest()` of the specification that made them."""
    duration_seconds: float
    """Length of the video, in seconds; `T = ceil(duration)`, at least 1."""
    visual_TV: RowArray
    """Image embedding of each clip, float16 or float32, shape `(T, V)`, not normalised."""
    audio_TA: RowArray | None
    """Sound embedding of each clip, as wide, shape `(T, A)`; None without an audio track."""
    events_TC: RowArray | None
    """Probability of each AudioSet class in [0, 1], as wide, shape `(T, C)`; None without audio."""
    motion_T: FloatArray
    """Mean absolute luma change within each clip, float32 in [0, 1], shape `(T,)`."""
    loudness_T: FloatArray | None
    """RMS level of each clip in dBFS, float32 in [-100, 0], shape `(T,)`; None without audio."""
    shot_boundaries_seconds: npt.NDArray[np.float64]
    """Instants at which a new shot starts, ascending, shape `(S,)`, in seconds."""
    pictures: PictureMeasures | None = None
    """How the picture of each clip looks and moves; None where features are put together anew."""
    speech_S2: npt.NDArray[np.float64] | None = None
    """Start and end of each stretch of speech, ascending and apart, in seconds, shape `(S, 2)`;
    None without audio, and where speech was not looked for."""
    damage: str | None = None
    """What could not be read, in words; None for a sound file."""

    def __post_init__(self) -> None:
        num_clips = len(self.visual_TV)
        for name in ("audio_TA", "events_TC", "motion_T", "loudness_T"):
            rows = getattr(self, name)
            if rows is not None and len(rows) != num_clips:
                raise ValueError(f"{name} has {len(rows)} rows for {num_clips} clips")
        if self.pictures is not None and len(self.pictures.luma_T) != num_clips:
            raise ValueError(f"{len(self.pictures.luma_T)} pictures for {num_clips} clips")

    @property
    def num_clips(self) -> int:
        """T, the number of clips."""
        return len(self.visual_TV)

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound feature for each clip."""
        return self.audio_TA is not None

    def without_audio(self) -> VideoFeatures:
        """Return the same video as if it had no audio track."""
        return dataclasses.replace(
            self, audio_TA=None, events_TC=None, loudness_T=None, speech_S2=None
        )

    def in_float32(self) -> VideoFeatures:
        """Return the same features with all rows in float32, ready to calculate with."""

        def wide(rows: RowArray | None) -> FloatArray | None:
            return None if rows is None else rows.astype(np.float32, copy=False)

        return dataclasses.replace(
            self,
            visual_TV=self.visual_TV.astype(np.float32, copy=False),
            audio_TA=wide(self.audio_TA),
            events_TC=wide(self.events_TC),
        )
