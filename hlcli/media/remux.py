"""Copies stretches of files into one, packet by packet, without decoding anything.

A picture can only be entered at a keyframe, and only one that later packets do not reach back over
can be entered cleanly. So a stretch starts at the last such keyframe before it and ends before the
first after it; what was copied is said exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from hlcli.errors import MediaUnreadableError, UsageError
from hlcli.media.container import (
    READ_ERRORS,
    STEPS_BACK_SECONDS,
    main_video_stream,
    open_media,
    packets,
    seek,
    unreadable,
)
from hlcli.media.extent import packet_ticks
from hlcli.media.probe import MediaInfo

# Sound lies up to this far from its picture in a file, in seconds.
_INTERLEAVED_SECONDS = 2
_MOST_OPEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a file, from its first video frame on."""

    info: MediaInfo
    """What `probe` said about the file."""
    start_seconds: Fraction
    """First instant."""
    end_seconds: Fraction
    """First instant after it."""
    sounds: tuple[int, ...] = ()
    """Sound tracks to copy, as indices into `info.audio_streams`, one for each of the result."""


def copy_stretches(
    stretches: Sequence[Stretch], output: Path, *, on_copied: Callable[[int], None]
) -> list[Stretch]:
    """Write stretches one after the other.

    Args:
        stretches: What to copy, at least one.
        output: File to write; its extension chooses the container.
        on_copied: Called with the number of stretches copied so far.

    Returns:
        What was really copied: the same files, from keyframe to keyframe.

    Raises:
        UsageError: The files differ in codec or shape, or the container cannot hold what they have.
        MediaUnreadableError: A file cannot be read or has no keyframe to start from.
        OSError: The file cannot be written.
    """
    copied: list[Stretch] = []
    with ExitStack() as stack:
        writer: _Writer | None = None
        inputs: dict[Path, InputContainer] = {}
        for stretch in stretches:
            path = stretch.info.path
            container = inputs.pop(path, None)
            if container is None:
                while len(inputs) >= _MOST_OPEN:
                    inputs.pop(next(iter(inputs))).close()
                container = stack.enter_context(open_media(path))
            inputs[path] = container
            found = _on_keyframes(container, stretch)
            if writer is None:
                writer = _Writer(
                    stack.enter_context(_open_output(output)), output, container, found
                )
            writer.copy(container, found)
            copied.append(found)
            on_copied(len(copied))
    return copied


class _Writer:
    def __init__(
        self, made: OutputContainer, output: Path, container: InputContainer, first: Stretch
    ) -> None:
        self._made, self._output = made, output
        self._shapes = _shapes(container, first)
        self._at = Fraction(0)
        self._last_ticks: dict[int, int] = {}
        try:
            self._streams = [
                made.add_stream_from_template(stream) for stream in _streams(container, first)
            ]
            made.start_encoding()
        except (*READ_ERRORS, RuntimeError) as error:
            raise UsageError(
                f"{output} cannot hold what {first.info.path} has without encoding it anew",
                hint="use another extension (.mov and .mkv hold most), or leave --copy out",
            ) from error

    def copy(self, container: InputContainer, stretch: Stretch) -> None:
        if _shapes(container, stretch) != self._shapes:
            raise UsageError(
                f"{stretch.info.path} cannot be copied behind the others: its codec, size or sound "
                "differs",
                hint="leave --copy out, so that all are brought to one shape",
            )
        video = _video(container, stretch.info)
        streams = _streams(container, stretch)
        start = stretch.start_seconds + stretch.info.video_start_seconds
        end = stretch.end_seconds + stretch.info.video_start_seconds
        half = 1 / stretch.info.frame_rate / 2
        _seek(container, video, start - _INTERLEAVED_SECONDS)
        inside = False
        finished: set[int] = set()
        for packet in _packets(container, streams):
            ticks = packet_ticks(packet, container)
            if ticks is None:
                continue
            seconds = ticks * packet.time_base
            if packet.stream_index == video.index:
                if packet.is_keyframe and abs(seconds - start) < half:
                    inside = True
                if packet.is_keyframe and seconds > end - half:
                    inside = False
                    finished.add(video.index)
                if inside:
                    self._write(packet, self._streams[0], start)
            else:
                # A packet of sound belongs where its middle lies.
                middle = seconds + (packet.duration or 0) * packet.time_base / 2
                if start <= middle < end:
                    for position, stream in enumerate(streams):
                        if position and stream.index == packet.stream_index:
                            self._write(packet, self._streams[position], start)
                elif middle >= end:
                    finished.add(packet.stream_index)
            if len(finished) == len({stream.index for stream in streams}) or (
                video.index in finished and seconds > end + _INTERLEAVED_SECONDS
            ):
                break
        self._at += stretch.end_seconds - stretch.start_seconds

    def _write(self, packet: Any, stream: Any, start: Fraction) -> None:
        base: Fraction = packet.time_base
        shift = round((self._at - start) / base)
        copy = av.Packet(bytes(packet))
        copy.time_base, copy.duration = base, packet.duration
        copy.is_keyframe = packet.is_keyframe
        pts = packet.pts if packet.pts is not None else packet.dts
        dts = packet.dts if packet.dts is not None else packet.pts
        # Rounding between sources may not turn the order around.
        last = self._last_ticks.get(stream.index)
        dts = dts + shift if last is None else max(dts + shift, last + 1)
        self._last_ticks[stream.index] = dts
        copy.dts, copy.pts = dts, max(pts + shift, dts)
        copy.stream = stream
        self._made.mux(copy)


