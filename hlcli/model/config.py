"""Architecture and fusion settings of the detectors; what a checkpoint needs to be rebuilt.

Everything here is reconstructed from the abstract of the RASL paper (arXiv 2403.09401) or our
own choice; none of it is known to be the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from hlcli.plain_data import suggest

READOUTS: Final = ("dmean", "knn", "edev1", "pc1")
"""Ways to read a score out of a sequence of vectors; see `hlcli.model.readouts`."""

PICTURE_TERMS: Final = (
    "picture_rasl",
    *(f"picture_{name}" for name in READOUTS),
    *(f"picture_z_{name}" for name in READOUTS),
    "picture_background",
    "motion",
)
"""What the picture can contribute: RASL's activation, read-outs of the features ("rarity" reads
the embedding itself, the others its projection), of RASL's shared embedding z, the distance from
the background model of "rarity", and motion."""
SOUND_TERMS: Final = (
    "sound_rasl",
    *(f"sound_{name}" for name in READOUTS),
    *(f"sound_z_{name}" for name in READOUTS),
    "loudness",
)
"""What the sound can contribute, as `PICTURE_TERMS`, and loudness."""

Projection: TypeAlias = Literal["none", "pca", "pls"]
"""Fixed linear map in front of a detector, fitted without labels on the training corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionConfig:
    """How the terms of one clip become one raw score: a weighted mean, one set per modality."""

    mode: Literal["rank", "absolute"] = "rank"
    """"rank": ranks within the video, so that every video spans 0 to 1. "absolute": each term
    standardised by the training corpus, so that raw scores compare between videos."""
    weights_v: dict[str, float] = field(
        default_factory=lambda: {"picture_knn": 1.0, "picture_edev1": 1.0, "motion": 0.5}
    )
    """Weight of each term when only the picture is looked at; names from `PICTURE_TERMS`."""
    weights_a: dict[str, float] = field(
        default_factory=lambda: {"sound_dmean": 1.0, "sound_edev1": 1.0, "loudness": 0.5}
    )
    """Weight of each term when only the sound is listened to; names from `SOUND_TERMS`."""
    weights_va: dict[str, float] = field(
        default_factory=lambda: {
            "picture_dmean": 1.0,
            "picture_edev1": 1.0,
            "motion": 0.5,
            "loudness": 0.5,
        }
    )
    """Weight of each term when both are used; names from either list."""

    def __post_init__(self) -> None:
        both = (*PICTURE_TERMS, *SOUND_TERMS)
        allowed = {"weights_v": PICTURE_TERMS, "weights_a": SOUND_TERMS, "weights_va": both}
        for name, terms in allowed.items():
            weights: dict[str, float] = getattr(self, name)
            for term in weights:
                if term not in terms:
                    raise ValueError(f"{name} has no term {term!r}; {suggest(term, terms)}")
            if not all(math.isfinite(weight) for weight in weights.values()):
                raise ValueError(f"{name} must be finite, got {weights}")
            if not any(weights.values()):
                raise ValueError(f"{name} needs at least one weight other than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubspaceConfig:
    """The closed-form cross-modal subspace and its read-outs."""

    visual_size: int = 1280
    """V, length of one visual feature vector; training sets it from the corpus."""
    audio_size: int = 1024
    """A, length of one sound feature vector; training sets it from the corpus."""
    projection: Literal["pca", "pls"] = "pls"
    """"pls": singular directions of the picture-sound cross-covariance. "pca": of each alone."""
    dim: int = 32
    """Number of directions kept, at least 1; fewer when the corpus has fewer."""
    visual_pca: int = 128
    """Principal components of the picture kept before the cross-covariance, at least `dim`."""
    audio_pca: int = 64
    """Principal components of the sound kept before the cross-covariance, at least `dim`."""
    nearest_fraction: float = 0.5
    """Share of the other clips that `knn` averages the distance to, in (0, 1]."""
    emptiness_power: float = 0.0
    """How much clips that show little are kept from standing out, at least 0; 0 not at all."""
    fusion: FusionConfig = field(default_factory=FusionConfig)
    """Terms and weights; no term of RASL can be used here."""

    def __post_init__(self) -> None:
        if self.dim < 1 or self.visual_pca < self.dim or self.audio_pca < self.dim:
            raise ValueError("1 <= dim <= visual_pca, audio_pca must hold")
        if not 0 < self.nearest_fraction <= 1:
            raise ValueError(f"nearest_fraction lies in (0, 1], got {self.nearest_fraction}")
        if self.emptiness_power < 0:
            raise ValueError(f"emptiness_power is at least 0, got {self.emptiness_power}")
        absent = ("_rasl", "_background")
        _refuse(self.fusion, lambda term: "_z_" in term or term.endswith(absent), "subspace")


def _rarity_fusion() -> FusionConfig:
    return FusionConfig(
        mode="absolute",
        weights_v={"picture_knn": 1.0, "picture_background": 1.0},
        weights_a={"loudness": 1.0},
        weights_va={"picture_knn": 1.0, "picture_background": 1.0, "loudness": 0.2},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RarityConfig:
    """Rarity within the video, and distance from a background of ordinary video."""

    visual_size: int = 1280
    """V, length of one visual feature vector; training sets it from the corpus."""
    nearest_fraction: float = 0.1
    """Share of the other clips that `picture_knn` averages the distance to, in (0, 1]."""
    smoothing_clips: float = 2.0
    """Standard deviation of the Gaussian that scores are smoothed by, in clips, in [0, 60]."""
    fusion: FusionConfig = field(default_factory=_rarity_fusion)
    """Terms and weights: `picture_knn`, `picture_background`, `motion` and `loudness`."""

    def __post_init__(self) -> None:
        if not 0 < self.nearest_fraction <= 1:
            raise ValueError(f"nearest_fraction lies in (0, 1], got {self.nearest_fraction}")
        if not 0 <= self.smoothing_clips <= 60:
            raise ValueError(f"smoothing_clips lies in [0, 60], got {self.smoothing_clips}")
        known = ("picture_knn", "picture_background", "motion", "loudness")
        _refuse(self.fusion, lambda term: term not in known, "rarity")


def _rasl_fusion() -> FusionConfig:
    return FusionConfig(
        mode="absolute",
        weights_v={"picture_rasl": 1.0},
        weights_a={"sound_rasl": 1.0},
        weights_va={"picture_rasl": 1.0, "sound_rasl": 1.0},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RaslConfig:
    """The RASL network, reconstructed from the paper's abstract: architecture only."""

    visual_size: int = 1280
    """V, length of one visual feature vector; training sets it from the corpus."""
    audio_size: int = 1024
    """A, length of one sound feature vector; training sets it from the corpus."""
    input_projection: Projection = "pls"
    """Fixed map in front of the network, stored with it; "none" feeds the features as they are."""
    input_dim: int = 32
    """Number of projected inputs, at least 1; training lowers it when the corpus has fewer."""
    width: int = 128
    """D, size of the latents, even and divisible by `num_heads`."""
    num_layers: int = 2
    """Self-attention layers of each encoder, at least 1."""
    num_decoder_layers: int = 1
    """Self-attention layers of each decoder, at least 1."""
    num_heads: int = 4
    """Attention heads, at least 1."""
    ffn_ratio: int = 4
    """Hidden size of the feed-forward part over `width`, at least 1."""
    dropout: float = 0.1
    """Share of values dropped in training, in [0, 1); 0 makes both k-point views equal."""
    position: Literal["attention", "input", "none"] = "attention"
    """Where the sinusoidal position goes. "attention": into queries and keys only, so that a
    still video has equal latents. "input": added to the content, as in the first transformers."""
    activation: Literal["dev", "edev", "head", "norm", "predictability", "standing"] = "edev"
    """What a representation activation is: distance to the video's mean, echoed deviation (a
    deviation that other clips share), a free linear head, the size of the latent, how badly the
    rest of the video predicts the clip (needs `objective.masked` above 0 to learn how), or what a
    network makes of how the clip stands to the others (needs `objective.planted` above 0)."""
    standing_quantiles: int = 16
    """For "standing": quantiles of the distances to the other clips, at least 2."""
    standing_members: int = 1
    """For "standing": networks whose mean is the activation, at least 1; each learns alone."""
    emptiness_power: float = 0.0
    """How much pictures that show little are kept from standing out, at least 0; 0 not at all."""
    hidden_groups: int = 4
    """For "predictability": passes in which the clips of a video are hidden in turn, at least 2."""
    hidden_run_clips: int = 4
    """For "predictability": longest run of clips hidden together, at least 1."""
    rasl_width: int = 64
    """Size of the map that activations are measured in, at least 1; shared by both modalities."""
    alpha: float = 4.0
    """Fixed gain of the activation logit, above 0."""
    embedding_width: int = 64
    """Size of the contrastive embeddings, at least 1."""
    window_clips: int = 256
    """Longest stretch encoded at once, an even number of at least 4; longer videos are encoded in
    half-overlapping windows. Also the period of the positions."""
    nearest_fraction: float = 0.5
    """Share of the other clips that `knn` read-outs average the distance to, in (0, 1]."""
    fusion: FusionConfig = field(default_factory=_rasl_fusion)
    """Terms and weights; read-outs of the projected inputs need an `input_projection`."""

    def __post_init__(self) -> None:
        counts = "visual_size audio_size input_dim width num_layers num_decoder_layers num_heads"
        for name in f"{counts} ffn_ratio rasl_width embedding_width".split():
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, got {getattr(self, name)}")
        if self.width % self.num_heads or self.width % 2:
            raise ValueError(
                f"width must be even and divisible by num_heads, got {self.width} and "
                f"{self.num_heads}"
            )
        if self.standing_quantiles < 2 or self.standing_members < 1 or self.emptiness_power < 0:
            raise ValueError(
                "standing_quantiles >= 2, standing_members >= 1, emptiness_power >= 0 must hold"
            )
        if self.activation == "standing" and self.input_projection == "none":
            raise ValueError('activation = "standing" needs an input_projection')
        if self.hidden_groups < 2 or self.hidden_run_clips < 1:
            raise ValueError("hidden_groups >= 2, hidden_run_clips >= 1 must hold")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout lies in [0, 1), got {self.dropout}")
        if self.alpha <= 0:
            raise ValueError(f"alpha is above 0, got {self.alpha}")
        if self.window_clips < 4 or self.window_clips % 2:
            raise ValueError(f"window_clips is even and at least 4, got {self.window_clips}")
        if not 0 < self.nearest_fraction <= 1:
            raise ValueError(f"nearest_fraction lies in (0, 1], got {self.nearest_fraction}")
        _refuse(self.fusion, lambda term: term == "picture_background", "rasl")
        if self.input_projection == "none":
            closed = {f"{side}_{name}" for side in ("picture", "sound") for name in READOUTS}
            _refuse(self.fusion, lambda term: term in closed, "rasl without an input_projection")


def _refuse(fusion: FusionConfig, is_missing: Callable[[str], bool], who: str) -> None:
    for name in ("weights_v", "weights_a", "weights_va"):
        for term, weight in getattr(fusion, name).items():
            if weight and is_missing(term):
                raise ValueError(f"fusion.{name}: {who} has no term {term!r}")
