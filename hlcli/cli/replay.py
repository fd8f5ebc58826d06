"""Runs a model on the golden input it ships with: the proof that it works on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli.errors import CheckpointError
from hlcli.zoo.manifest import ModelManifest

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = dict[str, npt.NDArray[Any]]

TOLERANCE = 1e-3
"""Largest difference, relative to the largest published number: processors round differently."""


def replay(manifest: ModelManifest, weights: Path, golden: Path) -> None:
    """Compare what a model makes of its golden input with the published output.

    Args:
        manifest: The model.
        weights: Its verified weights.
        golden: Its golden file.

    Raises:
        CheckpointError: The output differs, or the golden file lacks an array.
    """
    from safetensors.numpy import load_file

    expected: Arrays = load_file(golden)
    try:
        got = _encode(manifest) if manifest.kind == "encoder" else _detect(weights, expected)
        for name, array in got.items():
            _compare(manifest.name, name, array, expected[name])
    except KeyError as error:
        raise CheckpointError(f"the golden file {golden} has no array {error}") from error


def _encode(manifest: ModelManifest) -> Arrays:
    from hlcli.features.device import resolve_device
    from hlcli.features.encoders import family_of, load_audio, load_speech, load_visual
    from hlcli.features.golden import golden_pictures, golden_sound
    from hlcli.features.silero_vad import FRAME_SAMPLES

    device = resolve_device("cpu")
    if hasattr(family_of(manifest), "load_audio_encoder"):
        return {"embedding_NA": load_audio(manifest.name, device).encode(golden_sound())[0]}
    if hasattr(family_of(manifest), "load_speech_detector"):
        listener = load_speech(manifest.name).listener()
        sound = golden_sound().reshape(-1)
        listener.extend(sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES])
        return {"speech_F": listener.probabilities()}
    visual = load_visual(manifest.name, device)
    return {"embedding_NV": visual.encode(golden_pictures(visual.picture_size))}


def _detect(weights: Path, expected: Arrays) -> Arrays:
    from hlcli.model.golden import golden_features, golden_scores
    from hlcli.model.load import load_scorer

    scorer = load_scorer(weights)
    return golden_scores(scorer, golden_features(expected, spec_digest=scorer.spec_digest))


def _compare(model: str, name: str, got: Any, expected: Any) -> None:
    import numpy as np

    if got.shape != expected.shape:
        raise CheckpointError(
            f"{model} gives {name} the shape {got.shape}, published is {expected.shape}"
        )
    difference = float(np.abs(got - expected).max()) / max(float(np.abs(expected).max()), 1e-9)
    # Written so that a difference that is not a number fails.
    if not difference <= TOLERANCE:
        raise CheckpointError(
            f"{model} does not give its published output here: {name} differs by "
            f"{difference:.2g} of its largest value, allowed is {TOLERANCE:g}",
            hint="report this with the output of `hl doctor`",
        )
