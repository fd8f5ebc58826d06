"""How each clip relates to the other clips of its own video, and the head that reads it.

Recipes and weights call it "standing".

Nothing here knows what a clip shows, only how far it is from the others, how many are near it and
along which direction it leaves them. So a network on top of it learns what a highlight is among
its neighbours, not what the training corpus had for highlights. Our own addition to the paper's
outline.

Axes: B batch, T clips, N clips asked about, R clips compared with, I input size, Q quantiles,
S relational features, D width of the head, M members of its committee.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from hlcli.model.attention import SelfAttentionLayer, masked_mean
from hlcli.model.config import RaslConfig

MAX_REFERENCES: Final = 1024
"""A clip of a longer video is compared with so many, evenly spaced over the video."""
_AT_ONCE: Final = 1024
_NEAR: Final = 0.1
"""Distances are in units of the corpus's usual size; below this they count as equal."""


def num_relational_features(num_quantiles: int) -> int:
    """S, the length of one row of `relational_features`."""
    return 2 * num_quantiles + 3


def relational_features(x_BTI: Tensor, mask_BT: Tensor, *, num_quantiles: int) -> Tensor:
    """How each clip stands to the others, shape `(B, T, S)`; zeros on padding.

    In this order: the log of Q quantiles of its distances to the other clips, nearest first; Q
    quantiles of its inner products with them around the video's mean; the log of its distance to
    the mean; the log of `hlcli.model.readouts.shared_deviation`; its place along the first
    principal component in standard deviations, long tail positive (`readouts.pc1`).

    Turning the inputs changes nothing. Exact up to `MAX_REFERENCES` clips, padding counted in;
    memory is O(T).

    Args:
        x_BTI: Inputs of size about 1 each, float32.
        mask_BT: True for valid clips.
        num_quantiles: Q, at least 2.
    """
    size = x_BTI.shape[-1]
    count_B = mask_BT.sum(1)
    centred = (x_BTI - masked_mean(x_BTI, mask_BT)[:, None]).masked_fill(~mask_BT[..., None], 0.0)
    centred = centred / math.sqrt(size)
    num_clips = x_BTI.shape[1]
    chosen_R = torch.arange(num_clips, device=x_BTI.device)
    if num_clips > MAX_REFERENCES:
        even = torch.linspace(0, num_clips - 1, MAX_REFERENCES, dtype=torch.float64)
        chosen_R = even.round().long().to(x_BTI.device)
    reference_BRI, valid_BR = centred[:, chosen_R], mask_BT[:, chosen_R]
    covariance_BII = centred.transpose(1, 2) @ centred / count_B.clamp(min=1)[:, None, None]
    energy_BT = ((centred @ covariance_BII) * centred).sum(-1).clamp(min=0)
    last = torch.stack(
        [
            (centred.square().sum(-1) + _NEAR**2).log() / 2,
            (energy_BT + _NEAR**4).log() / 4,
            _along_first_component(centred, covariance_BII),
        ],
        dim=-1,
    )
    parts = [
        _quantiles(
            centred[:, first : first + _AT_ONCE],
            reference_BRI,
            # A clip is not compared with itself.
            valid_BR[:, None, :] & (chosen_R[None, :] != _index(first, num_clips, chosen_R)),
            num_quantiles,
        )
        for first in range(0, num_clips, _AT_ONCE)
    ]
    rows = torch.cat([torch.cat(parts, dim=1), last], dim=-1)
    return rows.masked_fill(~mask_BT[..., None], 0.0)


def _index(first: int, num_clips: int, like: Tensor) -> Tensor:
    return torch.arange(first, min(first + _AT_ONCE, num_clips), device=like.device)[:, None]


