"""Small grey pictures of every frame of a stretch of video, for comparing it with another.

Axes: N frames, H = 72 and W = 128 pixels whatever the shape of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from hlcli.media.container import reformat, unreadable
from hlcli.media.probe import MediaInfo
from hlcli.media.shown import ShownFrames

GREY_WIDTH = 128
"""W."""
GREY_HEIGHT = 72
"""H."""

GreyFrames = npt.NDArray[np.uint8]
"""Brightness in [0, 255], upright, shape `(N, 72, 128)`."""
Rect = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of the picture, each in [0, 1] of its width or height."""

WHOLE: Rect = (0.0, 0.0, 1.0, 1.0)
"""All of a picture."""


@dataclass(frozen=True, slots=True)
class GreyReader:
    """Reads frames of one video by their number; use it in a `with` block."""

    info: MediaInfo
    """What `probe` said about it."""
    _shown: ShownFrames
    _reformatter: VideoReformatter

    @classmethod
    def open(cls, info: MediaInfo) -> GreyReader:
        """Open the file.

        Raises:
            MediaError: It can no longer be opened.
        """
        return cls(info, ShownFrames(info), VideoReformatter())

    def __enter__(self) -> GreyReader:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; more than one call does no harm."""
        self._shown.close()

    def frames(self, numbers: range) -> Iterator[GreyFrames]:
        """Yield frames one by one, each of shape `(72, 128)`.

        Frame `i` is what is on screen in the middle of `[i, i + 1) / frame_rate`, as timelines
        count, so that files of variable rate have frames, too.

        Raises:
            MediaUnreadableError: It is damaged or missing there.
        """
        for frame in self._shown.at(self._instants(numbers)):
            yield self._upright(frame, GREY_WIDTH, GREY_HEIGHT, "gray")

    def stretch(self, numbers: range) -> GreyFrames:
        """Return frames together; see `frames`."""
        found = np.empty((len(numbers), GREY_HEIGHT, GREY_WIDTH), np.uint8)
        for place, frame in enumerate(self.frames(numbers)):
            found[place] = frame
        return found

    def pictures(
        self, numbers: Sequence[int], *, size: int, inside: Rect = WHOLE
    ) -> npt.NDArray[np.uint8]:
        """Return frames as an image encoder reads them, uint8 RGB, shape `(N, size, size, 3)`.

        Args:
            numbers: Frames, rising.
            size: Side of the square picture, in pixels.
            inside: The part of the picture to take.

        Raises:
            MediaUnreadableError: It is damaged or missing there.
        """
        left, top, right, bottom = inside
        width, height = round(size / (right - left)), round(size / (bottom - top))
        x = min(round(left * width), width - size)
        y = min(round(top * height), height - size)
        found = np.empty((len(numbers), size, size, 3), np.uint8)
        for place, frame in enumerate(self._shown.at(self._instants(numbers))):
            shown = self._upright(frame, width, height, "rgb24")
            found[place] = shown[y : y + size, x : x + size]
        return found

    def _instants(self, numbers: Sequence[int]) -> Iterator[Fraction]:
        return ((number + Fraction(1, 2)) / self.info.frame_rate for number in numbers)

    def _upright(
        self, frame: av.VideoFrame, width: int, height: int, pixel_format: str
    ) -> npt.NDArray[np.uint8]:
        is_turned = self.info.rotation_degrees in (90, 270)
        small = reformat(
            self._reformatter,
            frame,
            width=height if is_turned else width,
            height=width if is_turned else height,
            format=pixel_format,
            interpolation=Interpolation.AREA,
        )
        if small is None:
            raise unreadable(self.info.path, "a picture of it cannot be converted")
        return np.ascontiguousarray(self.info.upright(small.to_ndarray()))
