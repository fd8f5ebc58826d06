"""How well a ranking agrees with labels, for one video at a time.

Ties are broken by a seeded random key and never by index: highlights often stand early in a
benchmark's videos, so a constant score would otherwise look better than chance.

Axes: T clips.
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
        scores_T: One finite number per clip, shape `(T,)`.
        seed: Fixes the order among equal scores.

    Raises:
        ValueError: The scores are not one-dimensional, or one is not a finite number.
    """
    scores = np.asarray(scores_T, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"scores have one axis, got shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number")
    tie_key = np.random.default_rng(seed).permutation(len(scores))
    return np.lexsort((tie_key, -scores))


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
    return _trapezoid_area(_hits_best_first(positive_T, scores_T, seed=seed))


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
    return _trapezoid_area(_hits_best_first(positive_T, scores_T, seed=seed)[:5])


def top5_area(hits_5U: npt.ArrayLike) -> float:
    """`top5_average_precision` against many annotators at once, averaged over them.

    Args:
        hits_5U: Whether each of the five best clips, best first, is positive for each annotator,
            shape `(5, U)`; fewer rows for a shorter video.

    Example:
        >>> round(top5_area([[1, 0], [0, 1], [1, 0], [0, 0], [1, 0]]), 4)  # 0.7111 and 0.25
        0.4806
    """
    hits = np.asarray(hits_5U, dtype=np.float64)
    found = np.cumsum(hits, axis=0)
    precision = found / np.arange(1, len(hits) + 1)[:, None]
    before = np.concatenate((np.ones((1, hits.shape[1])), precision[:-1]))
    area_U = (hits * (before + precision) / 2).sum(axis=0) / np.maximum(found[-1], 1)
    return float(area_U.mean())


def interpolated_average_precision(hits_TU: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Mean, over the hits, of the best precision at that rank or any later one, per annotator.

    The form in which Moment-DETR's public evaluation measures highlights on QVHighlights, for
    rankings without equal scores.

    Args:
        hits_TU: Whether each clip, best first, is positive for each annotator, shape `(T, U)`.

    Returns:
        In [0, 1], shape `(U,)`; 0 for an annotator without positives.

    Example:
        >>> interpolated_average_precision([[0], [1], [1]]).round(4)
        array([0.6667])
    """
    hits = np.asarray(hits_TU, dtype=bool)
    found = np.cumsum(hits, axis=0)
    precision = found / np.arange(1, len(hits) + 1)[:, None]
    best_from_here = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return np.asarray((hits * best_from_here).sum(axis=0) / np.maximum(found[-1], 1))


def _hits_best_first(
    positive_T: npt.ArrayLike, scores_T: npt.ArrayLike, *, seed: int
) -> npt.NDArray[np.bool_]:
    positive, scores = _same_length(positive_T, scores_T)
    return (positive > 0)[best_first(scores, seed=seed)]


def _trapezoid_area(hits: npt.NDArray[np.bool_]) -> float:
    if not hits.any():
        return 0.0
    found = np.cumsum(hits)
    precision = np.concatenate(([1.0], found / np.arange(1, len(hits) + 1)))
    recall = np.concatenate(([0.0], found / found[-1]))
    return float(np.sum(np.diff(recall) * (precision[:-1] + precision[1:]) / 2))


def _same_length(first_T: npt.ArrayLike, second_T: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    first = np.asarray(first_T, dtype=np.float64)
    second = np.asarray(second_T, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two lists of one length, got {first.shape} and {second.shape}")
    return first, second
