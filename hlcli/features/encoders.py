"""Finds encoders by name: a manifest names the family, the family's module builds the network.

A family is a module of this package with `load_visual_encoder`, `load_audio_encoder` or
`load_speech_detector`, and `convert` where its weights are made of published ones. Nothing else
knows which there are.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from hlcli.errors import CheckpointError, ModelError
from hlcli.features.backbones import is_backbone, load_backbone
from hlcli.features.device import memory_errors
from hlcli.features.encoder import AudioEncoder, Encoders, VisualEncoder
from hlcli.features.silero_vad import SpeechDetector
from hlcli.features.types import FeatureSpec
from hlcli.zoo.manifest import SPEECH_DETECTOR, ModelManifest, find_model
from hlcli.zoo.weights import weights_path

VISUAL_ENCODER = "efficientnet-lite0"
"""The image encoder that comes with hl."""
AUDIO_ENCODER = "yamnet"
"""The sound encoder that comes with hl."""
_BUILDERS = ("load_visual_encoder", "load_audio_encoder", "load_speech_detector")


def load_encoders(
    device: torch.device, *, visual: str = VISUAL_ENCODER, audio: str = AUDIO_ENCODER
) -> Encoders:
    """Load two encoders onto a device.

    Args:
        device: Where they run.
        visual: Name of an image encoder's manifest, or a backbone such as `timm:NAME@FILE`.
        audio: Name of a sound encoder's manifest.

    Raises:
        UnknownModelError: There is no encoder of that name.
        ModelError: The weights are not here, or the model is no encoder of that kind.
        ChecksumError: A weight file is damaged.
        CheckpointError: A weight file is not this network's.
        UsageError: A backbone needs an extra that is not installed.
        DeviceError: The device is out of memory.
    """
    with memory_errors(device):
        return Encoders(
            visual=_load_visual(visual, device),
            audio=load_audio(audio, device),
            speech=load_speech(SPEECH_DETECTOR),
        )


def load_encoders_of(spec: FeatureSpec, device: torch.device) -> Encoders:
    """Load the encoders that made the features a detector was trained on; see `load_encoders`.

    Raises:
        CheckpointError: The encoders of those names have other weights here.
    """
    with memory_errors(device):
        encoders = Encoders(
            visual=_load_visual(spec.visual_encoder, device, sha256=spec.visual_sha256),
            audio=load_audio(spec.audio_encoder, device),
            speech=load_speech(SPEECH_DETECTOR),
        )
    for found, sha256 in (
        (encoders.visual, spec.visual_sha256),
        (encoders.audio, spec.audio_sha256),
    ):
        if found.sha256 != sha256:
            raise CheckpointError(
                f"the detector was trained with other weights of the encoder {found.name}: "
                f"sha256 {sha256}, here {found.sha256}",
                hint="train it again, or install the version of hl it was made with",
            )
    return encoders


def load_visual(name: str, device: torch.device) -> VisualEncoder:
    """Load one image encoder; see `load_encoders`."""
    return _load_visual(name, device)


def load_audio(name: str, device: torch.device) -> AudioEncoder:
    """Load one sound encoder; see `load_encoders`."""
    encoder: AudioEncoder = _load(name, device, "load_audio_encoder", "a sound encoder")
    return encoder


def load_speech(name: str) -> SpeechDetector:
    """Load a detector of speech, which runs on the CPU; see `load_encoders`."""
    detector: SpeechDetector = _load(
        name, torch.device("cpu"), "load_speech_detector", "a detector of speech"
    )
    return detector


def family_of(manifest: ModelManifest) -> ModuleType:
    """Import the module that builds an encoder's network.

    Raises:
        ModelError: The model is no encoder, or its family is unknown to this version.
    """
    if manifest.kind != "encoder":
        raise ModelError(
            f"{manifest.name} is a detector, not an encoder",
            hint="`hl models list` shows which models are encoders",
        )
    family = str((manifest.encoder or {}).get("family", ""))
    module = f"{__package__}.{family.replace('-', '_')}"
    if family and importlib.util.find_spec(module) is not None:
        found = importlib.import_module(module)
        if any(hasattr(found, builder) for builder in _BUILDERS):
            return found
    raise ModelError(
        f"the encoder {manifest.name} is of the family {family!r}, which hl does not know",
        hint="update hl, or correct the table [encoder] of its manifest",
    )


def encoder_parameters(manifest: ModelManifest) -> Mapping[str, Any]:
    """Return what the manifest tells the family: the table `[encoder]` without `family`."""
    return {key: value for key, value in (manifest.encoder or {}).items() if key != "family"}


@contextlib.contextmanager
def misfits(manifest: ModelManifest) -> Iterator[None]:
    """Turn what a family says of a table [encoder] that it cannot use into a `CheckpointError`."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the manifest of the encoder {manifest.name} does not fit its family: {error}",
            hint="correct its table [encoder]",
        ) from error


def _load_visual(name: str, device: torch.device, sha256: str | None = None) -> VisualEncoder:
    if is_backbone(name):
        return load_backbone(name, device, sha256=sha256)
    encoder: VisualEncoder = _load(name, device, "load_visual_encoder", "an image encoder")
    return encoder


def _load(name: str, device: torch.device, builder: str, what: str) -> Any:
    manifest = find_model(name)
    family = family_of(manifest)
    if not hasattr(family, builder):
        raise ModelError(
            f"{name} is not {what}", hint="`hl models list` says what each encoder reads"
        )
    tensors = _tensors(manifest)
    with misfits(manifest):
        return getattr(family, builder)(manifest, tensors, device)


def _tensors(manifest: ModelManifest) -> dict[str, torch.Tensor]:
    path = weights_path(manifest)
    try:
        # Copied, so that nothing hangs on the file any more. Reading it whole first would take its
        # size once more, and the library ends in a panic where there is no memory for that.
        return {key: tensor.clone() for key, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the weights {path} cannot be read: {error}",
            hint=f"run `hl models verify {manifest.name}`",
        ) from error
