"""What both published networks share: TensorFlow's padding, and loading weights to run only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import nn

from hlcli.errors import CheckpointError

Network = TypeVar("Network", bound=nn.Module)


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's SAME does; `same_conv` builds it.

    With stride 2 on an even size, SAME pads one row more below than above. The same sums come
    from a kernel one larger whose first row and column are zero, padded alike on both sides:
    that needs no copy of the input. The converted weight files hold these larger kernels. On an
    odd size SAME pads both sides alike, so the input gets the row that the zeros take.
    """

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the sums, shape `(N, C', ceil(H / stride), ceil(W / stride))`."""
        height, width = x_NCHW.shape[-2:]
        if self.stride != (1, 1) and (height % 2 or width % 2):
            x_NCHW = nn.functional.pad(x_NCHW, (width % 2, 0, height % 2, 0))
        return super().forward(x_NCHW)


def same_conv(
    in_channels: int, out_channels: int, *, kernel_size: int, stride: int = 1, groups: int = 1
) -> SameConv:
    """Return a convolution with bias that pads as TensorFlow's SAME does.

    Args:
        in_channels: Channels read.
        out_channels: Channels made.
        kernel_size: Published size of the kernel, odd.
        stride: 1 or 2.
        groups: As in `nn.Conv2d`.
    """
    return SameConv(
        in_channels,
        out_channels,
        kernel_size + stride - 1,
        stride=stride,
        padding=(kernel_size - 1) // 2,
        groups=groups,
    )


def fold_norm(
    kernel: torch.Tensor,
    norm: Mapping[str, torch.Tensor],
    *,
    epsilon: float,
    is_strided: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold a batch normalisation into the convolution before it, in float64.

    Args:
        kernel: The published filter, shape `(C', C, K, K)`.
        norm: `weight`, `bias`, `running_mean` and `running_var`, shape `(C',)` each.
        epsilon: What the published network adds to the variance.
        is_strided: Whether the stride is 2, for which `same_conv` wants the larger kernel.

    Returns:
        Kernel and bias for `same_conv`, float32.
    """
    scale = norm["weight"].double() / (norm["running_var"].double() + epsilon).sqrt()
    bias = norm["bias"].double() - norm["running_mean"] * scale
    folded = kernel.double() * scale[:, None, None, None]
    return (grown(folded) if is_strided else folded).float(), bias.float()


def grown(kernel: torch.Tensor) -> torch.Tensor:
    """Put a row and a column of zeros in front of a filter; see `SameConv`."""
    return nn.functional.pad(kernel, (1, 0, 1, 0))


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
