"""What is known of a video beside its scores, over time: the lanes under a score curve.

Axes: T clips.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from hlcli import paths
from hlcli.document import ScoresDocument
from hlcli.errors import HlError, UnknownModelError
from hlcli.features.sound_classes import group_probabilities
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.zoo.manifest import default_model_name, find_detector


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Rows of one value per clip; what is not known of a video is None or empty."""

    loudness_T: FloatArray | None = None
    """RMS level in dBFS, in [-100, 0], shape `(T,)`."""
    motion_T: FloatArray | None = None
    """Mean absolute luma change, in [0, 1], shape `(T,)`."""
    sounds: Mapping[str, FloatArray] = field(default_factory=dict)
    """Probability of each of `hlcli.features.sound_classes.GROUPS`, shape `(T,)`, by name."""


def lanes_of(document: ScoresDocument) -> Lanes:
    """Return the lanes of a video from its stored features; decodes nothing.

    Args:
        document: The scores of the video.
    """
    features = stored_features(document)
    if features is None or features.num_clips != len(document.scores):
        return Lanes()
    return Lanes(
        loudness_T=features.loudness_T,
        motion_T=features.motion_T,
        sounds={} if features.events_TC is None else group_probabilities(features.events_TC),
    )


def stored_features(document: ScoresDocument) -> VideoFeatures | None:
    """Return the stored features of a video that was scored, or None; loads no network.

    Args:
        document: The scores; features of the same video for the default detector do, too.
    """
    store = FeatureStore(paths.features_dir())
    # The model may be somebody else's, or be gone; a cache that cannot be read is none.
    with contextlib.suppress(HlError):
        for name in dict.fromkeys([document.model.name, default_model_name()]):
            with contextlib.suppress(UnknownModelError):
                spec = FeatureSpec(**cast("dict[str, Any]", find_detector(name).feature_spec))
                features = store.get(document.video.sha256_head, spec)
                if features is not None:
                    return features
    return None
