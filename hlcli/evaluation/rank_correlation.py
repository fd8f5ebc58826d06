"""How far two rankings agree: Kendall's tau-b and Spearman's rho, both with ties.

Frame-level labels have ten thousand entries and more, so tau is counted in O(n log n).

Axes: T ranked things (clips, frames).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]
_Int64: TypeAlias = npt.NDArray[np.int64]


def kendall_tau(first_T: npt.ArrayLike, second_T: npt.ArrayLike) -> float:
    """Kendall's tau-b, which allows for ties on both sides.

    Args:
        first_T: One finite number per thing, shape `(T,)`.
        second_T: One finite number per thing, shape `(T,)`.

    Returns:
        In [-1, 1]; 0 when one side is constant, as it then ranks nothing.

    Raises:
        ValueError: The two differ in length, or one has a number that is not finite.

    Example:
        >>> round(kendall_tau([1, 2, 3, 4], [1, 3, 2, 4]), 3)  # 5 pairs agree, 1 does not
        0.667
    """
    first, second = (_levels(side) for side in _same_length(first_T, second_T))
    # The side with fewer levels is the one whose order is counted: fewer passes.
    if first.max(initial=0) < second.max(initial=0):
        first, second = second, first
    pairs = len(first) * (len(first) - 1) // 2
    tied_first, tied_second = _tied_pairs(first), _tied_pairs(second)
    if pairs in (tied_first, tied_second):
        return 0.0
    tied_both = _tied_pairs(_levels(first * (int(second.max()) + 1) + second))
    discordant = _count_inversions(second[np.lexsort((second, first))])
    agreement = pairs - tied_first - tied_second + tied_both - 2 * discordant
    # Two roots: the product of two counts of pairs may not fit 64 bits.
    return float(agreement / np.sqrt(pairs - tied_first) / np.sqrt(pairs - tied_second))


def spearman_rho(first_T: npt.ArrayLike, second_T: npt.ArrayLike) -> float:
    """Spearman's rho: the correlation of the ranks, equal values sharing their mean rank.

    Args:
        first_T: One finite number per thing, shape `(T,)`.
        second_T: One finite number per thing, shape `(T,)`.

    Returns:
        In [-1, 1]; 0 when one side is constant.

    Raises:
        ValueError: The two differ in length, or one has a number that is not finite.
    """
    first, second = (centred_ranks(side) for side in _same_length(first_T, second_T))
    size = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / size) if size > 0 else 0.0


def centred_ranks(values_T: npt.ArrayLike) -> Float64:
    """Rank of each value minus the mean rank; equal values share the mean of their ranks."""
    _, group, counts = np.unique(np.asarray(values_T), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = (last - counts + last - 1) / 2
    return np.asarray(mean_rank[group] - (len(group) - 1) / 2, dtype=np.float64)


def _levels(values_T: npt.NDArray[Any]) -> _Int64:
    return np.unique(values_T, return_inverse=True)[1].astype(np.int64)


def _tied_pairs(levels_T: _Int64) -> int:
    counts = np.bincount(levels_T)
    return int((counts * (counts - 1) // 2).sum())


def _count_inversions(levels_T: _Int64) -> int:
    """Count pairs that stand in falling order; equal ones do not count.

    One pass per bit, highest first. Two values are out of order at the first bit in which they
    differ: there, within a run of equal higher bits, a one stands before a zero.
    """
    total = 0
    levels = levels_T
    for shift in range(int(levels.max(initial=0)).bit_length() - 1, -1, -1):
        higher, bit = levels >> (shift + 1), (levels >> shift) & 1
        ones_before = np.cumsum(bit) - bit
        starts = np.concatenate(([True], higher[1:] != higher[:-1]))
        ones_before_run = ones_before[starts][np.cumsum(starts) - 1]
        total += int((ones_before - ones_before_run)[bit == 0].sum())
        levels = levels[np.argsort(levels >> shift, kind="stable")]
    return total


def _same_length(first_T: npt.ArrayLike, second_T: npt.ArrayLike) -> tuple[Float64, Float64]:
    first = np.asarray(first_T, dtype=np.float64)
    second = np.asarray(second_T, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two lists of one length, got {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a value is not a finite number")
    return first, second
