"""Ways to read one number per clip out of a sequence of vectors, all without labels.

Each measures how a clip stands out of its own video, O(T) in memory. Axes: T clips, D size.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray, RowArray

MAX_REFERENCES = 7200
"""Clips that `knn` compares with; up to two hours at one clip a second it is exact."""

_CHUNK = 512


def read_out(name: str, x_TD: FloatArray, *, nearest_fraction: float = 0.5) -> FloatArray:
    """Compute the read-out of that name; `nearest_fraction` matters to `knn` only.

    Returns:
        Float32, shape `(T,)`; zeros for a video of one clip or of equal clips.
    """
    if name == "knn":
        return knn(x_TD, nearest_fraction=nearest_fraction)
    return {"dmean": dmean, "edev1": shared_deviation, "pc1": pc1}[name](x_TD)


def dmean(x_TD: FloatArray) -> FloatArray:
    """Distance of each clip to the video's mean."""
    distance_T: FloatArray = np.linalg.norm(_centred(x_TD), axis=1).astype(np.float32)
    return distance_T


def shared_deviation(x_TD: FloatArray) -> FloatArray:
    """Deviation that counts if other clips share it: `sqrt(mean_s ((x_t - m).(x_s - m))^2)`.

    The mean over s is `(x_t - m)' C (x_t - m)` with the video's covariance C, so no T x T matrix
    is ever built.
    """
    centred = _centred(x_TD)
    covariance_DD = centred.T @ centred / len(centred)
    energy = np.einsum("td,de,te->t", centred, covariance_DD, centred, optimize=True)
    echo_T: FloatArray = np.sqrt(np.maximum(energy, 0)).astype(np.float32)
    return echo_T


def pc1(x_TD: FloatArray) -> FloatArray:
    """Projection on the video's first principal component, the long tail counted positive.

    The side that few clips are on has the long tail, so the third moment gives the sign.
    """
    centred = _centred(x_TD)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    along = centred @ vectors[:, -1]
    signed_T: FloatArray = (along if (along**3).sum() >= 0 else -along).astype(np.float32)
    return signed_T


def knn(
    x_TD: RowArray, *, nearest_fraction: float = 0.5, max_references: int = MAX_REFERENCES
) -> FloatArray:
    """Mean distance of each clip to the nearest share of the other clips.

    Above `max_references` clips the others are evenly spaced samples of the video, which is an
    approximation; up to it the result is exact. Works in blocks, so that beside the vectors
    memory is O(T).

    Args:
        x_TD: Vectors, shape `(T, D)`.
        nearest_fraction: Share of the other clips, in (0, 1].
        max_references: Most clips to compare with, at least 2.
    """
    num_clips = len(x_TD)
    if num_clips == 1:
        return np.zeros(1, np.float32)
    references = np.arange(num_clips)
    if num_clips > max_references:
        references = np.linspace(0, num_clips - 1, max_references).round().astype(np.int64)
    mean_D = x_TD.mean(axis=0, dtype=np.float64)

    def centred(rows_ND: RowArray) -> FloatArray:
        away_ND: FloatArray = (rows_ND.astype(np.float64) - mean_D).astype(np.float32)
        return away_ND

    other_RD = centred(x_TD[references])
    other_R = (other_RD.astype(np.float64) ** 2).sum(axis=1)
    num_nearest = max(1, math.ceil(nearest_fraction * (len(references) - 1)))
    result = np.empty(num_clips, np.float32)
    for start in range(0, num_clips, _CHUNK):
        block = centred(x_TD[start : start + _CHUNK])
        squared = (block.astype(np.float64) ** 2).sum(axis=1)[:, None] + other_R
        squared -= 2.0 * (block @ other_RD.T)
        # Rounding leaves a clip at a small distance from itself; itself does not count anyway.
        rows = np.arange(start, start + len(block))
        squared[rows[:, None] == references[None, :]] = np.inf
        nearest = np.partition(squared, num_nearest - 1, axis=1)[:, :num_nearest]
        result[start : start + len(block)] = np.sqrt(np.maximum(nearest, 0)).mean(axis=1)
    return result


def _centred(x_TD: FloatArray) -> npt.NDArray[np.float64]:
    x = x_TD.astype(np.float64)
    centred: npt.NDArray[np.float64] = x - x.mean(axis=0)
    return centred
