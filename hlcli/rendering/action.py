"""Where the action is: how a 9:16 crop moves over a wide picture.

Action is change from one picture to the next. Its centre of gravity along the width, weighted by
how much changes, is smoothed over a second and held to a speed that a viewer does not notice as
jumping; where little moves, the crop rests where most of the shot happens. The same shot gives the
same path every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from hlcli.media.canvas import Planes, split

FASTEST_WIDTHS_PER_SECOND = 0.5
"""Greatest speed of the crop, in widths of the whole picture per second."""
LOOK_WIDTH = 128
"""Width at which pictures are compared, in pixels."""
_SMOOTHED_SECONDS = 0.5
# Changes of brightness below this are noise of the camera or the encoder.
_NOISE = 8
# How strongly a still stretch is drawn to the middle of the shot's action.
_REST = 0.05

Path1D = npt.NDArray[np.float64]


def centres_of_change(pictures: Iterable[Planes]) -> tuple[Path1D, Path1D]:
    """Return where and how much each picture differs from the one before it.

    Args:
        pictures: Small pictures in the order they are shown, all of one size.

    Returns:
        The centre of the change along the width, from 0 to 1, and its weight, 0 or more; both of
        shape `(N,)`. The first picture, which has none before it, has the second's.
    """
    centres: list[float] = []
    weights: list[float] = []
    before: npt.NDArray[np.int16] | None = None
    for planes in pictures:
        luma = split(planes)[0].astype(np.int16)
        if before is not None:
            change = np.maximum(np.abs(luma - before) - _NOISE, 0).sum(axis=0, dtype=np.float64)
            weight = float(change.sum())
            places = (np.arange(len(change)) + 0.5) / len(change)
            centres.append(float(change @ places) / weight if weight else 0.5)
            weights.append(weight)
        before = luma
    if not centres:
        return np.full(1, 0.5), np.zeros(1)
    return np.array([centres[0], *centres]), np.array([weights[0], *weights])


def follow(centres: Path1D, weights: Path1D, *, pictures_per_second: float) -> Path1D:
    """Return the path of a crop that follows the action.

    Args:
        centres: From `centres_of_change`.
        weights: From `centres_of_change`.
        pictures_per_second: Of the pictures it was measured on, above 0.

    Returns:
        Centre of the crop along the width, from 0 to 1, one for each picture.
    """
    if not weights.any():
        return np.full(len(centres), 0.5)
    reach = max(1, round(_SMOOTHED_SECONDS * pictures_per_second))
    kernel = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    rest = float(centres @ weights / weights.sum())
    pull = _REST * float(weights.mean()) * float(kernel.sum())
    moved = np.convolve(weights * centres, kernel)[reach:-reach]
    total = np.convolve(weights, kernel)[reach:-reach]
    path = (moved + pull * rest) / (total + pull)
    step = FASTEST_WIDTHS_PER_SECOND / pictures_per_second
    # Both directions of time, so that it is neither always late nor always early.
    forward, backward = _held(path, step), _held(path[::-1], step)[::-1]
    return np.asarray((forward + backward) / 2)


def crop_places(path: Path1D, *, whole: int, part: int) -> list[int]:
    """Return the left edges of crops that follow a path, in even pixels.

    Args:
        path: Centres from 0 to 1.
        whole: Width of the picture, in pixels.
        part: Width of the crop, in pixels.
    """
    edges = np.clip(path * whole - part / 2, 0, whole - part)
    return [int(edge) // 2 * 2 for edge in edges]


def _held(path: Sequence[float] | Path1D, step: float) -> Path1D:
    held = np.empty(len(path))
    at = float(path[0])
    for index, wanted in enumerate(path):
        at = min(max(float(wanted), at - step), at + step)
        held[index] = at
    return held
