"""What is on screen at each of many instants of a video, decoded in one go.

An instant shows the last frame that starts at or before it, by the time the frame itself carries
once it is decoded: so it holds for variable rates, edit lists, B-frames and files that do not start
at zero. Interlaced frames come with their two fields made one. The file stays open; each stretch is
decoded from the keyframe before it, found by looking at what really comes out of the decoder, since
some containers land in the middle of nowhere.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

from hlcli.errors import MediaUnreadableError
from hlcli.media.container import (
    STEPS_BACK_SECONDS,
    decode,
    main_video_stream,
    open_media,
    packets,
    picture_decoder,
    seek,
    unreadable,
)
from hlcli.media.extent import packet_ticks
from hlcli.media.probe import MediaInfo

# Decoding on is quicker than a seek for instants this close ahead, in seconds.
_READ_ON_SECONDS = 1
# Less than this may be missing from the picture: the frame before it is held.
_HELD_SECONDS = Fraction(1, 2)


class ShownFrames:
    """Reads one video; use it in a `with` block, or close it."""

    def __init__(self, info: MediaInfo, *, num_threads: int = 0) -> None:
        """Open the file.

        Args:
            info: What `probe` said about it.
            num_threads: Threads of the decoder; 0 leaves it to FFmpeg.

        Raises:
            MediaError: It can no longer be opened.
        """
        self._info = info
        self._num_threads = num_threads
        self._stack = ExitStack()
        self._shown: tuple[Fraction, av.VideoFrame] | None = None
        self._coming: tuple[Fraction, av.VideoFrame] | None = None
        self._frames: Iterator[tuple[Fraction, av.VideoFrame]] = iter(())
        self._broken_since: Fraction | None = None
        self._gap: tuple[Fraction, Fraction] | None = None
        self._packets_end = Fraction(0)
        self._container: InputContainer
        self._stream: VideoStream
        self._decoder: Any
        self._open()

    def __enter__(self) -> ShownFrames:
        """Return the reader itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self._shown = self._coming = None
        self._stack.close()

    def at(self, instants: Iterable[Fraction]) -> Iterator[av.VideoFrame]:
        """Yield the frame on screen at each instant, in seconds from the first frame.

        Instants may come in any order; rising ones are decoded in one go. Before the first frame
        its own picture is given, after the last one the last.

        Raises:
            MediaUnreadableError: More than half a second is damaged or missing there.
        """
        for seconds in instants:
            yield self._at(seconds)

    def _at(self, seconds: Fraction) -> av.VideoFrame:
        newest = (self._coming or self._shown or (None,))[0]
        if (
            self._shown is None
            or newest is None
            or seconds < self._shown[0]
            or seconds - newest > _READ_ON_SECONDS
        ):
            self._seek(seconds)
        while self._coming is not None and self._coming[0] <= seconds:
            self._shown = self._coming
            self._coming = self._next()
        if self._shown is None:
            raise self._damaged(seconds)
        if self._is_missing(seconds, *self._shown):
            raise self._damaged(seconds)
        if self._coming is None:
            end = max(self._shown[0] + 1 / self._info.frame_rate, self._packets_end)
            if self._broken_since is not None:
                end = min(end, self._broken_since)
            if seconds - end > _HELD_SECONDS:
                raise self._damaged(seconds)
        return self._shown[1]

    def _is_missing(self, seconds: Fraction, start: Fraction, frame: av.VideoFrame) -> bool:
        """Say whether what is on screen should have been followed by something else by now."""
        if self._gap is not None and self._gap[0] + _HELD_SECONDS < seconds < self._gap[1]:
            return True
        if self._coming is None or self._info.is_variable_rate:
            return False  # The end is looked at elsewhere; a still screen may last.
        lasts = max((frame.duration or 0) * self._time_base, 1 / self._info.frame_rate)
        return seconds - start > lasts + _HELD_SECONDS

    def _damaged(self, seconds: Fraction) -> MediaUnreadableError:
        return MediaUnreadableError(
            f"cannot read {self._info.path} at {float(seconds):.2f} s: the picture is damaged or "
            "missing there",
            hint="copy the file again, or take that stretch off the timeline",
        )

    def _seek(self, seconds: Fraction) -> None:
        for back in (*STEPS_BACK_SECONDS, None):
            if back is not None and not self._can_seek:
                continue
            if back is None:
                self._reopen()
            else:
                ticks = int(self._info.clock.container(seconds - back) / self._time_base)
                if not seek(self._container, self._stream, ticks):
                    continue
                if self._decoder is not self._stream.codec_context:
                    self._decoder.flush_buffers()
            self._broken_since = self._gap = None
            self._packets_end = Fraction(0)
            self._frames = self._whole(self._decoded() if back is None else self._from_keyframe())
            self._shown = self._next()
            if self._shown is not None and (back is None or self._shown[0] <= seconds):
                self._coming = self._next()
                return
        self._coming = None

    def _next(self) -> tuple[Fraction, av.VideoFrame] | None:
        found = next(self._frames, None)
        if found is not None and self._broken_since is not None:
            self._gap, self._broken_since = (self._broken_since, found[0]), None
        return found

    def _whole(
        self, frames: Iterator[tuple[Fraction, av.VideoFrame]]
    ) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Make whole frames of interlaced ones: no lines of two instants in one picture.

        From the first interlaced frame on, a filter looks at each and its neighbours, and gives
        each out one frame late.
        """
        graph: Graph | None = None
        shape: tuple[int, int, str] | None = None
        waiting: deque[tuple[Fraction, Fraction | None]] = deque()
        for seconds, frame in frames:
            own = (frame.width, frame.height, frame.format.name)
            if graph is not None and own != shape:
                yield from self._pulled(graph, waiting, is_end=True)
                graph = None
            if graph is None and frame.interlaced_frame:
                graph, shape = _deinterlacer(frame, self._time_base), own
            if graph is None:
                yield seconds, frame
                continue
            # What is broken goes with the frame after it.
            waiting.append((seconds, self._broken_since))
            self._broken_since = None
            graph.push(frame)
            yield from self._pulled(graph, waiting)
        broken_at_the_end = self._broken_since
        if graph is not None:
            yield from self._pulled(graph, waiting, is_end=True)
        self._broken_since = broken_at_the_end

    def _pulled(
        self,
        graph: Graph,
        waiting: deque[tuple[Fraction, Fraction | None]],
        *,
        is_end: bool = False,
    ) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        if is_end:
            graph.push(None)
        while waiting:
            try:
                frame = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            seconds, self._broken_since = waiting.popleft()
            yield seconds, frame

    def _from_keyframe(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Leave out what comes before the first keyframe: it was built on frames not read."""
        start: Fraction | None = None
        for seconds, frame in self._decoded():
            if start is None and frame.key_frame:
                start = seconds
            if start is not None and seconds >= start:
                yield seconds, frame

    def _decoded(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        context = self._decoder
        by_order = self._container.format.name == "avi"
        ticks_in_order: list[int] = []
        count, latest = 0, Fraction(-1)
        for packet in self._packets():
            if packet is not None and by_order:
                # AVI stores times in decoding order only: the earliest not yet used.
                heapq.heappush(ticks_in_order, packet_ticks(packet, self._container) or 0)
            frames = decode(context, packet)
            if frames is None:
                if self._broken_since is None:
                    self._broken_since = max(latest, Fraction(0))
                continue
            for frame in frames:
                ticks = heapq.heappop(ticks_in_order) if by_order and ticks_in_order else frame.pts
                seconds: Fraction | None
                if ticks is None:
                    seconds = (
                        count / self._info.frame_rate
                        if count == 0 or latest < 0
                        else (latest + 1 / self._info.frame_rate)
                    )
                else:
                    seconds = self._info.clock.seconds(ticks * self._time_base)
                    if seconds is None:
                        continue
                count += 1
                if seconds > latest or latest < 0:
                    latest = seconds
                    yield seconds, frame

    def _packets(self) -> Iterator[av.Packet | None]:  # type: ignore[type-arg]
        for packet in packets(self._container, self._stream):
            ticks = packet_ticks(packet, self._container)
            if ticks is not None:
                end = (ticks + (packet.duration or 0)) * self._time_base
                self._packets_end = max(
                    self._packets_end, self._info.clock.seconds(end) or self._packets_end
                )
            yield packet
        yield None

    def _reopen(self) -> None:
        self._stack.close()
        self._open()

    def _open(self) -> None:
        self._container = self._stack.enter_context(open_media(self._info.path))
        stream = main_video_stream(self._container)
        if stream is None or not stream.time_base:
            raise unreadable(self._info.path, "its picture is gone")
        self._stream, self._time_base = stream, stream.time_base
        context = self._decoder = picture_decoder(stream)
        context.thread_count = self._num_threads
        context.thread_type = "SLICE" if self._num_threads == 1 else "AUTO"
        self._can_seek = self._has_clock()

    def _has_clock(self) -> bool:
        if self._container.format.name == "avi":
            # Where frames are shown as they are decoded, its times are right.
            return not self._stream.codec_context.has_b_frames
        return self._stream.start_time is not None or self._container.duration is not None


def _deinterlacer(frame: av.VideoFrame, time_base: Fraction) -> Graph | None:
    """Return a filter that gives one frame for each, the fields of interlaced ones made one.

    None for a picture that is too small to have fields.
    """
    if frame.width < 3 or frame.height < 4:
        return None
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=time_base
    )
    weave = graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced")
    sink = graph.add("buffersink")
    source.link_to(weave)
    weave.link_to(sink)
    graph.configure()
    return graph
