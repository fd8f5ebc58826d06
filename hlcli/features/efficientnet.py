"""EfficientNet-Lite0: one picture becomes 1280 numbers that say what is in it.

Axes: N pictures, H and W pixels, C channels, V visual size 1280.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

from hlcli.features.layers import load_frozen, same_conv

VISUAL_SIZE = 1280
"""V, the length of one embedding."""
NUM_CLASSES = 1000
"""ImageNet classes behind the logits."""
PICTURE_SIZE = 224
"""Side of the picture the published weights were trained on, in pixels."""
SIZE_STEP = 32
"""The picture's side must be a multiple of this: five halvings, each from an even size."""


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


class EfficientNetLite0(nn.Module):
    """The published network with batch normalisation folded into its convolutions.

    Frozen by design: there is no batch normalisation left to train.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = same_conv(3, _STEM_CHANNELS, kernel_size=3, stride=2)
        blocks: list[_Block] = []
        channels = _STEM_CHANNELS
        for stage in _STAGES:
            for index in range(stage.num_blocks):
                blocks.append(_Block(channels, stage, stage.stride if index == 0 else 1))
                channels = stage.out_channels
        self.blocks = nn.Sequential(*blocks)
        self.head = same_conv(channels, VISUAL_SIZE, kernel_size=1)
        self.classifier = nn.Linear(VISUAL_SIZE, NUM_CLASSES)

    def forward(self, rgb_NCHW: torch.Tensor) -> torch.Tensor:
        """Turn pictures into embeddings.

        Args:
            rgb_NCHW: Pictures, uint8 or float in [0, 255], shape `(N, 3, H, W)`; H and W are
                multiples of 32, 224 as published. Fastest in channels_last memory.

        Returns:
            Pooled embeddings in [0, 6], shape `(N, 1280)`.

        Raises:
            ValueError: A side is not a multiple of 32, where the padding would be another.
        """
        height, width = rgb_NCHW.shape[-2:]
        if height % SIZE_STEP or width % SIZE_STEP or not height or not width:
            raise ValueError(f"sides must be multiples of {SIZE_STEP}, got {height} x {width}")
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
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> EfficientNetLite0:
        """Build the network from a converted weight file, in evaluation mode, channels_last.

        Raises:
            CheckpointError: Names or shapes are not this network's.
        """
        return load_frozen(cls(), tensors, name="efficientnet-lite0")
