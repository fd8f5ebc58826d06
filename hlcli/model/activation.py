"""Representation activations of latents: how strongly each clip stands out of its own video.

Axes: B batch, T clips, D model width, R activation size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hlcli.model.attention import masked_mean
from hlcli.model.config import RaslConfig

_STILL = 1e-3
"""Activation energy below which a video counts as still: rounding is not amplified."""


class RaslHead(nn.Module):
    """Measures how strongly each clip's latent is activated against its own video."""

    def __init__(self, config: RaslConfig) -> None:
        super().__init__()
        self.activation = config.activation
        self.alpha = config.alpha
        self.beta = nn.Parameter(torch.zeros(1))
        if config.activation in ("predictability", "standing"):
            return  # other parts measure those, not on the latents
        self.norm = nn.LayerNorm(config.width)
        self.map = nn.Linear(config.width, config.rasl_width, bias=False)
        if config.activation == "head":
            self.score = nn.Linear(config.rasl_width, 1, bias=False)

    def forward(self, latent_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """Activation logits s, shape `(B, T)`; padded clips get 0.

        The means run over all valid clips given, so a long video is passed whole, after its
        windows were joined. Memory is O(T): the echo uses the covariance, not a T x T matrix.
        """
        g_BTR = self.map(self.norm(latent_BTD)) / math.sqrt(self.map.out_features)
        if self.activation == "head":
            free_BT: Tensor = self.alpha * self.score(g_BTR)[..., 0] + self.beta
            return free_BT.masked_fill(~mask_BT, 0.0)
        if self.activation != "norm":
            g_BTR = g_BTR - masked_mean(g_BTR, mask_BT)[:, None]
        g_BTR = g_BTR.masked_fill(~mask_BT[..., None], 0.0)
        if self.activation == "edev":
            count_B11 = mask_BT.sum(1).clamp(min=1)[:, None, None]
            covariance_BRR = g_BTR.transpose(1, 2) @ g_BTR / count_B11
            squared = ((g_BTR @ covariance_BRR) * g_BTR).sum(-1).clamp(min=0)
            energy_BT = (squared + 1e-12) ** 0.25
        else:
            energy_BT = (g_BTR.square().sum(-1) + 1e-12).sqrt()
        return self.compare(energy_BT, mask_BT)

    def compare(self, energy_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Activation logits from each clip's energy: its ratio to the video's mean energy.

        Args:
            energy_BT: At least 0; whatever the kind of activation measures.
            mask_BT: True for valid clips; the others get 0.
        """
        mean_B1 = masked_mean(energy_BT[..., None], mask_BT)
        # Equal clips have no energy: the ratio goes to 1 and the logit to beta.
        ratio_BT = (energy_BT + _STILL) / (mean_B1 + _STILL)
        logits_BT: Tensor = self.alpha * (ratio_BT - 1) + self.beta
        return logits_BT.masked_fill(~mask_BT, 0.0)
