"""From what a detector scores (rows, clips) to what a benchmark labels (spans).

Axes: T rows or clips, N spans.
"""

from __future__ import annotations

import numpy as np

from hlcli.evaluation.benchmarks.benchmark import Float64


def rows_to_spans(
    times_seconds_T: Float64, scores_T: Float64, spans_seconds_N2: Float64
) -> Float64:
    """Mean of the rows whose instant falls in each half-open span; the nearest row where none does.

    Args:
        times_seconds_T: Instant of each row, ascending, in seconds, shape `(T,)`, at least one.
        scores_T: Score of each row, shape `(T,)`.
        spans_seconds_N2: Start and end of each span, in seconds, shape `(N, 2)`.

    Raises:
        ValueError: Times and scores differ in length, or there is no row.
    """
    if len(times_seconds_T) != len(scores_T) or len(scores_T) == 0:
        raise ValueError(f"{len(times_seconds_T)} instants for {len(scores_T)} scores")
    first, last = np.searchsorted(times_seconds_T, spans_seconds_N2.T, side="left")
    total = np.concatenate(([0.0], np.cumsum(scores_T, dtype=np.float64)))
    inside = last > first
    means = (total[last] - total[first]) / np.maximum(last - first, 1)
    # Differences of long sums are not exactly equal for equal rows, but ties must stay ties.
    means = _rounded(means, scores_T)
    centres = spans_seconds_N2.mean(axis=1)
    right = np.clip(np.searchsorted(times_seconds_T, centres), 0, len(scores_T) - 1)
    left = np.maximum(right - 1, 0)
    is_left = np.abs(centres - times_seconds_T[left]) <= np.abs(times_seconds_T[right] - centres)
    nearest = np.where(is_left, left, right)
    return np.where(inside, means, _rounded(np.asarray(scores_T)[nearest], scores_T))


def clips_to_spans(scores_T: Float64, spans_seconds_N2: Float64, *, clip_seconds: float) -> Float64:
    """Mean of the clips that each span overlaps, weighted by the overlap.

    Clip `t` covers `[t, t + 1) * clip_seconds`. A span that lies outside takes the nearest clip.

    Args:
        scores_T: Score of each clip, shape `(T,)`, at least one.
        spans_seconds_N2: Start and end of each span, in seconds, shape `(N, 2)`.
        clip_seconds: Length of a clip, in seconds.
    """
    scores = np.asarray(scores_T, dtype=np.float64)
    starts, ends = np.clip(spans_seconds_N2.T / clip_seconds, 0, len(scores))
    result = np.empty(len(spans_seconds_N2))
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        first = min(int(start), len(scores) - 1)
        clips = np.arange(first, max(first + 1, int(np.ceil(end))))
        overlap = np.minimum(clips + 1, end) - np.maximum(clips, start)
        if overlap.sum() <= 0:
            overlap = np.ones(len(clips))
        result[i] = np.average(scores[clips], weights=overlap)
    return _rounded(result, scores)


def _rounded(means_N: Float64, scores_T: Float64) -> Float64:
    scale = float(np.abs(scores_T).max()) or 1.0
    return np.asarray(np.round(means_N / scale, 10) * scale)
