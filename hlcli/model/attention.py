"""Self-attention over the clips of a video, its positions, and means that leave padding out.

Axes: B batch, T clips, D model width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hlcli.model.config import RaslConfig


class SelfAttentionLayer(nn.Module):
    """One pre-norm transformer layer; positions enter queries and keys only."""

    def __init__(self, config: RaslConfig) -> None:
        super().__init__()
        width = config.width
        self.num_heads = config.num_heads
        self.dropout = config.dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key = nn.Linear(width, 2 * width)
        self.value = nn.Linear(width, width)
        self.merge = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = nn.Linear(width, config.ffn_ratio * width)
        self.feed_out = nn.Linear(config.ffn_ratio * width, width)

    def forward(self, x_BTD: Tensor, mask_BT: Tensor, position_BTD: Tensor | None) -> Tensor:
        """Mix each sequence with itself; padded clips are never attended to."""
        normed = self.attention_norm(x_BTD)
        where = normed if position_BTD is None else normed + position_BTD
        query, key = self.query_key(where).chunk(2, dim=-1)
        mixed = functional.scaled_dot_product_attention(
            self._heads(query),
            self._heads(key),
            self._heads(self.value(normed)),
            attn_mask=mask_BT[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        x_BTD = x_BTD + self._drop(self.merge(mixed.transpose(1, 2).flatten(2)))
        hidden = functional.gelu(self.feed_in(self.feed_norm(x_BTD)))
        fed: Tensor = x_BTD + self._drop(self.feed_out(self._drop(hidden)))
        return fed

    def _heads(self, x_BTD: Tensor) -> Tensor:
        batch, clips, width = x_BTD.shape
        return x_BTD.view(batch, clips, self.num_heads, width // self.num_heads).transpose(1, 2)

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


def masked_mean(x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over the valid clips, shape `(B, D)`; zeros for a row without any."""
    total = x_BTD.masked_fill(~mask_BT[..., None], 0.0).sum(1)
    return total / mask_BT.sum(1, keepdim=True).clamp(min=1)


def sinusoidal_positions(period_clips: int, width: int) -> Tensor:
    """Sines and cosines whose wavelengths divide `period_clips`, shape `(period_clips, width)`.

    They repeat after one window, so that positions of any video stay within what training has
    seen (it starts each sequence at a random position), and no position is special.
    """
    harmonics = torch.logspace(0, math.log2(period_clips / 2), width // 2, base=2.0).round()
    angle = 2 * math.pi * torch.arange(period_clips)[:, None] * harmonics / period_clips
    return torch.cat([angle.sin(), angle.cos()], dim=1)
