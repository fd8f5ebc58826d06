"""What the models of the zoo cost: parameters, training, and scoring an hour of video.

Scoring is measured from stored features, made up at random: how long a detector takes does not
depend on what they say. Decoding is measured by scripts/bench.py.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench import hardware

from hlcli.errors import HlError
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.detector import count_parameters
from hlcli.model.load import load_scorer
from hlcli.model.rasl import RaslScorer
from hlcli.model.scorer import Modality
from hlcli.progress import silent
from hlcli.zoo.manifest import ModelManifest, list_models
from hlcli.zoo.weights import weights_path
from results_parts.ablations import Say
from results_parts.settings import Settings, read_piece, write_piece

HOUR_SECONDS = 3600
REPEATS = 3


def cost_path(settings: Settings) -> Path:
    """File of the piece; it belongs to the weights that are in the zoo now."""
    digests = [hashlib.sha256(weights_path(detector, progress=silent).read_bytes()).hexdigest()
               for detector in detectors()]  # fmt: skip
    return settings.piece_path("cost", digests)


def detectors() -> list[ModelManifest]:
    """Models of the zoo that score."""
    return [
        model for model in list_models(include_hidden=True) if model.kind in ("rasl", "subspace")
    ]


def measure_cost(settings: Settings, say: Say) -> None:
    """Measure every detector of the zoo.

    Raises:
        ModelError: The weights cannot be used.
    """
    path = cost_path(settings)
    if read_piece(path) is not None:
        say("cost: already there")
        return
    torch.set_num_threads(1)
    models = [_measure(detector, say) for detector in detectors()]
    write_piece(path, {"machine": hardware(), "models": models})


def _measure(manifest: ModelManifest, say: Say) -> dict[str, Any]:
    weights = weights_path(manifest, progress=silent)
    scorer = load_scorer(weights)
    features = an_hour(Checkpoint.read(weights).feature_spec)
    seconds = {}
    modalities: tuple[Modality, ...] = ("v", "va")
    for modality in modalities:
        runs = []
        for _ in range(REPEATS):
            began = time.process_time()
            scorer.score(features, modality=modality)
            runs.append(time.process_time() - began)
        seconds[modality] = round(statistics.median(runs), 3)
        say(f"cost: {manifest.name} ({modality}) {seconds[modality]:.2f} CPU s per hour of video")
    found: dict[str, Any] = {
        "name": manifest.name,
        "bytes": weights.stat().st_size,
        "seconds_per_hour": seconds,
        "parameters": None,
    }
    if isinstance(scorer, RaslScorer):
        found["parameters"] = {
            "all": count_parameters(scorer.network),
            "picture": count_parameters(scorer.network, vision_only=True),
        }
    return found


def an_hour(spec: FeatureSpec) -> VideoFeatures:
    """Random features of one hour with sound."""
    random = np.random.default_rng(0)
    num_clips = round(HOUR_SECONDS / spec.clip_seconds)
    return VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=float(HOUR_SECONDS),
        visual_TV=random.random((num_clips, spec.visual_size), np.float32),
        audio_TA=random.random((num_clips, spec.audio_size), np.float32),
        events_TC=None,
        motion_T=random.random(num_clips, np.float32),
        loudness_T=random.uniform(-60, 0, num_clips).astype(np.float32),
        shot_boundaries_seconds=np.zeros(0),
    )


def stored_cost(settings: Settings) -> dict[str, Any] | None:
    """Read the piece; None where it was not measured, or for weights that cannot be read."""
    try:
        return read_piece(cost_path(settings))
    except HlError:
        return None
