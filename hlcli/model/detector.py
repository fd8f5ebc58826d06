"""The RASL network, reconstructed from the abstract of arXiv 2403.09401: architecture only.

Two branches, picture and sound, each with its own self-attention encoder and decoder, share one
head that measures representation activations. The paper's equations and sizes are not known to
us; every choice below is our own.

Axes: B batch, T clips, V and A feature sizes, I input size, D model width, R activation size,
E embedding size.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from hlcli.model.activation import RaslHead
from hlcli.model.attention import SelfAttentionLayer, masked_mean, sinusoidal_positions
from hlcli.model.config import RaslConfig
from hlcli.model.relational import RelationalHead, relational_features, relative_signal

Side: TypeAlias = Literal["visual", "audio"]
SIDES: Final[tuple[Side, ...]] = ("visual", "audio")

_STILL = 1e-3
"""Motion below which a clip counts as still: rounding is not amplified."""
_LEAST_MOTION_SPREAD = 0.25
"""In log units: a video whose clips move alike has no livelier ones."""
_LEAST_LOUDNESS_SPREAD = 2.0
"""In decibels."""


class Branch(nn.Module):
    """Input map, encoder, decoder and contrastive heads of one modality."""

    input_mean: Tensor
    input_weight: Tensor

    def __init__(
        self, config: RaslConfig, feature_size: int, *, emptiness_power: float = 0.0
    ) -> None:
        super().__init__()
        self.has_projection = config.input_projection != "none"
        self.emptiness_power = emptiness_power
        input_size = config.input_dim if self.has_projection else feature_size
        if self.has_projection:
            # Filled by training from the corpus; an empty map would silently score nothing.
            self.register_buffer("input_mean", torch.zeros(feature_size))
            self.register_buffer("input_weight", torch.zeros(feature_size, input_size))
        self.embed = nn.Linear(input_size, config.width)
        self.hidden_token = nn.Parameter(torch.randn(config.width) * 0.02)
        self.encoder = nn.ModuleList(SelfAttentionLayer(config) for _ in range(config.num_layers))
        self.decoder = nn.ModuleList(
            SelfAttentionLayer(config) for _ in range(config.num_decoder_layers)
        )
        self.reconstruct = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, input_size)
        )
        self.embedding = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, config.embedding_width)
        )

    def prepare(self, features_BTV: Tensor, mask_BT: Tensor) -> Tensor:
        """Scale features to length sqrt(V), project them if so configured, zero the padding."""
        features_BTV = features_BTV.masked_fill(~mask_BT[..., None], 0.0)
        scaled = functional.normalize(features_BTV, dim=-1) * math.sqrt(features_BTV.shape[-1])
        if self.has_projection:
            scaled = (scaled - self.input_mean) @ self.input_weight
        if self.emptiness_power:
            scaled = self._quieten_empty(scaled, features_BTV.norm(dim=-1), mask_BT)
        return scaled.masked_fill(~mask_BT[..., None], 0.0)

    def _quieten_empty(self, x_BTI: Tensor, length_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """What `hlcli.model.subspace.quieten_empty` does, for a batch."""
        usual_B1 = length_BT.masked_fill(~mask_BT, math.nan).nanquantile(0.5, dim=1, keepdim=True)
        seen_BT = (length_BT / usual_B1.clamp(min=1e-12)).clamp(max=1) ** self.emptiness_power
        mean_B1I = masked_mean(x_BTI, mask_BT)[:, None]
        return mean_B1I + seen_BT[..., None] * (x_BTI - mean_B1I)


class RaslNetwork(nn.Module):
    """Both branches and the shared activation head."""

    position_table: Tensor

    def __init__(self, config: RaslConfig) -> None:
        super().__init__()
        self.config = config
        self.branches = nn.ModuleDict(
            {
                "visual": Branch(
                    config, config.visual_size, emptiness_power=config.emptiness_power
                ),
                "audio": Branch(config, config.audio_size),
            }
        )
        self.rasl = RaslHead(config)
        if config.activation == "standing":
            self.standing = RelationalHead(config)
        table = sinusoidal_positions(config.window_clips, config.width)
        self.register_buffer("position_table", table, persistent=False)

    @property
    def activates_latents(self) -> bool:
        """Whether activations are measured on the latents."""
        return self.config.activation not in ("predictability", "standing")

    def branch(self, side: Side) -> Branch:
        """The part of one modality."""
        branch = self.branches[side]
        assert isinstance(branch, Branch)
        return branch

    def encode(
        self,
        side: Side,
        input_BTI: Tensor,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        hidden_BT: Tensor | None = None,
    ) -> Tensor:
        """Latents h, shape `(B, T, D)`.

        Args:
            side: Which branch.
            input_BTI: What `Branch.prepare` returns.
            mask_BT: True for valid clips; each row has at least one.
            offset_B: Position of each row's first clip in its video; 0 where None.
            hidden_BT: True for clips replaced by the mask token (masked FVS path).
        """
        branch = self.branch(side)
        x_BTD = branch.embed(input_BTI)
        if hidden_BT is not None:
            x_BTD = torch.where(hidden_BT[..., None], branch.hidden_token, x_BTD)
        position_BTD = self._positions(x_BTD, offset_B)
        if self.config.position == "input" and position_BTD is not None:
            x_BTD, position_BTD = x_BTD + position_BTD, None
        for layer in branch.encoder:
            x_BTD = layer(x_BTD, mask_BT, position_BTD)
        latent: Tensor = x_BTD
        return latent

    def decode(
        self, side: Side, latent_BTD: Tensor, mask_BT: Tensor, *, offset_B: Tensor | None = None
    ) -> Tensor:
        """Reconstruct the inputs, shape `(B, T, I)`, from latents, gated by the caller or not."""
        branch = self.branch(side)
        position_BTD = self._positions(latent_BTD, offset_B)
        if self.config.position == "input" and position_BTD is not None:
            latent_BTD, position_BTD = latent_BTD + position_BTD, None
        for layer in branch.decoder:
            latent_BTD = layer(latent_BTD, mask_BT, position_BTD)
        reconstructed: Tensor = branch.reconstruct(latent_BTD)
        return reconstructed

    def embed(self, side: Side, latent: Tensor) -> Tensor:
        """Contrastive embeddings z of length 1, shape `(..., E)`, of latents `(..., D)`."""
        return functional.normalize(self.branch(side).embedding(latent), dim=-1)

    def activations(
        self,
        side: Side,
        features_BTV: Tensor,
        mask_BT: Tensor,
        *,
        signal_BT: Tensor | None = None,
    ) -> Tensor:
        """Highlight scores: activation logits from one modality alone, -inf on padding."""
        prepared = self.branch(side).prepare(features_BTV, mask_BT)
        latent_BTD = self.encode(side, prepared, mask_BT)
        each_BTM = self.activate(side, prepared, latent_BTD, mask_BT, signal_BT=signal_BT)
        return each_BTM.mean(-1).masked_fill(~mask_BT, -math.inf)

    def activate(
        self,
        side: Side,
        input_BTI: Tensor,
        latent_BTD: Tensor | None,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        signal_BT: Tensor | None = None,
    ) -> Tensor:
        """Activation logits s of whatever kind is configured, shape `(B, T, M)`; 0 on padding.

        The activation is their mean; M is 1 but for the committee of "standing". With
        "predictability" they are measured without gradient but for beta: masked reconstruction
        alone teaches the network to predict. If the other losses reached the errors, planted
        highlights would be learned by predicting them worse on purpose, and the budget would be
        met by predicting everything equally badly.

        Args:
            side: Which branch.
            input_BTI: What `Branch.prepare` returns.
            latent_BTD: What `encode` made of it; not needed for "predictability" and "standing".
            mask_BT: True for valid clips.
            offset_B: Position of each row's first clip in its video; 0 where None.
            signal_BT: Motion in [0, 1] for the picture, loudness in dBFS for sound; only
                "standing" looks at it, and does without where None.
        """
        if self.config.activation == "standing":
            quantiles = self.config.standing_quantiles
            rows_BTS = relational_features(input_BTI.detach(), mask_BT, num_quantiles=quantiles)
            signal = self.measured_signal(side, signal_BT, mask_BT)
            stood: Tensor = self.standing(rows_BTS, signal, mask_BT)
            return stood
        if self.config.activation == "predictability":
            with torch.no_grad():
                error_BT = self.prediction_errors(side, input_BTI, mask_BT, offset_B=offset_B)
            compared: Tensor = self.rasl.compare(error_BT, mask_BT)
            return compared[..., None]
        assert latent_BTD is not None
        logits: Tensor = self.rasl(latent_BTD, mask_BT)
        return logits[..., None]

    @staticmethod
    def measured_signal(side: Side, signal_BT: Tensor | None, mask_BT: Tensor) -> Tensor:
        """What the relational head gets of motion or loudness; zeros where there is none."""
        if signal_BT is None:
            return torch.zeros(mask_BT.shape, device=mask_BT.device)
        if side == "visual":
            log_BT = (signal_BT.clamp(min=0) + _STILL).log()
            return relative_signal(log_BT, mask_BT, least_spread=_LEAST_MOTION_SPREAD)
        return relative_signal(signal_BT, mask_BT, least_spread=_LEAST_LOUDNESS_SPREAD)

    def prediction_errors(
        self,
        side: Side,
        input_BTI: Tensor,
        mask_BT: Tensor,
        *,
        offset_B: Tensor | None = None,
        run_B: Tensor | None = None,
    ) -> Tensor:
        """How badly each clip is predicted from the rest: root mean square error, `(B, T)`.

        Runs of clips are dealt to `hidden_groups` groups in turn. Each group is hidden once, and
        reconstructed as in training from what is left, so the cost is that many passes whatever
        the length. The logit of `RaslHead.compare` then is alpha * (error / mean error - 1) +
        beta: what its own video does not foretell stands out.

        Args:
            side: Which branch.
            input_BTI: What `Branch.prepare` returns.
            mask_BT: True for valid clips; the others get 0.
            offset_B: Position of each row's first clip in its video; 0 where None. It decides the
                groups too, so that they are the same in every window of a long video.
            run_B: Clips that are hidden together, at least 1; `hidden_run` of each row's valid
                clips where None.
        """
        if run_B is None:
            run_B = self.hidden_run(mask_BT.sum(1))
        position_BT = torch.arange(mask_BT.shape[1], device=mask_BT.device)[None]
        if offset_B is not None:
            position_BT = position_BT + offset_B[:, None]
        groups = self.config.hidden_groups
        group_BT = position_BT // run_B[:, None] % groups
        error_BT = torch.zeros_like(input_BTI[..., 0])
        for group in range(groups):
            hidden_BT = (group_BT == group) & mask_BT
            latent = self.encode(side, input_BTI, mask_BT, offset_B=offset_B, hidden_BT=hidden_BT)
            decoded = self.decode(side, latent, mask_BT, offset_B=offset_B)
            found_BT = (decoded - input_BTI).square().mean(-1).sqrt()
            error_BT = torch.where(hidden_BT, found_BT, error_BT)
        return error_BT

    def hidden_run(self, num_clips: Tensor) -> Tensor:
        """Clips that are hidden together in videos of that many, int64, shape as given.

        Fewer in short videos, so that all groups get some and most of the video stays in sight.
        """
        return (num_clips // self.config.hidden_groups).clamp(1, self.config.hidden_run_clips)

    def _positions(self, x_BTD: Tensor, offset_B: Tensor | None) -> Tensor | None:
        if self.config.position == "none":
            return None
        index_1T = torch.arange(x_BTD.shape[1], device=x_BTD.device)[None]
        if offset_B is not None:
            index_1T = index_1T + offset_B[:, None]
        return self.position_table[index_1T % self.config.window_clips].to(x_BTD.dtype)


def count_parameters(network: RaslNetwork, *, vision_only: bool = False) -> int:
    """Trained numbers in all, or those that scoring with the picture alone needs."""
    if not vision_only:
        return sum(p.numel() for p in network.parameters())
    branch = network.branch("visual")
    if network.config.activation == "standing":
        return sum(p.numel() for p in network.standing.parameters())
    parts: list[nn.Module] = [branch.embed, branch.encoder, network.rasl]
    used = 0
    if network.config.activation == "predictability":
        parts += [branch.decoder, branch.reconstruct]
        used = branch.hidden_token.numel()
    return used + sum(p.numel() for part in parts for p in part.parameters())
