"""Which part of a source picture a picture of the film shows.

A film crops, zooms and letterboxes. What it shows is a rectangle of the source of the film
picture's own shape, somewhere in it; or all of it, stretched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hlcli.matching.signature import (
    FloatArray,
    local_contrast,
    resampled,
    signatures,
    unit_rows,
)
from hlcli.media.grey import WHOLE, GreyFrames, Rect

_HEIGHT, _WIDTH = 36, 64
_ZOOMS = (1.0, 0.95, 0.9, 0.84, 0.78, 0.7, 0.6, 0.5)
_STRETCH = 0.03
MOST_PLACEMENTS = 3
"""Parts of a picture that are followed through a shot."""
_AS_GOOD = 0.15
# Below this a rectangle has too little detail to be known again.
_LEAST_SIDE = 10


@dataclass(frozen=True, slots=True)
class Placement:
    """A part of a source frame that looks like a film frame."""

    correlation: float
    """How alike, in [-1, 1]."""
    frame: int
    """Index of the source frame among those given."""
    rect: Rect
    """The part of it."""


def find_placements(
    film_HW: GreyFrames, inside: Rect, source_NHW: GreyFrames, *, shapes: tuple[float, float]
) -> list[Placement]:
    """Find a film frame in source frames, by every zoom and shift; the best first.

    Several, since a zoom of the camera looks like a crop of another instant.

    Args:
        film_HW: The film frame.
        inside: Its picture without bars.
        source_NHW: Source frames.
        shapes: Width divided by height of the film's and of the source's picture, as displayed.
    """
    film_shape = shapes[0] * (inside[2] - inside[0]) / (inside[3] - inside[1])
    sources = local_contrast(resampled(source_NHW, WHOLE, _HEIGHT, _WIDTH))
    found: list[Placement] = []
    for width, height in _sizes(film_shape, shapes[1]):
        rows, columns = round(height * _HEIGHT), round(width * _WIDTH)
        if min(rows, columns) < _LEAST_SIDE:
            continue
        template = local_contrast(resampled(film_HW[None], inside, rows, columns))
        scores = _correlations(unit_rows(template.reshape(1, -1)).reshape(rows, columns), sources)
        frame, y, x = np.unravel_index(int(scores.argmax()), scores.shape)
        # The window is a whole number of pixels, the rectangle is not.
        left = (x + columns / 2) / _WIDTH - width / 2
        top = (y + rows / 2) / _HEIGHT - height / 2
        found.append(
            Placement(float(scores[frame, y, x]), int(frame), _clamped(left, top, width, height))
        )
    found.sort(key=lambda one: -one.correlation)
    return [
        one for one in found[:MOST_PLACEMENTS] if one.correlation > found[0].correlation - _AS_GOOD
    ]


def refined(
    film_NHW: GreyFrames, inside: Rect, source_NHW: GreyFrames, rect: Rect
) -> tuple[float, Rect]:
    """Improve a rectangle on pairs of frames that show the same; returns how alike, and it.

    Args:
        film_NHW: A few film frames.
        inside: Their picture without bars.
        source_NHW: The source frame of each.
        rect: The rectangle to start from.
    """
    wanted = signatures(film_NHW, inside)

    def value(one: Rect) -> float:
        return float((signatures(source_NHW, one) * wanted).sum(axis=1).mean())

    best, best_value = rect, value(rect)
    step = 0.02
    while step > 0.003:
        moved = False
        for one in _neighbours(best, step):
            found = value(one)
            if found > best_value + 1e-4:
                best, best_value, moved = one, found, True
        if not moved:
            step /= 2
    return best_value, best


def _sizes(film_shape: float, source_shape: float) -> Iterator[tuple[float, float]]:
    """Yield widths and heights of rectangles, as shares of the source's."""
    share = film_shape / source_shape
    width, height = min(1.0, share), min(1.0, 1 / share)
    for zoom in _ZOOMS:
        yield width * zoom, height * zoom
    if abs(share - 1) > _STRETCH:
        yield 1.0, 1.0


def _correlations(template: FloatArray, sources_NHW: FloatArray) -> npt.NDArray[np.float32]:
    """Correlate a picture of length 1 with every window of its size, shape `(N, Y, X)`."""
    rows, columns = template.shape
    size = (_HEIGHT, _WIDTH)
    spectrum = np.conj(np.fft.rfft2(template, size))
    products = np.fft.irfft2(np.fft.rfft2(sources_NHW, size) * spectrum, size)
    products = products[:, : _HEIGHT - rows + 1, : _WIDTH - columns + 1]
    energy = _window_sums(sources_NHW**2, rows, columns)
    mean = _window_sums(sources_NHW, rows, columns) / (rows * columns)
    energy -= rows * columns * mean**2
    floor = 0.0025 * rows * columns
    found: npt.NDArray[np.float32] = products / np.sqrt(np.maximum(energy, floor))
    return found


def _window_sums(pictures: FloatArray, rows: int, columns: int) -> npt.NDArray[np.float64]:
    sums = np.zeros((len(pictures), _HEIGHT + 1, _WIDTH + 1))
    sums[:, 1:, 1:] = pictures.cumsum(axis=1, dtype=np.float64).cumsum(axis=2)
    found: npt.NDArray[np.float64] = (
        sums[:, rows:, columns:]
        - sums[:, :-rows, columns:]
        - sums[:, rows:, :-columns]
        + sums[:, :-rows, :-columns]
    )
    return found


def _neighbours(rect: Rect, step: float) -> Iterator[Rect]:
    left, top, right, bottom = rect
    width, height = right - left, bottom - top
    for dx, dy, zoom in (
        (step, 0, 1), (-step, 0, 1), (0, step, 1), (0, -step, 1),
        (0, 0, 1 + step), (0, 0, 1 - step),
    ):  # fmt: skip
        wide, high = min(1.0, width * zoom), min(1.0, height * zoom)
        x = left + dx - (wide - width) / 2
        y = top + dy - (high - height) / 2
        yield _clamped(x, y, wide, high)


def _clamped(left: float, top: float, width: float, height: float) -> Rect:
    left = min(max(0.0, left), max(0.0, 1 - width))
    top = min(max(0.0, top), max(0.0, 1 - height))
    return left, top, min(1.0, left + width), min(1.0, top + height)
