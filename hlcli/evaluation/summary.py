"""From scores of frames to a summary of limited length, and how far two summaries agree.

The way of the public summarisation benchmarks: a video comes cut into segments, a segment is worth
the mean score of its frames, and a knapsack picks segments up to a share of the video's length.

Axes: N frames, S segments, U annotators.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Float64: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Integers: TypeAlias = npt.NDArray[np.int64]

LENGTH_SHARE = 0.15
"""Longest summary, as a share of the video's frames."""


def summarise(
    scores_N: Float64, segment_starts_S: Integers, *, seed: int = 0, share: float = LENGTH_SHARE
) -> Bools:
    """Return which frames the best summary by these scores holds.

    Scores are first brought to [0, 1] by their least and greatest value, because the knapsack adds
    them up and takes nothing that is below zero; a constant score is worth 1 everywhere.

    Args:
        scores_N: One finite number per frame, shape `(N,)`, any scale.
        segment_starts_S: First frame of each segment, ascending, beginning with 0.
        seed: Decides between summaries of equal worth.
        share: Longest summary as a share of all frames, in [0, 1].

    Raises:
        ValueError: A score is not a finite number, or the segments do not begin with frame 0.
    """
    scores = np.asarray(scores_N, dtype=np.float64)
    starts = np.asarray(segment_starts_S, dtype=np.int64)
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number")
    if len(starts) == 0 or starts[0] != 0:
        raise ValueError("segments begin with frame 0")
    spread = scores.max() - scores.min()
    unit_N = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    lengths = np.diff(np.append(starts, len(scores)))
    worth = np.add.reduceat(unit_N, starts) / lengths
    chosen = knapsack(worth, lengths, capacity=int(len(scores) * share), seed=seed)
    return np.repeat(chosen, lengths)


def knapsack(worth_S: Float64, lengths_S: Integers, *, capacity: int, seed: int = 0) -> Bools:
    """Choose the segments whose worth adds up highest within a length, exactly.

    Args:
        worth_S: Worth of each segment, not negative, shape `(S,)`.
        lengths_S: Whole length of each segment, at least 1, shape `(S,)`.
        capacity: Greatest total length.
        seed: Decides between choices of equal worth; the order of the segments never does.

    Returns:
        True where a segment is chosen, shape `(S,)`.
    """
    order = np.random.default_rng(seed).permutation(len(worth_S))
    best_C = np.zeros(capacity + 1)
    taken_SC = np.zeros((len(order), capacity + 1), dtype=bool)
    for step, segment in enumerate(order):
        length = int(lengths_S[segment])
        if length > capacity:
            continue
        with_it = best_C[: capacity + 1 - length] + worth_S[segment]
        taken_SC[step, length:] = with_it > best_C[length:]
        best_C[length:] = np.maximum(with_it, best_C[length:])
    chosen = np.zeros(len(order), dtype=bool)
    left = capacity
    for step in range(len(order) - 1, -1, -1):
        if taken_SC[step, left]:
            chosen[order[step]] = True
            left -= int(lengths_S[order[step]])
    return chosen


def f_scores(summary_N: npt.ArrayLike, references_NU: npt.ArrayLike) -> Float64:
    """F1 of one summary against each annotator's; 0 where they share no frame.

    Args:
        summary_N: True (or 1) for each frame of the summary, shape `(N,)`.
        references_NU: The same for each annotator, shape `(N, U)`.

    Returns:
        In [0, 1], shape `(U,)`.
    """
    summary = np.asarray(summary_N, dtype=np.float64)
    references = np.asarray(references_NU, dtype=np.float64)
    shared_U = summary @ references
    both_U = summary.sum() + references.sum(axis=0)
    return np.asarray(2 * shared_U / np.maximum(both_U, 1))
