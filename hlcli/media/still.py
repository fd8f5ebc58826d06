"""Single frames of a video, by their number, exactly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation, VideoReformatter

from hlcli.errors import MediaUnreadableError
from hlcli.media.container import reformat, unreadable
from hlcli.media.measures import frame_sharpness
from hlcli.media.probe import MediaInfo
from hlcli.media.shown import ShownFrames

# No screen is as wide; a strip of pixels would be.
_WIDEST = 16384
_REACH_SECONDS = Fraction(1, 2)
_STEPS = 4
"""Frames to choose from on each side."""
_AS_SHARP = 0.65
"""Share of the greatest sharpness from which a frame is left as it is: what is shown changes it,
too, while blur takes away half and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One frame of a video."""

    frame: int
    """Number that was asked for, from the first frame, at the video's constant rate."""
    shown: int
    """Number of the frame that is shown: that one, or a sharper one beside it."""
    rgb_HWC: npt.NDArray[np.uint8]
    """As displayed: upright and in its right shape, uint8, shape `(H, W, 3)`."""


def read_stills(
    info: MediaInfo,
    frames: Iterable[int],
    *,
    height: int,
    within: Mapping[int, range] | None = None,
) -> Iterator[Still]:
    """Decode single frames, or the sharpest ones beside them.

    A frame number names an instant, the middle of that frame at the constant rate; given is what
    is on screen then, past the end the last picture. So it holds for variable rates too.

    Args:
        info: What `probe` said about the file.
        frames: Numbers from the first frame, 0 or more; each is decoded once.
        height: Height of the pictures in pixels, at least 1; the width follows the shape.
        within: For numbers that only mean about this place, the frames among which a sharper one up
            to half a second away is shown instead, where it is clearly sharper.

    Yields:
        The stills in the order of their numbers; what cannot be decoded is left out.

    Raises:
        MediaError: The file can no longer be opened.
    """
    reformatter = VideoReformatter()
    with ShownFrames(info, num_threads=1) as shown:
        for number in sorted(set(frames)):
            found: list[tuple[float, Still]] = []
            for beside in _beside(number, (within or {}).get(number), info.frame_rate):
                instant = Fraction(2 * min(beside, info.num_frames - 1) + 1, 2) / info.frame_rate
                with contextlib.suppress(MediaUnreadableError):
                    [frame] = shown.at([instant])
                    rgb_HWC = _upright(frame, info, height, reformatter)
                    still = Still(frame=number, shown=beside, rgb_HWC=rgb_HWC)
                    found.append((frame_sharpness(frame, reformatter), still))
            if found:
                highest = max(sharpness for sharpness, _ in found)
                sharp = [
                    still
                    for sharpness, still in found
                    if sharpness >= (_AS_SHARP if still.shown == number else 0.95) * highest
                ]
                yield min(sharp, key=lambda still: abs(still.shown - number))


def _beside(number: int, within: range | None, frame_rate: Fraction) -> list[int]:
    """Return frames to choose from, ascending: a number, and others up to half a second away."""
    if not within:
        return [number]
    step = max(1, int(_REACH_SECONDS * frame_rate / _STEPS))
    around = range(number - _STEPS * step, number + _STEPS * step + 1, step)
    return [beside for beside in around if beside in within or beside == number]


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
