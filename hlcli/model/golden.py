"""The proof a detector ships with: the features of one video, and the scores they must give.

The file holds the arrays of `VideoFeatures` under their field names (absent ones left out,
`duration_seconds` with shape `(1,)`) and what the detector made of picture and sound: `raw_T`,
`score_T`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from hlcli.atomic import write_bytes
from hlcli.features.types import VideoFeatures
from hlcli.model.scorer import Scorer

_ARRAYS = (
    "visual_TV",
    "audio_TA",
    "events_TC",
    "motion_T",
    "loudness_T",
    "shot_boundaries_seconds",
)


def write_golden(path: Path, scorer: Scorer, features: VideoFeatures) -> None:
    """Write the golden file of a detector, atomically.

    Args:
        path: The `.safetensors` file to write; its folder must exist.
        scorer: The detector, as loaded from its published weights on the CPU.
        features: A short video of its specification; some tens of clips keep the file small.

    Raises:
        CheckpointError: The features are of another specification.
        OutputError: The file cannot be written.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        name: np.ascontiguousarray(value)
        for name in _ARRAYS
        if (value := getattr(features, name)) is not None
    }
    arrays["duration_seconds"] = np.array([features.duration_seconds])
    write_bytes(path, save(arrays | golden_scores(scorer, features)))


def golden_features(arrays: dict[str, npt.NDArray[Any]], *, spec_digest: str) -> VideoFeatures:
    """Return the features of a golden file.

    Raises:
        KeyError: An array is missing.
    """
    return VideoFeatures(
        spec_digest=spec_digest,
        duration_seconds=float(arrays["duration_seconds"][0]),
        visual_TV=arrays["visual_TV"],
        audio_TA=arrays.get("audio_TA"),
        events_TC=arrays.get("events_TC"),
        motion_T=arrays["motion_T"],
        loudness_T=arrays.get("loudness_T"),
        shot_boundaries_seconds=arrays["shot_boundaries_seconds"],
    )


def golden_scores(scorer: Scorer, features: VideoFeatures) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that a golden file pins, by name."""
    scores = scorer.score(features, modality="va")
    return {
        "raw_T": np.ascontiguousarray(scores.raw_T),
        "score_T": np.ascontiguousarray(scores.score_T),
    }
