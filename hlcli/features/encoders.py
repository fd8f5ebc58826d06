"""The two published networks behind one small interface: arrays in, rows of numbers out.

Axes: N pictures or patches, H and W pixels, S samples, V visual size, A audio size, C colours of
a picture or AudioSet classes.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from hlcli.errors import CheckpointError
from hlcli.features import efficientnet, yamnet
from hlcli.features.device import memory_errors
from hlcli.features.types import FeatureSpec, FloatArray
from hlcli.zoo.manifest import ModelManifest, find_model, zoo_dir
from hlcli.zoo.weights import weights_path

VISUAL_ENCODER = "efficientnet-lite0"
AUDIO_ENCODER = "yamnet"

_CPU_BATCH = 4  # larger ones fall out of the cache: 8 took 1.1 times as long, 32 twice
_GPU_BATCH = 64


class VisualEncoder(Protocol):
    """Turns pictures into embeddings."""

    @property
    def name(self) -> str:
        """Name of its manifest."""

    @property
    def sha256(self) -> str:
        """sha256 of its weights."""

    @property
    def size(self) -> int:
        """V, the length of one embedding."""

    @property
    def picture_size(self) -> int:
        """Side of the square picture it reads, in pixels."""

    @property
    def batch_size(self) -> int:
        """How many pictures at once go fastest."""

    def encode(self, rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        """Return the embeddings, float32, shape `(N, V)`, of uint8 pictures `(N, H, W, 3)`."""


class AudioEncoder(Protocol):
    """Turns patches of sound into embeddings and event probabilities."""

    @property
    def name(self) -> str:
        """Name of its manifest."""

    @property
    def sha256(self) -> str:
        """sha256 of its weights."""

    @property
    def size(self) -> int:
        """A, the length of one embedding."""

    @property
    def sample_rate(self) -> int:
        """Samples per second of the mono sound it reads."""

    @property
    def patch_samples(self) -> int:
        """Length of one patch."""

    @property
    def batch_size(self) -> int:
        """How many patches at once go fastest."""

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


class Lite0Encoder:
    """EfficientNet-Lite0 on one device; half precision on CUDA, float32 elsewhere."""

    size = efficientnet.VISUAL_SIZE
    picture_size = efficientnet.PICTURE_SIZE

    def __init__(
        self,
        network: efficientnet.EfficientNetLite0,
        device: torch.device,
        *,
        name: str,
        sha256: str,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.device = device
        self.batch_size = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        self.network = network.to(device)

    def encode(self, rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        """Return embeddings; see `VisualEncoder.encode`.

        Raises:
            DeviceError: The device is out of memory.
        """
        with memory_errors(self.device), torch.inference_mode(), self._precision():
            # NHWC seen as NCHW is exactly the channels_last layout: nothing is copied.
            pictures = torch.from_numpy(np.ascontiguousarray(rgb_NHWC)).to(self.device)
            rows: FloatArray = self.network(pictures.permute(0, 3, 1, 2)).float().cpu().numpy()
        return rows

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        if self.device.type == "cuda":
            # No range to lose: ReLU6 keeps every activation at 6 or below.
            return torch.autocast("cuda", dtype=torch.float16)
        return contextlib.nullcontext()


class YamNetEncoder:
    """YAMNet on one device, float32: it is too small to gain from less."""

    size = yamnet.AUDIO_SIZE
    sample_rate = yamnet.SAMPLE_RATE
    patch_samples = yamnet.PATCH_SAMPLES
    batch_size = 16

    def __init__(
        self,
        network: yamnet.YamNet,
        device: torch.device,
        *,
        name: str,
        sha256: str,
        class_names: tuple[str, ...],
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.device = device
        self.class_names = class_names
        self.network = network.to(device)

    def encode(self, sound_NS: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return embeddings and probabilities; see `AudioEncoder.encode`.

        Raises:
            DeviceError: The device is out of memory.
        """
        with memory_errors(self.device), torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(sound_NS)).to(self.device)
            embedding_NA, probability_NC = self.network(sound)
            return embedding_NA.cpu().numpy(), probability_NC.cpu().numpy()


def load_encoders(device: torch.device) -> Encoders:
    """Load both bundled encoders onto a device.

    Raises:
        UnknownModelError: The manifests are missing; the installation is broken.
        ChecksumError: A weight file is damaged.
        CheckpointError: A weight file is not this network's.
    """
    visual, audio = find_model(VISUAL_ENCODER), find_model(AUDIO_ENCODER)
    with memory_errors(device):
        return Encoders(
            visual=Lite0Encoder(
                efficientnet.EfficientNetLite0.from_tensors(_tensors(visual)),
                device,
                name=visual.name,
                sha256=visual.sha256,
            ),
            audio=YamNetEncoder(
                yamnet.YamNet.from_tensors(_tensors(audio)),
                device,
                name=audio.name,
                sha256=audio.sha256,
                class_names=event_names(),
            ),
        )


def event_names() -> tuple[str, ...]:
    """Return the names of the 521 AudioSet classes, in the order of the probabilities.

    Raises:
        CheckpointError: The bundled list is missing or damaged.
    """
    path = zoo_dir() / "weights" / "yamnet.classes.json"
    try:
        names = tuple(str(name) for name in json.loads(path.read_text(encoding="utf-8"))["names"])
        if len(names) != yamnet.NUM_CLASSES:
            raise ValueError(f"{len(names)} names instead of {yamnet.NUM_CLASSES}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"the list of sound classes {path} cannot be used: {error}", hint="install hl again"
        ) from error
    return names


def _tensors(manifest: ModelManifest) -> dict[str, torch.Tensor]:
    path = weights_path(manifest)
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the weights {path} cannot be read: {error}",
            hint=f"run `hl models verify {manifest.name}`",
        ) from error
