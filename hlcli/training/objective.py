"""The losses, reconstructed from the abstract of arXiv 2403.09401; their equations are our own.

Self-reconstruction gated by the activations, an activation budget, masked feature-vector-sequence
reconstruction, symmetric contrastive learning (SCL), k-point contrast, and, as our addition,
ranking of planted highlights. Each is 0 for a batch that cannot have it.

Axes: B batch, T clips, D size, N rows, M extra negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hlcli.model.attention import masked_mean
from hlcli.model.detector import SIDES, Side
from hlcli.training.dataset import Batch
from hlcli.training.forward import Forward
from hlcli.training.recipe import LOSS_NAMES, ObjectiveConfig


class _Pass:
    """Everything computed once about one modality of a batch."""

    def __init__(
        self,
        network: Forward,
        side: Side,
        batch: Batch,
        rows_N: Tensor,
        *,
        has_latents: bool,
        second_view: bool,
    ) -> None:
        features = batch.visual_BTV if side == "visual" else batch.audio_BTA
        hidden = batch.hidden_visual_BT if side == "visual" else batch.hidden_audio_BT
        self.network, self.side = network, side
        self.mask, self.offset = batch.mask_BT[rows_N], batch.offset_B[rows_N]
        self.hidden = hidden[rows_N] & self.mask
        signal = batch.motion_BT if side == "visual" else batch.loudness_BT
        self.inputs = network.branch(side).prepare(features[rows_N], self.mask)
        self.signal = signal[rows_N]
        self._latent = self._encode() if has_latents else None
        self.member_logits = self._activate(self._latent)
        self.logits = self.member_logits.mean(-1)
        if second_view:
            # The same sequence under other dropout.
            self.second_latent = self._encode()
            self.second_logits = self._activate(self.second_latent).mean(-1)

    @property
    def latent(self) -> Tensor:
        """Latents of the clips; only where they were asked for."""
        assert self._latent is not None
        return self._latent

    def _encode(self, hidden_BT: Tensor | None = None) -> Tensor:
        return self.network.encode(
            self.side, self.inputs, self.mask, offset_B=self.offset, hidden_BT=hidden_BT
        )

    def _activate(self, latent: Tensor | None) -> Tensor:
        return self.network.activate(
            self.side,
            self.inputs,
            latent,
            self.mask,
            offset_B=self.offset,
            signal_BT=self.signal,
        )

    def reconstruction(self) -> Tensor:
        gated = torch.sigmoid(self.logits)[..., None] * self.latent
        return squared_error(self._decode(gated), self.inputs, self.mask)

    def masked(self) -> Tensor:
        latent = self._encode(self.hidden)
        return squared_error(self._decode(latent), self.inputs, self.hidden)

    def budget(self, rho: float) -> Tensor:
        active_B1 = masked_mean(torch.sigmoid(self.logits)[..., None], self.mask)
        return (active_B1 - rho).square().mean()

    def _decode(self, latent: Tensor) -> Tensor:
        return self.network.decode(self.side, latent, self.mask, offset_B=self.offset)


def compute_losses(network: Forward, batch: Batch, config: ObjectiveConfig) -> dict[str, Tensor]:
    """All losses with a weight above 0, unweighted, and "total", their weighted sum.

    Losses of sound are taken over the sequences that have sound.
    """
    every_N = torch.arange(len(batch.mask_BT), device=batch.mask_BT.device)
    audio_N = every_N[batch.has_audio_B]
    second = config.kpoint > 0
    # Activations that are not measured on the latents can do without them.
    latents = bool(config.reconstruction or config.scl or second) or network.activates_latents
    passes = [
        _Pass(network, "visual", batch, every_N, has_latents=latents, second_view=second),
    ]
    if len(audio_N):
        passes.append(
            _Pass(network, "audio", batch, audio_N, has_latents=latents, second_view=False)
        )
    zero = torch.zeros((), device=batch.mask_BT.device)
    losses: dict[str, Tensor] = {}
    if config.reconstruction:
        losses["reconstruction"] = sum((one.reconstruction() for one in passes), zero) / 2
    if config.budget:
        losses["budget"] = sum((one.budget(config.rho) for one in passes), zero) / 2
    if config.masked:
        losses["masked"] = sum((one.masked() for one in passes), zero) / 2
    if config.scl:
        losses["scl"] = _scl(network, passes, audio_N, config) if len(passes) == 2 else zero
    if config.kpoint:
        losses["kpoint"] = _kpoint(network, passes, audio_N, config)
    if config.planted:
        losses["planted"] = _planted(passes, batch, audio_N)
    total = zero
    for name in LOSS_NAMES:
        if name in losses:
            total = total + getattr(config, name) * losses[name]
    return {"total": total, **losses}


def squared_error(got_BTD: Tensor, wanted_BTD: Tensor, where_BT: Tensor) -> Tensor:
    """Mean squared error over the clips in `where_BT`; nothing else has a gradient."""
    error_BT = (got_BTD - wanted_BTD).square().mean(-1)
    return error_BT.masked_fill(~where_BT, 0.0).sum() / where_BT.sum().clamp(min=1)


def info_nce(
    anchor_ND: Tensor, positive_ND: Tensor, extra: Tensor | None, *, temperature: float
) -> Tensor:
    """Tell each anchor's positive from the other rows' positives and from extra negatives.

    Args:
        anchor_ND: Vectors of length 1.
        positive_ND: Row n belongs to anchor n.
        extra: Negatives shared by all, `(M, D)`, or each row's own, `(N, M, D)`, or None.
        temperature: Above 0.
    """
    logits_NM = anchor_ND @ positive_ND.T
    if extra is not None:
        if extra.ndim == 2:
            more = anchor_ND @ extra.T
        else:
            more = torch.einsum("nd,nmd->nm", anchor_ND, extra)
        logits_NM = torch.cat([logits_NM, more], dim=1)
    target_N = torch.arange(len(anchor_ND), device=anchor_ND.device)
    return functional.cross_entropy(logits_NM / temperature, target_N)


def k_point_pool(latent_BTD: Tensor, logits_BT: Tensor, mask_BT: Tensor, *, share: float) -> Tensor:
    """Mean of the k clips of highest logit, softly weighted by it, shape `(B, D)`.

    k = max(1, ceil(share * valid clips)). The choice has no gradient, the weights do.
    """
    ranked = logits_BT.detach().masked_fill(~mask_BT, -torch.inf)
    rank_BT = ranked.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    # Rounded down a hair first: 0.2 * 15 is a little above 3 in binary.
    k_B1 = torch.ceil(share * mask_BT.sum(1, keepdim=True) - 1e-4).clamp(min=1)
    chosen_BT = (rank_BT < k_B1) & mask_BT
    weight_BT = logits_BT.masked_fill(~chosen_BT, -torch.inf).softmax(dim=1)
    return (weight_BT[..., None] * latent_BTD).sum(1)


def _scl(network: Forward, passes: list[_Pass], audio_N: Tensor, config: ObjectiveConfig) -> Tensor:
    mask = passes[1].mask
    latent = {"visual": passes[0].latent[audio_N], "audio": passes[1].latent}
    parts = []
    if config.scl_level in ("global", "both"):
        v, a = (network.embed(side, masked_mean(latent[side], mask)) for side in SIDES)
        forward = info_nce(v, a, None, temperature=config.scl_temperature)
        parts.append((forward + info_nce(a, v, None, temperature=config.scl_temperature)) / 2)
    if config.scl_level in ("local", "both"):
        v, a = (network.embed(side, latent[side]) for side in SIDES)
        parts.append(step_nce(v, a, mask, temperature=config.scl_temperature))
    return torch.stack(parts).mean()


def step_nce(v_BTD: Tensor, a_BTD: Tensor, mask_BT: Tensor, *, temperature: float) -> Tensor:
    """Tell each clip's sound from that of the other clips of its video, and the reverse.

    The neighbours on both sides are no negatives: they often show the same thing.
    """
    similarity_BTT = v_BTD @ a_BTD.transpose(1, 2) / temperature
    index = torch.arange(mask_BT.shape[1], device=mask_BT.device)
    neighbour_TT = (index[:, None] - index[None, :]).abs() == 1
    barred_BTT = neighbour_TT[None] | ~mask_BT[:, None, :] | ~mask_BT[:, :, None]
    # A clip always keeps its own partner, so that no row is empty.
    barred_BTT = barred_BTT & ~torch.eye(len(index), dtype=torch.bool, device=index.device)
    similarity_BTT = similarity_BTT.masked_fill(barred_BTT, -torch.inf)
    own_BT = similarity_BTT.diagonal(dim1=1, dim2=2)
    both_BT = (similarity_BTT.logsumexp(2) + similarity_BTT.logsumexp(1)) / 2 - own_BT
    return both_BT.masked_fill(~mask_BT, 0.0).sum() / mask_BT.sum().clamp(min=1)


def _kpoint(
    network: Forward, passes: list[_Pass], audio_N: Tensor, config: ObjectiveConfig
) -> Tensor:
    def vector(side: Side, latent: Tensor, logits: Tensor, mask: Tensor) -> Tensor:
        pooled = k_point_pool(latent, logits, mask, share=config.kpoint_share)
        return network.embed(side, pooled)

    def negatives(bottom_ND: Tensor) -> Tensor | None:
        if config.kpoint_negatives == "videos":
            return None
        return bottom_ND[:, None] if config.kpoint_negatives == "+own_bottomk" else bottom_ND

    tau = config.kpoint_temperature
    v = passes[0]
    top_v = vector("visual", v.latent, v.logits, v.mask)
    second_v = vector("visual", v.second_latent, v.second_logits, v.mask)
    bottom_v = vector("visual", v.latent, -v.logits, v.mask)
    loss = info_nce(top_v, second_v, negatives(bottom_v), temperature=tau)
    if len(passes) == 2:
        a = passes[1]
        top_a = vector("audio", a.latent, a.logits, a.mask)
        bottom_a = vector("audio", a.latent, -a.logits, a.mask)
        audio_top_v, audio_bottom_v = top_v[audio_N], bottom_v[audio_N]
        across = info_nce(audio_top_v, top_a, negatives(bottom_a), temperature=tau)
        back = info_nce(top_a, audio_top_v, negatives(audio_bottom_v), temperature=tau)
        loss = loss + (across + back) / 2
    return loss / 2


def _planted(passes: list[_Pass], batch: Batch, audio_N: Tensor) -> Tensor:
    """Each member of a committee ranks for itself, by the picture, by sound and by their sum."""
    logits = [passes[0].member_logits]
    planted = [batch.planted_BT]
    if len(passes) == 2:
        planted_with_audio = batch.planted_BT[audio_N]
        sound = passes[1].member_logits
        logits += [sound, passes[0].member_logits[audio_N] + sound]
        planted += [planted_with_audio, planted_with_audio]
    masks = [passes[0].mask] + [one.mask for one in passes[1:] for _ in range(2)]
    losses = [
        pair_ranking(each[..., member], *where)
        for each, *where in zip(logits, planted, masks, strict=True)
        for member in range(each.shape[-1])
    ]
    return torch.stack(losses).mean()


def pair_ranking(logits_BT: Tensor, planted_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Logistic loss over all pairs of a planted and another clip of the same sequence."""
    pair_BTT = (planted_BT & mask_BT)[:, :, None] & (~planted_BT & mask_BT)[:, None, :]
    gap_BTT = logits_BT[:, :, None] - logits_BT[:, None, :]
    loss_BTT = functional.softplus(-gap_BTT).masked_fill(~pair_BTT, 0.0)
    per_sequence_B = loss_BTT.sum((1, 2)) / pair_BTT.sum((1, 2)).clamp(min=1)
    return per_sequence_B.sum() / pair_BTT.any(2).any(1).sum().clamp(min=1)
