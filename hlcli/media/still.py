"""Single frames of a video, by their number, exactly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from hlcli.errors import MediaUnreadableError
from hlcli.media.container import reformat, unreadable
from hlcli.media.probe import MediaInfo
from hlcli.media.shown import ShownFrames

# No screen is as wide; a strip of pixels would be.
_WIDEST = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One frame of a video."""

    frame: int
    """Its number from the first frame, at the video's constant rate."""
    rgb_HWC: npt.NDArray[np.uint8]
    """As displayed: upright and in its right shape, uint8, shape `(H, W, 3)`."""


def read_stills(info: MediaInfo, frames: Iterable[int], *, height: int) -> Iterator[Still]:
    """Decode single frames.

    A frame number names an instant, the middle of that frame at the constant rate; given is what
    is on screen then, past the end the last picture. So it holds for variable rates too.

    Args:
        info: What `probe` said about the file.
        frames: Numbers from the first frame, 0 or more; each is decoded once.
        height: Height of the pictures in pixels, at least 1; the width follows the shape.

    Yields:
        The stills in the order of their numbers; what cannot be decoded is left out.

    Raises:
        MediaError: The file can no longer be opened.
    """
    reformatter = VideoReformatter()
    with ShownFrames(info, num_threads=1) as shown:
        for number in sorted(set(frames)):
            instant = Fraction(2 * min(number, info.num_frames - 1) + 1, 2) / info.frame_rate
            with contextlib.suppress(MediaUnreadableError):
                [frame] = shown.at([instant])
                yield Still(frame=number, rgb_HWC=_upright(frame, info, height, reformatter))


def _upright(
    frame: av.VideoFrame, info: MediaInfo, height: int, reformatter: VideoReformatter
) -> npt.NDArray[np.uint8]:
    width = max(1, min(_WIDEST, round(height * info.width / info.height)))
    on_its_side = info.rotation_degrees in (90, 270)
    small = reformat(
        reformatter,
        frame,
        width=height if on_its_side else width,
        height=width if on_its_side else height,
        format="rgb24",
        interpolation=Interpolation.AREA,
    )
    if small is None:
        raise unreadable(info.path, "a picture of it cannot be converted")
    return np.ascontiguousarray(info.upright(small.to_ndarray()))
