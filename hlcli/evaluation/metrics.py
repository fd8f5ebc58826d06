"""How well a ranking agrees with labels, for one video at a time.

Ties are broken by a seeded random key and never by index: highlights often stand early in a
benchmark's videos, so a constant score would otherwise look better than chance.

Axes: T clips, R rankings.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[Any]
"""Integers, floats or booleans, one per clip."""


def best_first(scores_T: npt.ArrayLike, *, seed: int = 0) -> npt.NDArray[np.intp]:
    """Return the clip indices in order of falling score, equal scores in seeded random order.

    Args:
        scores_T: One finite number per clip, shape `(T,)`, or many rankings of one video, shape
            `(R, T)`.
        seed: Fixes the order among equal scores.

    Returns:
        Indices of the shape of the scores, best first along the last axis.

    Raises:
        ValueError: The scores have no or more axes, or one is not a finite number.
    """
    scores = np.asarray(scores_T, dtype=np.float64)
    if scores.ndim not in (1, 2):
        raise ValueError(f"scores have one axis, or two for many rankings, got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number")
    tie_key = np.random.default_rng(seed).permutation(scores.shape[-1])
    return np.lexsort((np.broadcast_to(tie_key, scores.shape), -scores))


def average_precision(
    positive_T: npt.ArrayLike, scores_T: npt.ArrayLike, *, seed: int = 0
) -> float:
    """Mean, over the positive clips, of the precision at each one's rank.

    This is the step-wise area under the precision-recall curve, `sum_j (R_j - R_{j-1}) P_j`.

    Args:
        positive_T: True where a clip is a highlight, shape `(T,)`.
        scores_T: What the detector says, shape `(T,)`.
        seed: Fixes the order among equal scores.

    Returns:
        In [0, 1]; 0 when no clip is positive.

    Example:
        >>> round(average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 4)
        0.8333
    """
    hits = _hits_best_first(positive_T, scores_T, seed=seed)
    if not hits.any():
        return 0.0
    precision_at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision_at[hits].mean())


def trapezoid_average_precision(
    positive_T: npt.ArrayLike, scores_T: npt.ArrayLike, *, seed: int = 0
) -> float:
    """Area under the precision-recall curve by trapezoids, as the public benchmark code has it.

    `sum_j (R_j - R_{j-1}) (P_{j-1} + P_j) / 2` with `P_0 = 1` and `R_0 = 0`; it is below
    `average_precision` for the same ranking, so the two must never share a table.

    Args:
        positive_T: True where a clip is a highlight, shape `(T,)`.
        scores_T: What the detector says, shape `(T,)`.
        seed: Fixes the order among equal scores.

    Returns:
        In [0, 1]; 0 when no clip is positive.
    """
    return float(trapezoid_area(_hits_best_first(positive_T, scores_T, seed=seed)))


def top5_average_precision(
    positive_T: npt.ArrayLike, scores_T: npt.ArrayLike, *, seed: int = 0
) -> float:
    """Trapezoid average precision of the five best clips alone, as on TVSum.

    Recall counts only the positives among those five, so a single hit at rank 1 scores 1.0.

    Args:
        positive_T: True where a clip is a highlight, shape `(T,)`.
        scores_T: What the detector says, shape `(T,)`.
        seed: Fixes the order among equal scores.

    Returns:
        In [0, 1]; 0 when none of the five is positive.

    Example:
        >>> round(top5_average_precision([1, 0, 1, 0, 1, 1], [6, 5, 4, 3, 2, 1]), 3)
        0.711
    """
    return float(trapezoid_area(_hits_best_first(positive_T, scores_T, seed=seed)[:5]))


def trapezoid_area(hits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """`trapezoid_average_precision` from the hits, for many rankings or annotators at once.

    Args:
        hits: Whether each clip, best first, is positive, shape `(T, ...)`; of its best five alone
            for `top5_average_precision`.

    Returns:
        In [0, 1], of the shape that is left without the first axis.

    Example:
        >>> trapezoid_area([[1, 0], [0, 1], [1, 0], [0, 0], [1, 0]]).round(4)
        array([0.7111, 0.25  ])
    """
    hit = np.asarray(hits, dtype=np.float64)
    precision = _precision(hit)
    before = np.concatenate((np.ones((1, *hit.shape[1:])), precision[:-1]))
    return np.asarray((hit * (before + precision) / 2).sum(axis=0) / np.maximum(hit.sum(axis=0), 1))


def interpolated_average_precision(hits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean, over the hits, of the best precision at that rank or any later one.

    The form in which Moment-DETR's public evaluation measures highlights on QVHighlights, for
    rankings without equal scores.

    Args:
        hits: Whether each clip, best first, is positive, shape `(T, ...)`, such as one column an
            annotator.

    Returns:
        In [0, 1], of the shape that is left without the first axis; 0 where nothing is positive.

    Example:
        >>> interpolated_average_precision([[0], [1], [1]]).round(4)
        array([0.6667])
    """
    hit = np.asarray(hits, dtype=np.float64)
    precision = _precision(hit)
    best_from_here = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return np.asarray((hit * best_from_here).sum(axis=0) / np.maximum(hit.sum(axis=0), 1))


def _hits_best_first(
    positive_T: npt.ArrayLike, scores_T: npt.ArrayLike, *, seed: int
) -> npt.NDArray[np.bool_]:
    positive, scores = _same_length(positive_T, scores_T)
    return (positive > 0)[best_first(scores, seed=seed)]


def _precision(hit: Numbers) -> Numbers:
    """Share of positives among the clips down to each rank."""
    looked_at = np.arange(1, len(hit) + 1).reshape(-1, *[1] * (hit.ndim - 1))
    return np.asarray(np.cumsum(hit, axis=0) / looked_at)


def _same_length(first_T: npt.ArrayLike, second_T: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    first = np.asarray(first_T, dtype=np.float64)
    second = np.asarray(second_T, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two lists of one length, got {first.shape} and {second.shape}")
    return first, second
