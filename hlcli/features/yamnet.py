"""YAMNet: a second of sound becomes 1024 numbers and the probability of 521 kinds of sound.

Axes: N patches of sound, S samples, F frames, B frequency bins, M mel bands, A audio size 1024,
C AudioSet classes 521.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hlcli.features.device import memory_errors
from hlcli.features.layers import load_frozen, same_conv
from hlcli.features.sound_classes import NUM_CLASSES, event_names
from hlcli.features.types import FloatArray
from hlcli.zoo.manifest import ModelManifest

Float64 = npt.NDArray[np.float64]

SAMPLE_RATE = 16000
"""Samples per second of the sound the network was trained on."""
AUDIO_SIZE = 1024
"""A, the length of one embedding."""
PATCH_FRAMES = 96
"""Spectrum frames the network reads at once: 0.96 s of starts."""
NUM_MELS = 64
"""Mel bands of each frame."""
WINDOW_SAMPLES = 400
"""Length of one frame: 25 ms."""
HOP_SAMPLES = 160
"""Distance between frames: 10 ms."""
PATCH_SAMPLES = WINDOW_SAMPLES + (PATCH_FRAMES - 1) * HOP_SAMPLES
"""Sound behind one patch: 15600 samples, 0.975 s, the last frame's window included."""

_FFT_SIZE = 512
_MEL_RANGE_HZ = (125.0, 7500.0)
_LOG_OFFSET = 0.001


class _Layer(NamedTuple):
    """One depthwise-separable convolution of MobileNet v1."""

    stride: int
    out_channels: int


_STEM_CHANNELS = 32
_LAYERS = (
    _Layer(1, 64),
    _Layer(2, 128),
    _Layer(1, 128),
    _Layer(2, 256),
    _Layer(1, 256),
    _Layer(2, 512),
    *[_Layer(1, 512)] * 5,
    _Layer(2, 1024),
    _Layer(1, 1024),
)


def mel_weights() -> Float64:
    """Return the triangular mel filters, float64, shape `(B, M)` = `(257, 64)`.

    Bands are equally wide on the scale `1127 ln(1 + hertz / 700)` and the triangles are straight
    on that scale, not in hertz, as in the published front end; each peaks at 1.
    """
    bins_mel = _hertz_to_mel(np.linspace(0.0, SAMPLE_RATE / 2, _FFT_SIZE // 2 + 1))
    low, high = _hertz_to_mel(np.asarray(_MEL_RANGE_HZ))
    edges_mel = np.linspace(low, high, NUM_MELS + 2)
    lower, centre, upper = edges_mel[:-2], edges_mel[1:-1], edges_mel[2:]
    rising_BM = (bins_mel[:, None] - lower) / (centre - lower)
    falling_BM = (upper - bins_mel[:, None]) / (upper - centre)
    weights_BM: Float64 = np.maximum(0.0, np.minimum(rising_BM, falling_BM))
    return weights_BM


def _hertz_to_mel(hertz: Float64) -> Float64:
    mels: Float64 = 1127.0 * np.log1p(hertz / 700.0)
    return mels


_MEL_BM = mel_weights()
_WINDOW_S = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)


def log_mel(sound_NS: FloatArray) -> FloatArray:
    """Turn patches of sound into log-mel pictures: the front end.

    In float64, whatever the device: the logarithm magnifies what a Fourier transform in float32
    rounds away in a quiet band, and each maker's kernels round it otherwise.

    Args:
        sound_NS: Mono sound at 16 kHz, float32 in [-1, 1], shape `(N, 15600)`.

    Returns:
        Natural logarithms of mel magnitudes plus 0.001, float32, shape `(N, 1, 96, 64)`.
    """
    if sound_NS.shape[-1] != PATCH_SAMPLES:
        raise ValueError(f"a patch has {PATCH_SAMPLES} samples, got {sound_NS.shape[-1]}")
    frames_NSF = np.lib.stride_tricks.sliding_window_view(sound_NS, WINDOW_SAMPLES, axis=-1)
    spectrum_NFB = np.fft.rfft(frames_NSF[:, ::HOP_SAMPLES] * _WINDOW_S, _FFT_SIZE)
    bands_NFM = np.abs(spectrum_NFB) @ _MEL_BM
    return np.log(bands_NFM + _LOG_OFFSET).astype(np.float32)[:, None]


class _Separable(nn.Module):
    """Filter each channel, then mix the channels."""

    def __init__(self, in_channels: int, layer: _Layer) -> None:
        super().__init__()
        self.depthwise = same_conv(
            in_channels, in_channels, kernel_size=3, stride=layer.stride, groups=in_channels
        )
        self.pointwise = same_conv(in_channels, layer.out_channels, kernel_size=1)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, shape `(N, C', H / stride, W / stride)`."""
        x = nn.functional.relu(self.depthwise(x_NCHW), inplace=True)
        return nn.functional.relu(self.pointwise(x), inplace=True)


class YamNet(nn.Module):
    """The published network, its batch normalisation folded by whoever exported it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = same_conv(1, _STEM_CHANNELS, kernel_size=3, stride=2)
        layers: list[_Separable] = []
        channels = _STEM_CHANNELS
        for layer in _LAYERS:
            layers.append(_Separable(channels, layer))
            channels = layer.out_channels
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(AUDIO_SIZE, NUM_CLASSES)

    def forward(self, log_mel_NCFM: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn log-mel pictures into embeddings and class probabilities.

        Args:
            log_mel_NCFM: What `log_mel` gives, shape `(N, 1, 96, 64)`.

        Returns:
            Embeddings, not negative, shape `(N, 1024)`, and probabilities in [0, 1], shape
            `(N, 521)`; the classes do not exclude each other.
        """
        embedding_NA = self.embed(log_mel_NCFM)
        return embedding_NA, torch.sigmoid(self.classifier(embedding_NA))

    def embed(self, log_mel_NCFM: torch.Tensor) -> torch.Tensor:
        """Return the embeddings, shape `(N, 1024)`, of log-mel pictures `(N, 1, 96, 64)`."""
        x = nn.functional.relu(self.stem(log_mel_NCFM), inplace=True)
        pooled_NA: torch.Tensor = self.layers(x).mean((2, 3))
        return pooled_NA

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> YamNet:
        """Build the network from a converted weight file, ready to run.

        Raises:
            CheckpointError: Names or shapes are not this network's.
        """
        return load_frozen(cls(), tensors, name="yamnet")


class YamNetEncoder:
    """YAMNet on one device, float32: it is too small to gain from less."""

    size = AUDIO_SIZE
    sample_rate = SAMPLE_RATE
    patch_samples = PATCH_SAMPLES
    batch_size = 16

    def __init__(
        self,
        network: YamNet,
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
            pictures = torch.from_numpy(log_mel(sound_NS)).to(self.device)
            embedding_NA, probability_NC = self.network(pictures)
            return embedding_NA.cpu().numpy(), probability_NC.cpu().numpy()


def load_audio_encoder(
    manifest: ModelManifest, tensors: Mapping[str, torch.Tensor], device: torch.device
) -> YamNetEncoder:
    """Build the encoder; the manifest has nothing to say but the family.

    Raises:
        CheckpointError: The weights are not YAMNet's, or the list of classes is damaged.
    """
    return YamNetEncoder(
        YamNet.from_tensors(tensors),
        device,
        name=manifest.name,
        sha256=manifest.sha256,
        class_names=event_names(),
    )