def _quantiles(
    clip_BNI: Tensor, reference_BRI: Tensor, compared_BNR: Tensor, num_quantiles: int
) -> Tensor:
    """Quantiles of distances and inner products to the clips compared with, `(B, N, 2Q)`."""
    product_BNR = clip_BNI @ reference_BRI.transpose(1, 2)
    squared_BNR = (
        clip_BNI.square().sum(-1)[:, :, None] + reference_BRI.square().sum(-1)[:, None, :]
    ) - 2 * product_BNR
    distance_BNR = squared_BNR.clamp(min=0).sqrt()
    share_Q = torch.linspace(0, 1, num_quantiles, device=clip_BNI.device)
    count_BN = compared_BNR.sum(-1)
    place_BNQ = (share_Q * (count_BN[..., None] - 1).clamp(min=0)).round().long()

    def pick(values_BNR: Tensor) -> Tensor:
        ordered = values_BNR.masked_fill(~compared_BNR, math.inf).sort(dim=-1).values
        return ordered.gather(2, place_BNQ).masked_fill((count_BN == 0)[..., None], 0.0)

    products = pick(product_BNR)
    return torch.cat(
        [(pick(distance_BNR) + _NEAR).log(), products.sign() * (4 * products.abs()).log1p()], dim=-1
    )


def _along_first_component(centred_BTI: Tensor, covariance_BII: Tensor) -> Tensor:
    """Place along the first principal component, in standard deviations; the long tail is up."""
    direction_BI1 = torch.linalg.eigh(covariance_BII.double()).eigenvectors[..., -1:].float()
    along_BT = (centred_BTI @ direction_BI1)[..., 0]
    is_up_B1 = along_BT.pow(3).sum(1, keepdim=True) >= 0
    along_BT = torch.where(is_up_B1, along_BT, -along_BT)
    variance_B1 = (direction_BI1.transpose(1, 2) @ covariance_BII @ direction_BI1)[..., 0]
    spread_B1: Tensor = variance_B1.clamp(min=_NEAR**4).sqrt()
    return along_BT / spread_B1


def relative_signal(signal_BT: Tensor, mask_BT: Tensor, *, least_spread: float) -> Tensor:
    """A signal around its video's mean, in standard deviations, softly bounded to (-3, 3).

    Args:
        signal_BT: Log motion or loudness; any number on padding.
        mask_BT: True for valid clips; the others get 0.
        least_spread: Smallest standard deviation that is believed, above 0.
    """
    mean_B1 = masked_mean(signal_BT[..., None], mask_BT)
    centred_BT = (signal_BT - mean_B1).masked_fill(~mask_BT, 0.0)
    spread_B1 = masked_mean(centred_BT.square()[..., None], mask_BT).sqrt()
    bounded_BT: Tensor = 3 * (centred_BT / spread_B1.clamp(min=least_spread) / 3).tanh()
    return bounded_BT


class RelationalHead(nn.Module):
    """Self-attention over the relational features of a video's clips: activation logits.

    A committee of equal networks with starts of their own: what a single one makes of few
    training videos differs from seed to seed, and their mean does so less. The same weights serve
    picture and sound: the features have no modality.
    """

    def __init__(self, config: RaslConfig) -> None:
        super().__init__()
        self.members = nn.ModuleList(_Member(config) for _ in range(config.standing_members))

    def forward(self, row_BTS: Tensor, signal_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Activation logits of each member, shape `(B, T, M)`; 0 on padding.

        Args:
            row_BTS: What `relational_features` returns.
            signal_BT: What `relative_signal` returns: motion for the picture, loudness for sound.
            mask_BT: True for valid clips.
        """
        input_BTS = torch.cat([row_BTS, signal_BT[..., None]], dim=-1)
        logit_BTM = torch.cat([member(input_BTS, mask_BT) for member in self.members], dim=-1)
        return logit_BTM.masked_fill(~mask_BT[..., None], 0.0)


class _Member(nn.Module):
    def __init__(self, config: RaslConfig) -> None:
        super().__init__()
        self.alpha = config.alpha
        self.embed = nn.Linear(num_relational_features(config.standing_quantiles) + 1, config.width)
        self.layers = nn.ModuleList(SelfAttentionLayer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.width)
        self.score = nn.Linear(config.width, 1)

    def forward(self, input_BTS: Tensor, mask_BT: Tensor) -> Tensor:
        x_BTD = self.embed(input_BTS)
        for layer in self.layers:
            x_BTD = layer(x_BTD, mask_BT, None)
        logit_BT1: Tensor = self.alpha * self.score(self.norm(x_BTD))
        return logit_BT1
