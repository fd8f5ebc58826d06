"""Brings decoded pictures of any shape onto one canvas: 8 bit, 4:2:0, square pixels.

A picture is scaled as a whole and never distorted; what it does not cover is black. Its colours
keep their meaning where sources state different matrices or ranges. Primaries and transfer curves
are left as they are: no tone mapping, so that HDR stays HDR in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from hlcli.media.container import reformat, unreadable
from hlcli.media.probe import MediaInfo

Planes = npt.NDArray[np.uint8]
"""Planar 4:2:0 as raw video has it: Y, then U, then V; uint8, shape `(3 * height // 2, width)`."""

_UNSPECIFIED = 2
_BT709, _BT601 = 1, 6
_LIMITED, _FULL = 1, 2
_HDR_CURVES = (16, 18)  # PQ and HLG


@dataclass(frozen=True, slots=True)
class Colour:
    """What a stream says about its colours, in the numbers of ISO/IEC 23091-2; 2 is unsaid."""

    primaries: int = _UNSPECIFIED
    """Primaries: 1 is BT.709, 9 BT.2020."""
    curve: int = _UNSPECIFIED
    """Transfer curve: 1 is BT.709, 16 PQ, 18 HLG."""
    matrix: int = _UNSPECIFIED
    """Matrix from RGB to luma and chroma: 1 is BT.709, 5 and 6 BT.601, 9 BT.2020."""

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Colour:
        """Read it from a decoded frame."""
        matrix = int(frame.colorspace)
        return cls(
            primaries=int(frame.color_primaries) or _UNSPECIFIED,
            curve=int(frame.color_trc) or _UNSPECIFIED,
            matrix=matrix or _UNSPECIFIED,  # 0 is RGB, which 4:2:0 is not
        )

    @property
    def is_hdr(self) -> bool:
        """Whether it has a high dynamic range."""
        return self.curve in _HDR_CURVES

    def matrix_at(self, height: int) -> int:
        """Return the matrix, for an unsaid one what players take at that height in pixels."""
        if self.matrix != _UNSPECIFIED:
            return self.matrix
        return _BT709 if height >= 720 else _BT601


class Canvas:
    """Fits the pictures of one source into a size."""

    def __init__(
        self, info: MediaInfo, *, width: int, height: int, colour: Colour, cover: bool = False
    ) -> None:
        """Work out the place of the picture.

        Args:
            info: What `probe` said about the source.
            width: Of the canvas, in pixels, even.
            height: Of the canvas, in pixels, even.
            colour: What the result shall say about its colours.
            cover: Fill the height and keep the full width, to be cropped afterwards; the result is
                then as wide as it comes out, at least `width`.
        """
        self._info = info
        self._colour = colour
        self._reformatter = VideoReformatter()
        fit = max if cover else min
        scale = fit(Fraction(width, info.width), Fraction(height, info.height))
        self.picture_width = _even(info.width * scale)
        self.picture_height = _even(info.height * scale)
        # A pixel or two of bars are an odd size, not another shape.
        if abs(self.picture_width - width) <= 2:
            self.picture_width = width
        if abs(self.picture_height - height) <= 2:
            self.picture_height = height
        self.width = max(width, self.picture_width) if cover else width
        self.height = max(height, self.picture_height) if cover else height
        self._blank = blank(self.width, self.height)

    def place(self, frame: av.VideoFrame) -> Planes:
        """Return a decoded frame upright on the canvas; the array is the caller's.

        Raises:
            MediaUnreadableError: It has a shape or colours that cannot be converted.
        """
        return self._placed(self._scaled(frame, *self._stored_size), self._blank)

    def opacity(self, frame: av.VideoFrame) -> Planes:
        """Return how opaque each place of the canvas is, 0 to 255, in planes as `place` gives them.

        Around the picture nothing is.

        Raises:
            MediaUnreadableError: It has a shape or colours that cannot be converted.
        """
        width, height = self._stored_size
        shown = reformat(self._reformatter, frame, width=width, height=height, format="rgba")
        if shown is None:
            raise unreadable(self._info.path, "a picture of it cannot be converted")
        alpha = np.asarray(shown.to_ndarray()[:, :, 3], dtype=np.uint8)
        quarters = alpha.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        half = quarters.round().astype(np.uint8)
        return self._placed(_joined([alpha, half, half]), np.zeros_like(self._blank))

    @property
    def _stored_size(self) -> tuple[int, int]:
        """Width and height of the picture before it is turned."""
        size = (self.picture_width, self.picture_height)
        return size[::-1] if self._info.rotation_degrees in (90, 270) else size

    def _placed(self, planes: Planes, around: Planes) -> Planes:
        """Return planes of the stored size upright, amid those around them."""
        width, height = self.picture_width, self.picture_height
        if self._info.rotation_degrees or self._info.is_mirrored:
            planes = _joined([self._info.upright(plane) for plane in split(planes)])
        if (width, height) == (self.width, self.height):
            return planes
        result: Planes = around.copy()
        top, left = (self.height - height) // 4 * 2, (self.width - width) // 4 * 2
        for index, (target, plane) in enumerate(zip(split(result), split(planes), strict=True)):
            half = 2 if index else 1
            y, x = top // half, left // half
            target[y : y + plane.shape[0], x : x + plane.shape[1]] = plane
        return result

    def _scaled(self, frame: av.VideoFrame, width: int, height: int) -> Planes:
        said = Colour.of(frame)
        matrix, wanted = said.matrix_at(frame.height), self._colour.matrix_at(self.height)
        is_full = frame.format.name.startswith("yuvj") or int(frame.color_range) == _FULL
        as_it_is = (
            frame.format.name == "yuv420p"
            and (frame.width, frame.height) == (width, height)
            and _swscale(matrix) == _swscale(wanted)
            and not is_full
        )
        if not as_it_is:
            is_rgb = frame.format.is_rgb
            scaled = reformat(
                self._reformatter,
                frame,
                width=width,
                height=height,
                format="yuv420p",
                interpolation=Interpolation.BICUBIC,
                src_colorspace=None if is_rgb else _swscale(matrix),
                dst_colorspace=_swscale(wanted),
                src_color_range=_FULL if is_full or is_rgb else _LIMITED,
                dst_color_range=_LIMITED,
            )
            if scaled is None:
                raise unreadable(self._info.path, "a picture of it cannot be converted")
            frame = scaled
        return np.ascontiguousarray(frame.to_ndarray(), dtype=np.uint8)


def layered(below: Planes, above: Planes, opacity: Planes) -> Planes:
    """Return a picture with another over it, as opaque as `Canvas.opacity` says.

    Its colours count as they are stored: straight, not multiplied by the opacity.
    """
    share = opacity.astype(np.uint16)
    mixed = above * share + below * (255 - share)
    return np.asarray((mixed + 127) // 255, dtype=np.uint8)


def blank(width: int, height: int) -> Planes:
    """Return a black picture."""
    planes = np.full((height * 3 // 2, width), 128, dtype=np.uint8)
    planes[:height] = 16
    return planes


def split(planes: Planes) -> tuple[Planes, Planes, Planes]:
    """Return views of Y, U and V, each in its own shape."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    return planes[:height], chroma[0], chroma[1]


def crop(planes: Planes, *, left: int, top: int, width: int, height: int) -> Planes:
    """Return a part of a picture; all four numbers are even, in pixels."""
    y, u, v = split(planes)
    half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
    return _joined([y[top : top + height, left : left + width], u[half], v[half]])


def _joined(planes: list[Planes]) -> Planes:
    height, width = planes[0].shape
    result = np.empty((height * 3 // 2, width), dtype=np.uint8)
    for target, plane in zip(split(result), planes, strict=True):
        target[:] = plane
    return result


def _even(size: Fraction) -> int:
    return max(2, round(size / 2) * 2)


def _swscale(matrix: int) -> int:
    # swscale counts BT.601's two as one, and has no name for the rest.
    return {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}.get(matrix, 5)
