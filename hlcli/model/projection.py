"""Fixed linear maps fitted on an unlabelled corpus: PCA, and PLS between picture and sound.

PLS keeps the first left and right singular vectors of the picture-sound cross-covariance. It is
what a linear symmetric contrastive learning would find, in closed form.

Axes: N corpus clips, V or A feature size, D directions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hlcli.errors import TrainingError
from hlcli.features.types import FloatArray, RowArray

Float64 = npt.NDArray[np.float64]

ROWS_AT_ONCE = 4096
"""Clips whose full feature vectors are calculated with at once: a day of them would not fit."""


def scale_features(features_NV: FloatArray) -> FloatArray:
    """Give each vector the length sqrt(V), so that one number has size 1 on average.

    Args:
        features_NV: Feature vectors, float32, shape `(N, V)`; a vector of zeros stays zero.
    """
    length_N1 = np.linalg.norm(features_NV, axis=1, keepdims=True)
    scale = np.sqrt(features_NV.shape[1]) / np.maximum(length_N1, 1e-12)
    scaled: FloatArray = (features_NV * scale).astype(np.float32)
    return scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearMap:
    """`x = (scaled feature - mean) W`."""

    mean_V: FloatArray
    """Mean of the scaled features of the corpus, float32, shape `(V,)`."""
    weight_VD: FloatArray
    """Directions, float32 with orthonormal columns, shape `(V, D)`."""
    rms: float
    """Root mean square of one projected number over the corpus, above 0."""

    def __call__(self, features_NV: RowArray) -> FloatArray:
        """Project unscaled features of shape `(N, V)` to `(N, D)`, float32, in blocks of rows."""
        projected_ND = np.empty((len(features_NV), self.weight_VD.shape[1]), np.float32)
        for start in range(0, len(features_NV), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            wide = features_NV[rows].astype(np.float32, copy=False)
            centred = (scale_features(wide) - self.mean_V).astype(np.float32, copy=False)
            projected_ND[rows] = centred @ self.weight_VD
        return projected_ND


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionPair:
    """The maps of both modalities."""

    visual: LinearMap
    """Map of the picture features."""
    audio: LinearMap
    """Map of the sound features."""


def fit_projections(
    visual_NV: FloatArray,
    audio_NA: FloatArray,
    *,
    kind: Literal["pca", "pls"],
    dim: int,
    visual_pca: int = 128,
    audio_pca: int = 64,
) -> ProjectionPair:
    """Fit both maps on clips that have picture and sound; no labels are used.

    Args:
        visual_NV: Picture features of all corpus clips, not scaled, float32, shape `(N, V)`.
        audio_NA: Sound features of the same clips, shape `(N, A)`.
        kind: "pls" for the shared directions, "pca" for those of each modality alone.
        dim: Directions to keep, at least 1; fewer are kept when the corpus has fewer.
        visual_pca: Principal components of the picture that PLS starts from.
        audio_pca: Principal components of the sound that PLS starts from.

    Raises:
        TrainingError: Fewer than 4 clips, or all clips of a modality are equal.
    """
    if len(visual_NV) < 4:
        raise TrainingError(
            f"a subspace cannot be fitted on {len(visual_NV)} clips with sound",
            hint="add videos that have an audio track",
        )
    visual = scale_features(visual_NV).astype(np.float64)
    audio = scale_features(audio_NA).astype(np.float64)
    if kind == "pca":
        visual_VD, audio_AD = _principal(visual, dim, "picture"), _principal(audio, dim, "sound")
    else:
        first_VK = _principal(visual, visual_pca, "picture")
        first_AK = _principal(audio, audio_pca, "sound")
        scores_NK = (visual - visual.mean(axis=0)) @ first_VK
        scores_NL = (audio - audio.mean(axis=0)) @ first_AK
        left, _, right = np.linalg.svd(scores_NK.T @ scores_NL / len(visual), full_matrices=False)
        keep = min(dim, left.shape[1])
        visual_VD, audio_AD = first_VK @ left[:, :keep], first_AK @ right[:keep].T
    keep = min(visual_VD.shape[1], audio_AD.shape[1])
    return ProjectionPair(
        visual=_finish(visual, visual_VD[:, :keep]), audio=_finish(audio, audio_AD[:, :keep])
    )


MOST_CLIPS_AT_ONCE = 8192
"""Up to so many clips are fitted as they are; of more, block by block, only sums are kept."""


def fit_projections_to_blocks(
    blocks: Iterable[tuple[FloatArray, FloatArray]],
    num_clips: int,
    *,
    kind: Literal["pca", "pls"],
    dim: int,
    visual_pca: int = 128,
    audio_pca: int = 64,
) -> ProjectionPair:
    """Fit both maps on clips given block by block; memory does not grow with their number.

    Above `MOST_CLIPS_AT_ONCE` clips the maps follow from means and covariances, summed in
    float64; up to it `fit_projections` gets them all. The same blocks give the same bits.

    Args:
        blocks: Picture and sound features of the same clips, as for `fit_projections`.
        num_clips: Clips in all blocks.
        kind: See `fit_projections`.
        dim: See `fit_projections`.
        visual_pca: See `fit_projections`.
        audio_pca: See `fit_projections`.

    Raises:
        TrainingError: See `fit_projections`.
    """
    if num_clips <= MOST_CLIPS_AT_ONCE:
        visual, audio = zip(*blocks, strict=True)
        return fit_projections(
            np.concatenate(visual),
            np.concatenate(audio),
            kind=kind,
            dim=dim,
            visual_pca=visual_pca,
            audio_pca=audio_pca,
        )
    sums = _Sums()
    for visual_NV, audio_NA in blocks:
        sums.add(scale_features(visual_NV), scale_features(audio_NA))
    mean_V, mean_A, covariance_VV, covariance_AA, covariance_VA = sums.moments()
    if kind == "pca":
        visual_VD = _directions(covariance_VV, dim, "picture")
        audio_AD = _directions(covariance_AA, dim, "sound")
    else:
        first_VK = _directions(covariance_VV, visual_pca, "picture")
        first_AK = _directions(covariance_AA, audio_pca, "sound")
        left, _, right = np.linalg.svd(first_VK.T @ covariance_VA @ first_AK, full_matrices=False)
        keep = min(dim, left.shape[1])
        visual_VD, audio_AD = first_VK @ left[:, :keep], first_AK @ right[:keep].T
    keep = min(visual_VD.shape[1], audio_AD.shape[1])
    return ProjectionPair(
        visual=_map_of(mean_V, covariance_VV, visual_VD[:, :keep]),
        audio=_map_of(mean_A, covariance_AA, audio_AD[:, :keep]),
    )


class _Sums:
    """Sums over clips from which means and covariances follow."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, visual_NV: FloatArray, audio_NA: FloatArray) -> None:
        both = visual_NV.astype(np.float64), audio_NA.astype(np.float64)
        if not self.count:
            # Sums of distances to a fixed point near the mean lose fewer digits.
            self.shift = both[0].mean(axis=0), both[1].mean(axis=0)
            self.totals = [np.zeros_like(shift) for shift in self.shift]
            sizes = [len(shift) for shift in self.shift]
            self.squares = [np.zeros((sizes[i], sizes[j])) for i, j in _PAIRS]
        moved = [one - shift for one, shift in zip(both, self.shift, strict=True)]
        self.count += len(visual_NV)
        for total, one in zip(self.totals, moved, strict=True):
            total += one.sum(axis=0)
        for square, (i, j) in zip(self.squares, _PAIRS, strict=True):
            square += moved[i].T @ moved[j]

    def moments(self) -> tuple[Float64, Float64, Float64, Float64, Float64]:
        means = [total / self.count for total in self.totals]
        covariances = [
            square / self.count - np.outer(means[i], means[j])
            for square, (i, j) in zip(self.squares, _PAIRS, strict=True)
        ]
        visual, audio = (s + m for s, m in zip(self.shift, means, strict=True))
        return visual, audio, covariances[0], covariances[1], covariances[2]


