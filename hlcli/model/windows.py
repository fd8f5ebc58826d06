"""Encodes a video of any length in overlapping windows that leave no seam.

Windows have equal length and evenly spaced starts, so a video just over the limit gets two almost
equal windows, not a long and a short one. Neighbours are cross-faded with a raised cosine.
Positions count from the start of the video, so a clip has the same position in every window.

Axes: T clips of the video, W clips of a window, N windows, D size.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray, RowArray

Encode = Callable[[RowArray, npt.NDArray[np.int64]], FloatArray]
"""Encodes windows: features `(N, W, V)` and their first clips `(N,)` to latents `(N, W, D)`."""


def window_starts(num_clips: int, window_clips: int) -> npt.NDArray[np.int64]:
    """First clip of each window: evenly spaced, at most half a window apart, covering all clips.

    Example:
        >>> window_starts(257, 256).tolist()
        [0, 1]
        >>> window_starts(600, 256).tolist()
        [0, 115, 229, 344]
    """
    if num_clips <= window_clips:
        return np.zeros(1, np.int64)
    num_windows = math.ceil((num_clips - window_clips) / (window_clips // 2)) + 1
    starts: npt.NDArray[np.int64] = (
        np.linspace(0, num_clips - window_clips, num_windows).round().astype(np.int64)
    )
    return starts


def encode_in_windows(
    features_TV: RowArray, encode: Encode, *, window_clips: int, windows_at_once: int = 8
) -> FloatArray:
    """Latents of a whole video, float32, shape `(T, D)`.

    Args:
        features_TV: Features of the video, shape `(T, V)`, T at least 1.
        encode: See `Encode`.
        window_clips: W; a video of at most so many clips is encoded in one piece.
        windows_at_once: Windows in one call of `encode`, which bounds memory.
    """
    num_clips = len(features_TV)
    starts = window_starts(num_clips, window_clips)
    if len(starts) == 1:
        whole_TD: FloatArray = encode(features_TV[None], starts)[0]
        return whole_TD
    fade_W = np.sin(np.pi * (np.arange(window_clips) + 0.5) / window_clips) ** 2
    weight_T1 = np.zeros((num_clips, 1))
    total: npt.NDArray[np.float64] | None = None
    for first in range(0, len(starts), windows_at_once):
        some = starts[first : first + windows_at_once]
        windows = np.stack([features_TV[start : start + window_clips] for start in some])
        for start, latent_WD in zip(some, encode(windows, some), strict=True):
            if total is None:
                total = np.zeros((num_clips, latent_WD.shape[1]))
            total[start : start + window_clips] += fade_W[:, None] * latent_WD
            weight_T1[start : start + window_clips, 0] += fade_W
    assert total is not None
    total /= weight_T1
    latent_TD: FloatArray = total.astype(np.float32)
    return latent_TD
