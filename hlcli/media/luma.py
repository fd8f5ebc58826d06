"""Thumbnails of brightness: small enough to compare every frame with the one before.

Taken from a frame's own luma plane by picking samples, so that no full frame is converted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

THUMBNAIL_WIDTH = 64
THUMBNAIL_HEIGHT = 36
# Each thumbnail pixel is the sum of 4 x 4 samples: film grain averages out.
_SAMPLES = 4
_SCALE = _SAMPLES * _SAMPLES * 255.0

Thumbnail = npt.NDArray[np.int32]
"""Sums of 16 luma samples, each in [0, 255], shape `(36, 64)`."""

_LUMA_FIRST = ("yuv4", "yuvj4", "yuva4", "gray", "nv1", "nv2", "p010", "p016", "p210", "p216")


def luma_thumbnail(frame: av.VideoFrame, reformatter: VideoReformatter) -> Thumbnail:
    """Return the brightness of a frame on a 64 x 36 grid, in the turn it is stored in.

    Args:
        frame: A decoded frame of any pixel format.
        reformatter: Scaler for the formats whose first plane is not luma; one per thread.
    """
    plane = _luma_plane(frame)
    if plane is None:
        small = reformatter.reformat(
            frame,
            width=THUMBNAIL_WIDTH * _SAMPLES,
            height=THUMBNAIL_HEIGHT * _SAMPLES,
            format="gray",
            interpolation=Interpolation.AREA,
        )
        plane = _luma_plane(small)
        assert plane is not None
    rows, columns = _grid(*plane.shape)
    samples = plane[rows][:, columns]
    shift = _surplus_bits(frame) if samples.dtype != np.uint8 else 0
    wide = (samples >> shift).astype(np.uint16).reshape(-1, THUMBNAIL_WIDTH, _SAMPLES)
    across = wide[:, :, 0] + wide[:, :, 1] + wide[:, :, 2] + wide[:, :, 3]
    across = across.reshape(THUMBNAIL_HEIGHT, _SAMPLES, THUMBNAIL_WIDTH)
    down = across[:, 0] + across[:, 1] + across[:, 2] + across[:, 3]
    thumbnail: Thumbnail = down.astype(np.int32)
    return thumbnail


def luma_difference(first: Thumbnail, second: Thumbnail) -> float:
    """Return the mean absolute difference of two thumbnails, in [0, 1]."""
    return float(np.abs(first - second).sum()) / (first.size * _SCALE)


def _luma_plane(frame: av.VideoFrame) -> npt.NDArray[np.unsignedinteger[Any]] | None:
    name = frame.format.name
    if not name.startswith(_LUMA_FIRST) or name.endswith("be") or name.endswith("f32le"):
        return None
    plane = frame.planes[0]
    if plane.line_size <= 0:
        return None
    dtype = np.dtype(np.uint8) if frame.format.components[0].bits <= 8 else np.dtype("<u2")
    stride = plane.line_size // dtype.itemsize
    pixels: npt.NDArray[np.unsignedinteger[Any]]
    pixels = np.frombuffer(memoryview(plane), dtype=dtype, count=stride * frame.height)
    return pixels.reshape(frame.height, stride)[:, : frame.width]


def _surplus_bits(frame: av.VideoFrame) -> int:
    # P010 and its kin keep their bits at the upper end of each 16-bit word.
    if frame.format.name.startswith(("p0", "p2")):
        return 8
    return frame.format.components[0].bits - 8


@lru_cache(maxsize=16)
def _grid(height: int, width: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    def positions(size: int, count: int) -> npt.NDArray[np.intp]:
        return ((np.arange(count) + 0.5) * size / count).astype(np.intp)

    return (
        positions(height, THUMBNAIL_HEIGHT * _SAMPLES),
        positions(width, THUMBNAIL_WIDTH * _SAMPLES),
    )
