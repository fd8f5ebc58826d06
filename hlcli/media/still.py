"""Single frames of a video, by their number, exactly."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from hlcli.media.clips import ClipGrid
from hlcli.media.container import main_video_stream, open_media, unreadable
from hlcli.media.decode import open_decoder
from hlcli.media.extent import packet_ticks
from hlcli.media.plan import Clock, DecodePlan, Segment
from hlcli.media.probe import MediaInfo
from hlcli.media.segment import SegmentResult

# How far before a frame a seek goes until it meets a keyframe early enough, in seconds.
_STEPS_BACK_SECONDS = (0, 2, 10, 60)
_WHOLE = (Segment(0, None, None),)


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
    is on screen then. So it holds for variable rates too.

    Args:
        info: What `probe` said about the file.
        frames: Numbers from the first frame, 0 or more; each is decoded once.
        height: Height of the pictures in pixels, at least 1; the width follows the shape.

    Yields:
        The stills in the order of their numbers; what cannot be decoded is left out.

    Raises:
        MediaError: The file can no longer be opened.
    """
    with open_media(info.path) as container:
        stream = main_video_stream(container)
        if stream is None:
            raise unreadable(info.path, "its picture is gone")
        clock = _clock(container, stream)
    reformatter = VideoReformatter()
    for number in sorted(set(frames)):
        shown = _shown_at(info, clock, float((number + 0.5) / info.frame_rate))
        if shown is not None:
            yield Still(frame=number, rgb_HWC=_upright(shown, info, height, reformatter))


def _clock(container: InputContainer, stream: VideoStream) -> Clock:
    if container.format.name == "avi":
        return Clock.ORDER
    with contextlib.suppress(av.FFmpegError):
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                return Clock.COUNT if packet.pts is None else Clock.PTS
    return Clock.PTS


def _shown_at(info: MediaInfo, clock: Clock, seconds: float) -> av.VideoFrame | None:
    """Return the last frame that starts at or before an instant, the first one before it."""
    plan = DecodePlan(keyframes_only=False, skip_frame="DEFAULT", clock=clock, segments=_WHOLE)
    keyframes = _keyframes_before(info, seconds) if clock is Clock.PTS else ()
    for start in itertools.chain(keyframes, [None]):
        shown: av.VideoFrame | None = None
        with open_decoder(info, ClipGrid(1), plan, picture_size=1, num_threads=1) as decoder:
            for at, frame in decoder.frames(Segment(0, start, None), SegmentResult(0, range(0))):
                if at > seconds and (shown is not None or start is not None):
                    break
                shown = frame
        if shown is not None:
            return shown
    return None


def _keyframes_before(info: MediaInfo, seconds: float) -> Iterator[int]:
    """Yield the times of keyframes from which an instant may be decoded, in ticks, latest first.

    More than one, because a transport stream does not always find again what it once found.
    """
    with open_media(info.path) as container:
        stream = main_video_stream(container)
        if stream is None or not stream.time_base:
            return
        wanted = int((seconds + float(info.video_start_seconds)) / stream.time_base)
        latest: int | None = None
        for back in _STEPS_BACK_SECONDS:
            try:
                container.seek(wanted - int(back / stream.time_base), stream=stream)
                ticks = _first_keyframe(container, stream)
            except av.FFmpegError:
                continue
            if ticks is not None and ticks <= wanted and (latest is None or ticks < latest):
                latest = ticks
                yield ticks


def _first_keyframe(container: InputContainer, stream: VideoStream) -> int | None:
    # Some containers land between keyframes.
    for packet in container.demux(stream):
        ticks = packet_ticks(packet, container)
        if packet.size and packet.is_keyframe and ticks is not None:
            return ticks
    return None


def _upright(
    frame: av.VideoFrame, info: MediaInfo, height: int, reformatter: VideoReformatter
) -> npt.NDArray[np.uint8]:
    width = max(1, round(height * info.width / info.height))
    on_its_side = info.rotation_degrees in (90, 270)
    small = reformatter.reformat(
        frame,
        width=height if on_its_side else width,
        height=width if on_its_side else height,
        format="rgb24",
        interpolation=Interpolation.AREA,
    )
    turned = np.rot90(small.to_ndarray(), -info.rotation_degrees // 90)
    return np.ascontiguousarray(turned)
