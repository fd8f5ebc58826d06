"""Thumbnails of brightness: small enough to compare every frame with the one before.

Taken from a frame's own luma plane by picking samples, so that no full frame is converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

THUMBNAIL_WIDTH = 64
THUMBNAIL_HEIGHT = 36
# Each thumbnail pixel is the sum of 4 x 4 samples: film grain averages out.
_SAMPLES = 4
_SCALE = _SAMPLES * _SAMPLES * 255.0

Thumbnail = npt.NDArray[np.int32]
"""Sums of 16 luma samples, each in [0, 255], shape `(36, 64)`."""

LumaSamples = npt.NDArray[Any]
"""Luma picked from a frame, in 8-bit levels, shape `(144, 256)`."""

_LUMA_FIRST = ("yuv4", "yuvj4", "yuva4", "gray", "nv1", "nv2", "p010", "p016", "p210", "p216")


@dataclass(frozen=True, slots=True)
class LumaPlane:
    """The luma of a frame at full resolution; valid as long as the frame is."""

    pixels: npt.NDArray[np.unsignedinteger[Any]]
    """Shape `(H, W)`, in the turn it is stored in; 8 bits, or more in 16."""
    surplus_bits: int
    """Bits by which the pixels are wider than 8-bit levels."""
    black: int
    """Black, in 8-bit levels."""
    white: int
    """White, in 8-bit levels."""

    def samples(self) -> LumaSamples:
        """Pick 144 x 256 pixels, evenly spread, in 8-bit levels."""
        rows, columns = _grid(*self.pixels.shape)
        picked = self.pixels[rows][:, columns]
        return picked if picked.dtype == np.uint8 else (picked >> self.surplus_bits)


def luma_plane(frame: av.VideoFrame, reformatter: VideoReformatter) -> LumaPlane:
    """Return the luma of a frame, which is not copied where the frame has it as a plane.

    Args:
        frame: A decoded frame of any pixel format.
        reformatter: Scaler for the formats whose first plane is not luma; one per thread.
    """
    pixels = _first_plane(frame)
    if pixels is None:
        small = reformatter.reformat(
            frame,
            width=THUMBNAIL_WIDTH * _SAMPLES,
            height=THUMBNAIL_HEIGHT * _SAMPLES,
            format="gray",
            interpolation=Interpolation.AREA,
        )
        pixels = _first_plane(small)
        assert pixels is not None
        return LumaPlane(pixels, 0, 0, 255)
    surplus_bits = 0 if pixels.dtype == np.uint8 else _surplus_bits(frame)
    is_full = frame.format.name.startswith(("yuvj", "gray")) or (
        int(frame.color_range) == int(ColorRange.JPEG)
    )
    black, white = (0, 255) if is_full else (16, 235)
    return LumaPlane(pixels, surplus_bits, black, white)


def luma_thumbnail(samples: LumaSamples) -> Thumbnail:
    """Return the brightness of a frame on a 64 x 36 grid, in the turn it is stored in."""
    wide = samples.astype(np.uint16).reshape(-1, THUMBNAIL_WIDTH, _SAMPLES)
    across = wide[:, :, 0] + wide[:, :, 1] + wide[:, :, 2] + wide[:, :, 3]
    across = across.reshape(THUMBNAIL_HEIGHT, _SAMPLES, THUMBNAIL_WIDTH)
    down = across[:, 0] + across[:, 1] + across[:, 2] + across[:, 3]
    thumbnail: Thumbnail = down.astype(np.int32)
    return thumbnail


def luma_difference(first: Thumbnail, second: Thumbnail) -> float:
    """Return the mean absolute difference of two thumbnails, in [0, 1]."""
    return float(np.abs(first - second).sum()) / (first.size * _SCALE)


def _first_plane(frame: av.VideoFrame) -> npt.NDArray[np.unsignedinteger[Any]] | None:
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
