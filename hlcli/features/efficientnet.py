"""The EfficientNet-Lite family: one picture becomes 1280 numbers that say what is in it.

Lite0 is as written in the table of stages; the larger ones are wider, deeper and read larger
pictures, by the coefficients in their manifests.

Axes: N pictures, H and W pixels, C channels, V visual size 1280.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hlcli.errors import CheckpointError
from hlcli.features.device import memory_errors
from hlcli.features.layers import fold_norm, load_frozen, same_conv
from hlcli.features.types import FloatArray, RowArray
from hlcli.zoo.manifest import ModelManifest

VISUAL_SIZE = 1280
"""V, the length of one embedding."""
NUM_CLASSES = 1000
"""ImageNet classes behind the logits."""

_CPU_BATCH = 2  # 4 is no faster and takes 46 MiB more, 8 is 1.1 times slower, 1 as well
_GPU_BATCH = 64
_CHANNEL_STEP = 8
_BATCH_NORM_EPSILON = 1e-3


class _Stage(NamedTuple):
    """A run of blocks of one shape; only the first one may halve the picture."""

    num_blocks: int
    kernel_size: int
    stride: int
    expansion: int
    out_channels: int


_STEM_CHANNELS = 32
_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class _Block(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; added to its input where it fits."""

    def __init__(self, in_channels: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = in_channels * stage.expansion
        self.expand = None
        if stage.expansion > 1:
            self.expand = same_conv(in_channels, wide, kernel_size=1)
        self.depthwise = same_conv(
            wide, wide, kernel_size=stage.kernel_size, stride=stride, groups=wide
        )
        self.project = same_conv(wide, stage.out_channels, kernel_size=1)
        self.has_skip = stride == 1 and in_channels == stage.out_channels

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the block's output, shape `(N, C', H / stride, W / stride)`."""
        y: torch.Tensor = x_NCHW
        if self.expand is not None:
            y = nn.functional.relu6(self.expand(y), inplace=True)
        y = nn.functional.relu6(self.depthwise(y), inplace=True)
        y = self.project(y)
        return y + x_NCHW if self.has_skip else y


class EfficientNetLite(nn.Module):
    """A published network with batch normalisation folded into its convolutions.

    Frozen by design: there is no batch normalisation left to train.

    Args:
        width: What the channels of Lite0's stages are multiplied by, above 0.
        depth: What the number of blocks is multiplied by, above 0; the first and the last stage
            keep theirs, as does the stem its channels, which is what makes the family "Lite".
    """

    def __init__(self, *, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.stem = same_conv(3, _STEM_CHANNELS, kernel_size=3, stride=2)
        blocks: list[_Block] = []
        channels = _STEM_CHANNELS
        for position, published in enumerate(_STAGES):
            stage = published._replace(out_channels=_scaled(published.out_channels, width))
            is_fixed = position in (0, len(_STAGES) - 1)
            for index in range(stage.num_blocks if is_fixed else _repeats(stage, depth)):
                blocks.append(_Block(channels, stage, stage.stride if index == 0 else 1))
                channels = stage.out_channels
        self.blocks = nn.Sequential(*blocks)
        self.head = same_conv(channels, VISUAL_SIZE, kernel_size=1)
        self.classifier = nn.Linear(VISUAL_SIZE, NUM_CLASSES)

    def forward(self, rgb_NCHW: torch.Tensor) -> torch.Tensor:
        """Turn pictures into embeddings.

        Args:
            rgb_NCHW: Pictures, uint8 or float in [0, 255], shape `(N, 3, H, W)`, of the size the
                weights were trained on. Fastest in channels_last memory.

        Returns:
            Pooled embeddings in [0, 6], shape `(N, 1280)`.
        """
        # Kept apart from the stem's weights: SAME pads with zeros after this step.
        x = (rgb_NCHW.to(self.stem.weight.dtype) - 127.0) * (1.0 / 128.0)
        x = nn.functional.relu6(self.stem(x), inplace=True)
        x = self.blocks(x)
        x = nn.functional.relu6(self.head(x), inplace=True)
        return x.mean((2, 3))

    def logits(self, embedding_NV: torch.Tensor) -> torch.Tensor:
        """Return ImageNet class logits, shape `(N, 1000)`, of embeddings from `forward`."""
        logits_NC: torch.Tensor = self.classifier(embedding_NV)
        return logits_NC

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, torch.Tensor],
        *,
        name: str = "efficientnet-lite0",
        width: float = 1.0,
        depth: float = 1.0,
    ) -> EfficientNetLite:
        """Build the network from a converted weight file, in evaluation mode, channels_last.

        Raises:
            CheckpointError: Names or shapes are not this network's.
        """
        return load_frozen(cls(width=width, depth=depth), tensors, name=name)


class EfficientNetEncoder:
    """A network of the family on one device; half precision on CUDA, float32 elsewhere."""

    size = VISUAL_SIZE

    def __init__(
        self,
        network: EfficientNetLite,
        device: torch.device,
        *,
        name: str,
        sha256: str,
        picture_size: int,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.picture_size = picture_size
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

    def class_probabilities(self, visual_NV: RowArray) -> FloatArray:
        """See `PictureClassifier`; on the CPU in float32, the same on every device."""
        last = self.network.classifier
        with torch.inference_mode():
            logits_NC = nn.functional.linear(
                torch.from_numpy(visual_NV.astype(np.float32)),
                last.weight.float().cpu(),
                last.bias.float().cpu(),
            )
            probability_NC: FloatArray = torch.softmax(logits_NC, dim=1).numpy()
        return probability_NC

    def _precision(self) -> contextlib.AbstractContextManager[None]:
        if self.device.type == "cuda":
            # No range to lose: ReLU6 keeps every activation at 6 or below.
            return torch.autocast("cuda", dtype=torch.float16)
        return contextlib.nullcontext()


def load_visual_encoder(
    manifest: ModelManifest, tensors: Mapping[str, torch.Tensor], device: torch.device
) -> EfficientNetEncoder:
    """Build the encoder a manifest describes: `width`, `depth` and `picture_size`.

    Raises:
        CheckpointError: The weights are not those of such a network.
        ValueError: A coefficient is missing or no positive number.
    """
    width, depth = _coefficient(manifest, "width"), _coefficient(manifest, "depth")
    return EfficientNetEncoder(
        EfficientNetLite.from_tensors(tensors, name=manifest.name, width=width, depth=depth),
        device,
        name=manifest.name,
        sha256=manifest.sha256,
        picture_size=int(_coefficient(manifest, "picture_size")),
    )


def convert(
    manifest: ModelManifest, published: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename the published tensors to ours and fold each batch normalisation into its filter.

    Raises:
        CheckpointError: The tensors are not those of the network the manifest describes.
        ValueError: A coefficient is missing or no positive number.
    """
    tensors: dict[str, torch.Tensor] = {}

    def fold(name: str, weight: str, norm: str, *, is_strided: bool = False) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = fold_norm(
            published[f"{weight}.weight"],
            {part: published[f"{norm}.{part}"] for part in _NORM_PARTS},
            epsilon=_BATCH_NORM_EPSILON,
            is_strided=is_strided,
        )

    network = EfficientNetLite(
        width=_coefficient(manifest, "width"), depth=_coefficient(manifest, "depth")
    )
    try:
        fold("stem", "_conv_stem", "_bn0", is_strided=True)
        for index, block in enumerate(network.blocks):
            assert isinstance(block, _Block)
            theirs, ours = f"_blocks.{index}", f"blocks.{index}"
            if block.expand is not None:
                fold(f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0")
            is_strided = block.depthwise.stride == (2, 2)
            fold(
                f"{ours}.depthwise",
                f"{theirs}._depthwise_conv",
                f"{theirs}._bn1",
                is_strided=is_strided,
            )
            fold(f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2")
        fold("head", "_conv_head", "_bn1")
        tensors["classifier.weight"] = published["_fc.weight"]
        tensors["classifier.bias"] = published["_fc.bias"]
    except KeyError as error:
        raise CheckpointError(
            f"the published weights of {manifest.name} have no tensor {error}",
            hint="give the file of the package that `hl models list --json` names",
        ) from error
    return tensors


_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def _scaled(channels: int, width: float) -> int:
    wanted = channels * width
    scaled = max(_CHANNEL_STEP, int(wanted + _CHANNEL_STEP / 2) // _CHANNEL_STEP * _CHANNEL_STEP)
    # As published: rounding takes away a tenth at most.
    return scaled + _CHANNEL_STEP if scaled < 0.9 * wanted else scaled


def _repeats(stage: _Stage, depth: float) -> int:
    return math.ceil(stage.num_blocks * depth)


def _coefficient(manifest: ModelManifest, key: str) -> float:
    value = (manifest.encoder or {}).get(key)
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"`encoder.{key}` is a number above 0, got {value!r}")
    return float(value)