def _on_keyframes(container: InputContainer, stretch: Stretch) -> Stretch:
    """Widen a stretch to clean keyframes."""
    info = stretch.info
    if info.clock.parts:
        raise UsageError(
            f"{info.path} cannot be copied: its time stamps jump", hint="leave --copy out"
        )
    video = _video(container, info)
    start = stretch.start_seconds + info.video_start_seconds
    end = stretch.end_seconds + info.video_start_seconds
    half = 1 / info.frame_rate / 2
    for back in (*STEPS_BACK_SECONDS, None):
        if back is None:
            _seek(container, video, info.video_start_seconds - 1)
        elif not _seek(container, video, start - back):
            continue
        before: Fraction | None = None
        after: Fraction | None = None
        for seconds in _clean_keyframes(container, video):
            if seconds <= start + half:
                before = seconds
            elif before is None:
                break
            if seconds >= end - half:
                after = seconds
                break
        if before is not None:
            whole = info.video_start_seconds + info.duration_seconds
            return Stretch(
                info=info,
                start_seconds=before - info.video_start_seconds,
                end_seconds=(whole if after is None else after) - info.video_start_seconds,
                sounds=stretch.sounds,
            )
    raise MediaUnreadableError(
        f"{info.path} has no keyframe to start from before {float(stretch.start_seconds):.2f} s",
        hint="leave --copy out",
    )


def _clean_keyframes(container: InputContainer, video: VideoStream) -> Iterator[Fraction]:
    """Yield the times of keyframes that no later packet is shown before."""
    candidate: Fraction | None = None
    for packet in _packets(container, [video]):
        ticks = packet_ticks(packet, container)
        if ticks is None:
            continue
        seconds = ticks * packet.time_base
        if packet.is_keyframe:
            if candidate is not None:
                yield candidate
            candidate = seconds
        elif candidate is not None and seconds < candidate:
            candidate = None
    if candidate is not None:
        yield candidate


def _packets(container: InputContainer, streams: Sequence[Any]) -> Iterator[Any]:
    unique = list({stream.index: stream for stream in streams}.values())
    yield from packets(container, *unique)


def _seek(container: InputContainer, video: VideoStream, seconds: Fraction) -> bool:
    assert video.time_base
    return seek(container, video, int(seconds / video.time_base))


def _video(container: InputContainer, info: MediaInfo) -> VideoStream:
    stream = main_video_stream(container)
    if stream is None:
        raise unreadable(info.path, "its picture is gone")
    return stream


def _streams(container: InputContainer, stretch: Stretch) -> list[Any]:
    indices = [stretch.info.audio_streams[sound].index for sound in stretch.sounds]
    return [
        _video(container, stretch.info),
        *(container.streams[index] for index in indices),
    ]


def _shapes(container: InputContainer, stretch: Stretch) -> list[tuple[object, ...]]:
    """Return what must be the same for packets of two files to be decoded as one stream."""
    shapes: list[tuple[object, ...]] = []
    for stream in _streams(container, stretch):
        context = stream.codec_context
        head: tuple[object, ...] = (context.name, bytes(context.extradata or b""))
        if stream.type == "video":
            turn = (stretch.info.rotation_degrees, stretch.info.is_mirrored)
            shapes.append((*head, context.width, context.height, context.pix_fmt, turn))
        else:
            shapes.append((*head, context.sample_rate, context.layout.name))
    return shapes


def _open_output(output: Path) -> OutputContainer:
    return av.open(f"file:{output}", "w")