_PAIRS = ((0, 0), (1, 1), (0, 1))


def _directions(covariance: Float64, dim: int, what: str) -> Float64:
    """Principal directions from a covariance, as `_principal` gives them."""
    values, vectors = np.linalg.eigh(covariance)
    order = np.argsort(values)[::-1][:dim]
    order = order[values[order] > max(values.max(), 0) * 1e-9]
    # Scaled features have size 1 in all, so a variance this small is rounding.
    if values.max() < 1e-9 or not len(order):
        raise _all_equal(what)
    return _with_fixed_signs(vectors[:, order])


def _map_of(mean: Float64, covariance: Float64, weight: Float64) -> LinearMap:
    variance = float(np.einsum("vd,vw,wd->", weight, covariance, weight, optimize=True))
    return LinearMap(
        mean_V=mean.astype(np.float32),
        weight_VD=np.ascontiguousarray(weight, dtype=np.float32),
        rms=float(max(np.sqrt(max(variance, 0) / weight.shape[1]), 1e-6)),
    )


def _with_fixed_signs(vectors: Float64) -> Float64:
    # eigh leaves the sign open; fix it so that the same corpus gives the same file.
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    fixed: Float64 = vectors * signs
    return fixed


def _all_equal(what: str) -> TrainingError:
    return TrainingError(
        f"the {what} is the same in every clip of the corpus", hint="train on more varied videos"
    )


def _principal(scaled: Float64, dim: int, what: str) -> Float64:
    """Principal directions, at most `dim`, leaving out those without variance."""
    centred = scaled - scaled.mean(axis=0)
    # The smaller of the two Gram matrices: a corpus may have fewer clips than features.
    if len(centred) < centred.shape[1]:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        vectors = centred.T @ vectors
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(values)[::-1][:dim]
    order = order[values[order] > max(values.max(), 0) * 1e-9]
    if values.max() < 1e-9 * max(float((scaled**2).sum()), 1e-30) or not len(order):
        raise _all_equal(what)
    chosen: Float64 = vectors[:, order]
    chosen /= np.linalg.norm(chosen, axis=0)
    return _with_fixed_signs(chosen)


def _finish(scaled: Float64, weight: Float64) -> LinearMap:
    mean = scaled.mean(axis=0)
    projected = (scaled - mean) @ weight
    return LinearMap(
        mean_V=mean.astype(np.float32),
        weight_VD=np.ascontiguousarray(weight, dtype=np.float32),
        rms=float(max(np.sqrt((projected**2).mean()), 1e-6)),
    )
