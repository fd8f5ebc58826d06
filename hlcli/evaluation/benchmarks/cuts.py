"""What stored cuts say about an instant: how long its shot is and how near the next cut.

Axes: T instants, S segmentations, C features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hlcli.evaluation.benchmarks.benchmark import Float64


def cut_features(
    times_seconds_T: Float64,
    boundaries_seconds: Sequence[Float64],
    *,
    duration_seconds: float,
) -> Float64:
    """Describe each instant by its place among the cuts of several segmentations.

    Per segmentation: log2 of the shot's length over 4 s, and of the distance to the nearest cut
    over 1 s, so that usual values lie around 0. A last, constant feature keeps the size of the
    others visible to detectors that bring vectors to one length.

    Args:
        times_seconds_T: Instants, shape `(T,)`.
        boundaries_seconds: Where shots start, the first one's 0 left out, for each segmentation.
        duration_seconds: Length of the video, in seconds.

    Returns:
        Shape `(T, 2 S + 1)`.
    """
    columns = []
    for starts in boundaries_seconds:
        cuts = np.unique(starts[(starts > 0) & (starts < duration_seconds)])
        edges = np.concatenate(([0.0], cuts, [duration_seconds]))
        shot = np.clip(np.searchsorted(edges, times_seconds_T, side="right") - 1, 0, len(cuts))
        columns.append(np.log2(np.maximum(np.diff(edges)[shot], 0.25) / 4))
        to_cut = np.abs(times_seconds_T[:, None] - edges[None, :]).min(axis=1)
        columns.append(np.log2(np.maximum(to_cut, 0.125)))
    columns.append(np.full(len(times_seconds_T), np.sqrt(max(len(columns), 1))))
    return np.stack(columns, axis=1)
