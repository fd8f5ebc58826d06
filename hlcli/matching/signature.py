"""What of a picture stays the same when it is scaled, cropped and graded: its local contrast.

Axes: N frames, H and W pixels, P numbers of a signature.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hlcli.media.grey import Rect

FloatArray = npt.NDArray[np.float32]

SIGNATURE_HEIGHT = 27
SIGNATURE_WIDTH = 48
_BLUR_PIXELS = 3.0
# Noise of compression, in 8-bit levels: local contrast below it is none.
_NOISE = 4.0
_BLACK = 28
"""Bars are at most so bright, in full-range levels; compression smears into them."""
_MOST_BARS = 0.45


def resampled(
    frames_NHW: npt.NDArray[np.generic], rect: Rect, height: int, width: int
) -> FloatArray:
    """Return a part of pictures at another size, float32, shape `(N, height, width)`.

    Args:
        frames_NHW: Pictures, shape `(N, H, W)`.
        rect: The part of them.
        height: Of the result, in pixels.
        width: Of the result, in pixels.
    """
    rows = _weights(frames_NHW.shape[1], height, round(rect[1], 5), round(rect[3], 5))
    columns = _weights(frames_NHW.shape[2], width, round(rect[0], 5), round(rect[2], 5))
    found: FloatArray = rows @ (frames_NHW.astype(np.float32) @ columns.T)
    return found


def local_contrast(frames_NHW: FloatArray) -> FloatArray:
    """Return pictures without their brightness and contrast, each measured around every pixel.

    Args:
        frames_NHW: Brightness in [0, 255], float32, shape `(N, H, W)`.

    Returns:
        About -3 to 3, the same shape.
    """
    across, down = (_blur(size) for size in frames_NHW.shape[:0:-1])
    mean = down @ (frames_NHW @ across.T)
    centred = frames_NHW - mean
    variance = down @ ((centred * centred) @ across.T)
    overall = (centred * centred).mean(axis=(1, 2), keepdims=True)
    found: FloatArray = centred / np.sqrt(np.maximum(variance, 0) + _NOISE**2 + 0.1 * overall)
    return found


def signatures(frames_NHW: npt.NDArray[np.generic], rect: Rect) -> FloatArray:
    """Return the signature of a part of each picture, rows of length 1, shape `(N, P)`.

    A row is 0 where there is nothing to see. The dot product of two rows is their correlation.
    """
    small = resampled(frames_NHW, rect, SIGNATURE_HEIGHT, SIGNATURE_WIDTH)
    return unit_rows(local_contrast(small).reshape(len(small), -1))


def details(frames_NHW: npt.NDArray[np.generic], rect: Rect) -> FloatArray:
    """Return a part of each picture without its brightness around every pixel, shape `(N, P)`.

    Unlike signatures these add up: those of a dissolve are the sum of what it mixes.
    """
    small = resampled(frames_NHW, rect, SIGNATURE_HEIGHT, SIGNATURE_WIDTH)
    across, down = (_blur(size) for size in small.shape[:0:-1])
    found: FloatArray = (small - down @ (small @ across.T)).reshape(len(small), -1)
    return found


def unit_rows(rows_NP: FloatArray) -> FloatArray:
    """Return rows without their mean, of length 1; those of almost none stay near 0."""
    centred = rows_NP - rows_NP.mean(axis=1, keepdims=True)
    length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    # A picture without detail has a length of noise alone.
    found: FloatArray = centred / np.maximum(length, 0.05 * np.sqrt(rows_NP.shape[1]))
    return found


def picture_inside(rows_max_H: npt.NDArray[np.uint8], columns_max_W: npt.NDArray[np.uint8]) -> Rect:
    """Return the part of a picture that is not black bars.

    Args:
        rows_max_H: The brightest pixel that each row ever has, in [0, 255].
        columns_max_W: The same of each column.
    """
    top, bottom = _inside(rows_max_H)
    left, right = _inside(columns_max_W)
    return left, top, right, bottom


def _inside(brightest: npt.NDArray[np.uint8]) -> tuple[float, float]:
    size = len(brightest)
    bright = np.flatnonzero(brightest > _BLACK)
    if not len(bright):
        return 0.0, 1.0
    first, last = int(bright[0]), int(bright[-1]) + 1
    if max(first, size - last) > _MOST_BARS * size:
        return 0.0, 1.0
    # The outermost pixel is bar and picture in one.
    return (
        (first + 1) / size if first else 0.0,
        (last - 1) / size if last < size else 1.0,
    )


@lru_cache(maxsize=512)
def _weights(size: int, wanted: int, start: float, end: float) -> FloatArray:
    """Return by what share each pixel goes into each new one, shape `(wanted, size)`."""
    edges = np.linspace(start * size, end * size, wanted + 1)
    # A new pixel that is smaller than an old one takes from its neighbours, too.
    middle, half = (edges[1:] + edges[:-1]) / 2, np.maximum((edges[1:] - edges[:-1]) / 2, 0.5)
    places = np.arange(size)
    overlap = np.minimum(places + 1, (middle + half)[:, None]) - np.maximum(
        places, (middle - half)[:, None]
    )
    overlap = np.maximum(overlap, 0)
    overlap /= np.maximum(overlap.sum(axis=1, keepdims=True), 1e-6)
    found: FloatArray = overlap.astype(np.float32)
    return found


@lru_cache(maxsize=64)
def _blur(size: int) -> FloatArray:
    places = np.arange(size)
    kernel = np.exp(-0.5 * ((places[:, None] - places[None]) / _BLUR_PIXELS) ** 2)
    found: FloatArray = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return found
