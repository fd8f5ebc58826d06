"""Decodes one segment of a video: its clips' pictures, and how much the picture changes."""

from __future__ import annotations

import contextlib
import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter

from hlcli.media.clips import ClipGrid
from hlcli.media.container import decode, main_video_stream, open_media, packets, reformat, seek
from hlcli.media.decode_plan import Clock, DecodePlan, DecodeSegment, clip_target
from hlcli.media.extent import packet_ticks
from hlcli.media.hardware import hardware_decoder
from hlcli.media.luma import (
    LumaPlane,
    LumaSamples,
    Thumbnail,
    luma_difference,
    luma_plane,
    luma_thumbnail,
)
from hlcli.media.measures import MeasuredFrame
from hlcli.media.probe import MediaInfo
from hlcli.media.segment import Picture, SegmentResult, Step

MOTION_STEP_SECONDS = Fraction(1, 4)
"""Distance over which motion is measured, in seconds, so that it means the same at any rate."""
# Keyframes closer than this are thinned out: files of keyframes only (ProRes, MJPEG).
_DENSEST_KEYFRAMES_SECONDS = Fraction(1, 8)
_LOST_SECONDS = Fraction(1, 2)


class SegmentDecoder:
    """Decodes segments one after the other through one open file."""

    def __init__(
        self,
        container: InputContainer,
        info: MediaInfo,
        grid: ClipGrid,
        plan: DecodePlan,
        *,
        picture_size: int,
        num_threads: int,
    ) -> None:
        stream = main_video_stream(container)
        assert stream is not None  # `probe` found it and its clock
        assert stream.time_base
        self._container, self._stream, self._time_base = container, stream, stream.time_base
        self._info, self._grid, self._plan = info, grid, plan
        self._picture_size = picture_size
        self._reformatter = VideoReformatter()
        context = stream.codec_context
        context.thread_count = num_threads
        context.thread_type = "AUTO" if num_threads > 1 else "SLICE"
        context.skip_frame = "DEFAULT" if plan.keyframes_only else plan.skip_frame
        self._broken_since: float | None = None
        self._measured: MeasuredFrame | None = None
        self._packets_end = 0.0
        self._convertible: dict[tuple[object, ...], bool] = {}

    def run(
        self,
        segment: DecodeSegment,
        emit: Callable[[Picture], None],
        should_stop: Callable[[], bool],
    ) -> SegmentResult:
        """Decode one segment, handing each picture to `emit` as soon as it is known."""
        start, end = self._bounds(segment)
        clips = self._clips(start, end)
        result = SegmentResult(segment.index, clips)
        pending = iter(clips)
        clip = next(pending, None)
        before: tuple[float, av.VideoFrame] | None = None
        thumbnail: Thumbnail | None = None
        self._broken_since = None
        self._packets_end = start
        reached_end = False
        last_seconds = start

        def give(chosen: tuple[float, av.VideoFrame]) -> None:
            nonlocal clip
            assert clip is not None
            latest = result.last_picture
            if latest is not None and latest.pts_seconds == chosen[0]:
                # One frame lasts for many clips: a still screen, a time-lapse.
                picture = replace(latest, clip=clip)
            else:
                picture = self._picture(clip, *chosen)
                result.measured.add_picture(clip, picture.rgb_HWC)
            emit(picture)
            result.last_picture = picture
            clip = next(pending, None)

        for seconds, frame in self._frames(segment, result):
            if should_stop():
                return result
            current = (seconds, frame)
            while clip is not None and seconds >= (wanted := self._target(clip)):
                near_before = before is not None and wanted - before[0] <= seconds - wanted
                give(before if near_before and before is not None else current)
            plane = luma_plane(frame, self._reformatter)
            samples = plane.samples()
            newer = luma_thumbnail(samples)
            if before is not None and thumbnail is not None:
                result.change_seconds.extend((before[0], seconds))
                result.change.append(luma_difference(thumbnail, newer))
            if seconds >= end:
                reached_end = True
                break
            self._measure_step(result, seconds, newer, plane, samples)
            before, thumbnail = current, newer
            last_seconds = seconds + 1 / float(self._info.frame_rate)
        while clip is not None and before is not None:
            give(before)
        if clip is not None:
            result.missing_clips = range(clip, clips.stop)
        else:
            result.missing_clips = range(0)
        if not reached_end:
            self._note_lost_end(segment, result, last_seconds, end)
        return result

    def _bounds(self, segment: DecodeSegment) -> tuple[float, float]:
        """Return the segment's first and last instant in seconds from the first frame."""
        duration = float(self._info.duration_seconds)
        start, end = (
            None if ticks is None else self._seconds(ticks)
            for ticks in (segment.start_ticks, segment.end_ticks)
        )
        # The last segment takes whatever frames come, the first one too.
        return (0.0 if start is None else start), (max(duration, 0.0) if end is None else end)

    def _clips(self, start: float, end: float) -> range:
        duration = self._info.duration_seconds
        is_first, is_last = start == 0.0, end >= float(duration)

        def first_at(seconds: float) -> int:
            near = max(0, math.floor(seconds / float(self._grid.clip_seconds)) - 1)
            while near < self._grid.num_clips and self._target(near) < seconds:
                near += 1
            return near

        return range(
            0 if is_first else first_at(start),
            self._grid.num_clips if is_last else first_at(end),
        )

    def _target(self, clip: int) -> float:
        return float(clip_target(self._grid, clip, self._info.duration_seconds))

    def _picture(self, clip: int, seconds: float, frame: av.VideoFrame) -> Picture:
        small = self._small(frame)
        assert small is not None  # `_is_convertible` tried it
        turned = self._info.upright(small.to_ndarray())
        return Picture(clip=clip, pts_seconds=seconds, rgb_HWC=np.ascontiguousarray(turned))

    def _small(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        return reformat(
            self._reformatter,
            frame,
            width=self._picture_size,
            height=self._picture_size,
            format="rgb24",
            interpolation=Interpolation.AREA,
        )

    def _is_convertible(self, frame: av.VideoFrame) -> bool:
        """Say whether a frame of this shape and these colours can be looked at: tried once."""
        kind = (
            *(frame.format.name, frame.width, frame.height, int(frame.colorspace)),
            *(int(frame.color_range), int(frame.color_trc), int(frame.color_primaries)),
        )
        if kind not in self._convertible:
            self._convertible[kind] = self._small(frame) is not None
        return self._convertible[kind]

    def _measure_step(
        self,
        result: SegmentResult,
        seconds: float,
        thumbnail: Thumbnail,
        plane: LumaPlane,
        samples: LumaSamples,
    ) -> None:
        # A thousandth of a step forgives timestamps rounded to milliseconds.
        number = math.floor(seconds / float(MOTION_STEP_SECONDS) + 4e-3)
        step = Step(number, seconds, thumbnail)
        if result.last_step is None:
            result.first_step = result.last_step = step
            self._measured = None
        elif number > result.last_step.number:
            result.motion.append(motion_between(result.last_step, step, self._plan))
            result.last_step = step
        else:
            return
        self._measured = result.measured.add_frame(seconds, plane, samples, self._measured)

    def _note_lost_end(
        self, segment: DecodeSegment, result: SegmentResult, last_seconds: float, end: float
    ) -> None:
        if self._broken_since is not None:
            result.lost.append((self._broken_since, end))
            return
        decoded_until = max(last_seconds, self._packets_end)
        if end - decoded_until > float(_LOST_SECONDS) or (
            segment.end_ticks is not None and not result.change
        ):
            result.lost.append((decoded_until, end))

    # From packets to frames in the order they are shown.

    def _frames(
        self, segment: DecodeSegment, result: SegmentResult
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        start = segment.start_ticks
        if start is not None and not seek(self._container, self._stream, start):
            return
        frames = self._keyframes(segment) if self._plan.keyframes_only else self._all_frames()
        earliest = -math.inf if segment.start_ticks is None else self._bounds(segment)[0]
        latest = -math.inf
        stepped_back = (math.inf, -math.inf)
        for seconds, frame in frames:
            # Leading frames belong to the segment before; times that step back are damage.
            if seconds < earliest or seconds <= latest:
                if earliest <= seconds < latest:
                    stepped_back = (min(seconds, stepped_back[0]), max(seconds, stepped_back[1]))
                    result.repeated_seconds = stepped_back[1] - stepped_back[0]
                continue
            if self._broken_since is not None:
                if seconds - self._broken_since > float(_LOST_SECONDS):
                    result.lost.append((self._broken_since, seconds))
                self._broken_since = None
            latest = seconds
            yield seconds, frame

    def _all_frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        context = self._stream.codec_context
        ticks_in_order: list[int] = []
        count = 0
        latest = 0.0
        for packet in self._packets():
            if packet is not None and self._plan.clock is Clock.ORDER:
                heapq.heappush(ticks_in_order, packet_ticks(packet, self._container) or 0)
            frames = decode(context, packet)
            if frames is None or not all(map(self._is_convertible, frames)):
                self._broken_since = latest if self._broken_since is None else self._broken_since
                continue
            for frame in frames:
                ticks = frame.pts
                if self._plan.clock is Clock.ORDER and ticks_in_order:
                    ticks = heapq.heappop(ticks_in_order)
                if self._plan.clock is Clock.COUNT:
                    latest = float(count / self._info.frame_rate)
                elif ticks is not None:
                    seconds = self._seconds(ticks)
                    if seconds is None:
                        continue
                    latest = seconds
                else:
                    latest += float(1 / self._info.frame_rate)
                count += 1
                yield latest, frame

    def _keyframes(self, segment: DecodeSegment) -> Iterator[tuple[float, av.VideoFrame]]:
        context = self._stream.codec_context
        spacing = int(_DENSEST_KEYFRAMES_SECONDS / self._time_base)
        chosen: int | None = None
        latest = 0.0
        for packet in self._packets():
            ticks = packet_ticks(packet, self._container) if packet is not None else None
            seconds = None if ticks is None else self._seconds(ticks)
            if packet is None or ticks is None or seconds is None or not packet.is_keyframe:
                continue
            is_seam = segment.end_ticks is not None and ticks >= segment.end_ticks
            if chosen is not None and not is_seam and 0 <= ticks - chosen < spacing:
                continue
            chosen = ticks
            # Alone, drained and forgotten: nothing of one keyframe reaches the next.
            frames = [*(decode(context, packet) or ()), *(decode(context, None) or ())]
            context.flush_buffers()
            frames = [frame for frame in frames if self._is_convertible(frame)]
            if not frames and not packet.is_discard and self._broken_since is None:
                self._broken_since = latest
            for frame in frames[:1]:
                latest = seconds
                yield latest, frame

    def _packets(self) -> Iterator[av.Packet | None]:  # type: ignore[type-arg]
        """Yield the picture's packets, then None, which makes the decoder give up its last."""
        for packet in packets(self._container, self._stream):
            ticks = packet_ticks(packet, self._container)
            end = None if ticks is None else self._seconds(ticks + (packet.duration or 0))
            if end is not None:
                self._packets_end = max(self._packets_end, end)
            yield packet
        yield None

    def _seconds(self, ticks: int) -> float | None:
        seconds = self._info.clock.seconds(ticks * self._time_base)
        return None if seconds is None else float(seconds)


def motion_between(first: Step, second: Step, plan: DecodePlan) -> tuple[float, float, float]:
    """Return start, end and motion of the stretch between two measured frames.

    Frames further apart than a step (a still screen at a variable rate) share their change out
    over the steps between them. Keyframes do not: their motion is the whole change.
    """
    change = luma_difference(first.thumbnail, second.thumbnail)
    steps = 1 if plan.keyframes_only else max(1, second.number - first.number)
    return first.seconds, second.seconds, change / steps


@contextlib.contextmanager
def open_decoder(
    info: MediaInfo, grid: ClipGrid, plan: DecodePlan, *, picture_size: int, num_threads: int
) -> Iterator[SegmentDecoder]:
    """Open the file once more, for one worker, and close it afterwards."""
    with open_media(info.path, decoder=hardware_decoder()) as container:
        yield SegmentDecoder(
            container, info, grid, plan, picture_size=picture_size, num_threads=num_threads
        )
