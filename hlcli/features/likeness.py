"""How much each second of a video looks like one of some photographs.

The picture encoder's embeddings are compared by their angle, to the nearest photograph. That ranks
the seconds of a scene that was photographed in another take before 99 of 100 foreign ones, and no
other way of centring or cropping that was tried does better (docs/benchmarks/like.md).

Axes: T clips, N photographs, V visual feature size.
"""

from __future__ import annotations

import numpy as np

from hlcli.features.types import FloatArray, RowArray

FOREIGN, SAME = 0.5, 0.85
"""Cosines from which on pictures are alike at all, and as alike as those of one shot are."""
_ROWS_AT_ONCE = 4096


def likeness(visual_TV: RowArray, photographs_NV: RowArray) -> FloatArray:
    """Return how much each clip looks like the nearest photograph, in [0, 1], shape `(T,)`.

    Args:
        visual_TV: Embeddings of the clips, shape `(T, V)`.
        photographs_NV: Embeddings of the photographs by the same encoder, shape `(N, V)`, N at
            least 1.
    """
    photographs = _unit(photographs_NV)
    nearest_T = np.concatenate(
        [
            (_unit(visual_TV[start : start + _ROWS_AT_ONCE]) @ photographs.T).max(axis=1)
            for start in range(0, len(visual_TV), _ROWS_AT_ONCE)
        ]
    )
    return np.clip((nearest_T - FOREIGN) / (SAME - FOREIGN), 0.0, 1.0).astype(np.float32)


def _unit(rows: RowArray) -> FloatArray:
    whole = rows.astype(np.float32)
    length = np.linalg.norm(whole, axis=1, keepdims=True)
    unit: FloatArray = whole / np.maximum(length, 1e-9)
    return unit
