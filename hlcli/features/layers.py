"""What both published networks share: TensorFlow's padding, and loading weights to run only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from hlcli.errors import CheckpointError

Network = TypeVar("Network", bound=nn.Module)


def same_conv(
    in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution with bias that pads as TensorFlow's SAME does on even sizes.

    With stride 2 on an even size, SAME pads one row more below than above. The same sums come
    from a kernel one larger whose first row and column are zero, padded alike on both sides:
    that needs no copy of the input. The converted weight files hold these larger kernels.

    Args:
        in_channels: Channels read.
        out_channels: Channels made.
        kernel_size: Published size of the kernel, odd.
        stride: 1 or 2.
        groups: As in `nn.Conv2d`.
    """
    return nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size + stride - 1,
        stride=stride,
        padding=(kernel_size - 1) // 2,
        groups=groups,
    )


def load_frozen(network: Network, tensors: Mapping[str, torch.Tensor], *, name: str) -> Network:
    """Fill a network with weights and make it ready to run, not to train.

    Args:
        network: The network to fill.
        tensors: One tensor for each of its parameters.
        name: Name of the model, for the error.

    Raises:
        CheckpointError: Names or shapes are not the network's.
    """
    try:
        network.load_state_dict(dict(tensors), strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights do not fit {name}: {str(error).splitlines()[-1].strip()}",
            hint=f"run `hl models verify {name}`",
        ) from error
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network.eval()
