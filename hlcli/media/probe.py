"""What a media file is: exact length, rate, shape, sound tracks, start timecode."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from hlcli.errors import NoVideoStreamError
from hlcli.media.clock import MediaClock
from hlcli.media.container import (
    decode,
    main_video_stream,
    open_media,
    packets,
    picture_decoder,
    unreadable,
)
from hlcli.media.extent import Extent, measure_extent
from hlcli.media.rates import TIMECODE, choose_frame_rate
from hlcli.media.source import plain_path
from hlcli.media.time_stamps import MeasuredSpan, measure_span, needs_reading

_TIMECODE = re.compile(TIMECODE)
# A header that states no rate at all, and one frame to measure it from.
_FALLBACK_RATE = Fraction(25)
_AGREES = (Fraction(9, 10), Fraction(10, 9))
# Anamorphic pixels are up to twice as wide as high; beyond this the numbers are damaged.
_FLATTEST_PIXEL = 16
# How far the first sound of an announced track is looked for.
_SEARCHED_BYTES = 256 << 20
# A still picture with silence takes more.
_FEWEST_BYTES_PER_SECOND = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioStreamInfo:
    """One sound track of a file."""

    index: int
    """Index of the stream in its container."""
    channels: int
    """Number of channels, at least 1."""
    sample_rate: int
    """Samples per second of each channel, in Hz."""
    codec: str
    """Codec name as FFmpeg gives it: "aac", "pcm_s16le", ..."""
    language: str | None
    """Language tag ("eng"), None when there is none."""
    is_default: bool
    """Whether the file marks it as the track to play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaInfo:
    """What `hl` needs to know about a file before it decodes it."""

    path: Path
    """Absolute path of the file."""
    container: str
    """Container names as FFmpeg gives them: "mov,mp4,m4a,3gp,3g2,mj2"."""
    duration_seconds: Fraction
    """From the first video frame's start to the last video frame's end, above 0."""
    frame_rate: Fraction
    """Exact rate for timelines, in frames per second; a standard one if the rate varies."""
    is_variable_rate: bool
    """Whether the frames are unevenly spaced."""
    num_frames: int
    """Frames at `frame_rate` over `duration_seconds`, at least 1."""
    start_timecode: str | None
    """Timecode of the first frame as the file says it (";" is drop-frame); None without one."""
    has_timecode_track: bool
    """Whether it stands in a timecode track; False for one in a tag or in a camera's own track."""
    width: int
    """Width as displayed, after rotation and sample aspect ratio, in pixels."""
    height: int
    """Height as displayed, after rotation, in pixels."""
    rotation_degrees: int
    """Clockwise turn that brings a decoded picture upright: 0, 90, 180 or 270."""
    is_mirrored: bool = False
    """Whether a decoded picture has its left and right changed before it is turned."""
    is_interlaced: bool = False
    """Whether the first frame is two fields, taken one after the other."""
    has_alpha: bool = False
    """Whether its pictures say where they are transparent."""
    video_codec: str
    """Codec name as FFmpeg gives it: "h264", "prores", ..."""
    bit_depth: int
    """Bits of one luma sample."""
    audio_streams: tuple[AudioStreamInfo, ...]
    """All sound tracks, in container order."""
    clock: MediaClock
    """How container times count: from the first video frame, without what was cut out."""
    recorded_with: str | None = None
    """Make and model of the camera as the file says them; None where it says nothing."""
    damage: str | None = None
    """What is wrong with its time stamps, in words; None for a sound file."""

    @property
    def video_start_seconds(self) -> Fraction:
        """Container time of the first video frame, in seconds."""
        return self.clock.start_seconds

    def upright(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a decoded picture, or a plane of one, as it is shown: mirrored and turned.

        Args:
            picture: Of shape `(H, W)` or `(H, W, C)`.
        """
        flipped = picture[:, ::-1] if self.is_mirrored else picture
        return np.rot90(flipped, -self.rotation_degrees // 90)

    @property
    def has_audio(self) -> bool:
        """Whether there is a sound track, silent or not."""
        return bool(self.audio_streams)


def declared_seconds(path: Path) -> float:
    """Return how long a file says it is, in seconds; 0 where it does not say.

    Much cheaper than `probe`, and not checked: for planning, not for time lines.

    Raises:
        MediaError: As `probe`.
    """
    with open_media(path) as container:
        return seconds_of(container, path.stat().st_size)


def seconds_of(container: InputContainer, size_bytes: int) -> float:
    """Return how long an open file of a size says it is, in seconds; 0 where it does not say."""
    declared = float(Fraction(container.duration or 0, av.time_base))
    # A damaged header may promise years.
    return min(max(0.0, declared), size_bytes / _FEWEST_BYTES_PER_SECOND)


def probe(path: Path) -> MediaInfo:
    """Read what a file is, without decoding more than its first frame.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaUnreadableError: It is damaged, empty, or not a video.
        NoVideoStreamError: It has sound only (cover art is no picture).
        MediaError: It is a folder, or may not be read.
    """
    path = plain_path(path)
    with open_media(path) as container:
        stream = main_video_stream(container)
        if stream is None:
            if container.streams.audio:
                raise NoVideoStreamError(
                    f"{path} has sound but no picture", hint="hl needs a video file"
                )
            raise unreadable(path, "it has neither picture nor sound that can be decoded")
        frame = _first_frame(path, container, stream)
        if stream.start_time is None and container.duration is None:
            # A raw stream: what the container layer says is its default, not the file's word.
            chosen = choose_frame_rate(average=stream.guessed_rate, base=None)
        else:
            chosen = choose_frame_rate(average=stream.average_rate, base=stream.base_rate)
        declared = _declared(container)
        recorded_with = _recorded_with(container)
        has_timecode_track = declared is not None and _has_timecode_track(container)
        counter = None if declared is not None else _timecode_counter(container)
        average_rate = stream.average_rate
    with open_media(path) as container:
        measured = main_video_stream(container)
        assert measured is not None  # the same file a moment ago
        extent = measure_extent(container, measured, frame_rate=chosen[0] if chosen else None)
        if average_rate is None and extent.mean_rate:
            # A frame or two: what the container guesses then is often the rate of fields.
            chosen = choose_frame_rate(average=extent.mean_rate, base=None) or chosen
        frame_rate, is_variable_rate = chosen or (_FALLBACK_RATE, False)
        if needs_reading(container, extent):
            span = _measured(path, extent, frame_rate)
        else:
            length = extent.end_seconds - extent.start_seconds
            span = MeasuredSpan(MediaClock(extent.start_seconds), length)
        if span.mean_rate and not _AGREES[0] < frame_rate / span.mean_rate < _AGREES[1]:
            chosen = choose_frame_rate(average=span.mean_rate, base=None)
            frame_rate, is_variable_rate = chosen or (frame_rate, is_variable_rate)
        duration_seconds = span.duration_seconds
        if counter is not None:
            declared, has_timecode_track = _counted_timecode(path, counter, frame_rate), True
        if duration_seconds <= 0:
            duration_seconds = 1 / frame_rate
        num_frames = max(1, round(duration_seconds * frame_rate))
        # Containers that count in milliseconds cannot say 1001/30 ms: the grid can.
        exact = num_frames / frame_rate
        if not is_variable_rate and abs(exact - duration_seconds) <= Fraction(2, 1000):
            duration_seconds = exact
        rotation_degrees, is_mirrored = _orientation(frame)
        width, height = _displayed_size(frame, measured, rotation_degrees)
        return MediaInfo(
            path=path,
            container=container.format.name,
            duration_seconds=duration_seconds,
            frame_rate=frame_rate,
            is_variable_rate=is_variable_rate,
            num_frames=num_frames,
            start_timecode=declared,
            has_timecode_track=has_timecode_track,
            width=width,
            height=height,
            rotation_degrees=rotation_degrees,
            is_mirrored=is_mirrored,
            is_interlaced=frame.interlaced_frame,
            has_alpha=any(part.is_alpha for part in frame.format.components),
            video_codec=measured.codec_context.codec.canonical_name,
            bit_depth=frame.format.components[0].bits,
            audio_streams=_audio_streams(path, container),
            clock=span.clock,
            recorded_with=recorded_with,
            damage=span.damage,
        )


def _first_frame(path: Path, container: InputContainer, stream: VideoStream) -> av.VideoFrame:
    context = picture_decoder(stream)
    # A stream joined in the middle starts with packets nobody can decode.
    for packet in itertools.chain(packets(container, stream), [None]):
        if frames := decode(context, packet):
            frame: av.VideoFrame = frames[0]
            return frame
    raise unreadable(path, "no frame of it can be decoded")


def _measured(path: Path, extent: Extent, frame_rate: Fraction) -> MeasuredSpan:
    with open_media(path) as container:
        stream = main_video_stream(container)
        assert stream is not None  # the same file a moment ago
        return measure_span(path, container, stream, extent, frame_rate)


def _first_sounds(path: Path, wanted: set[int]) -> dict[int, tuple[int, int]]:
    """Return channels and rate of sound tracks by index, from the first packet of each."""
    found: dict[int, tuple[int, int]] = {}
    with open_media(path) as container:
        for packet in packets(container):
            if len(found) == len(wanted) or (packet.pos or 0) > _SEARCHED_BYTES:
                break
            if packet.stream_index not in wanted or packet.stream_index in found:
                continue
            for frame in decode(packet.stream.codec_context, packet) or ():
                found[packet.stream_index] = (frame.layout.nb_channels, frame.sample_rate)
    return found


def _orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """Return by how much a picture is to be turned, and whether it is to be mirrored before."""
    matrix = next(
        (bytes(data) for data in _side_data(frame) if data.type.name == "DISPLAYMATRIX"), b""
    )
    if len(matrix) != 9 * 4:
        return round(-frame.rotation / 90) * 90 % 360, False
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32).tolist()
    is_mirrored = a * d < b * c
    if is_mirrored:
        a, b = -a, -b
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360, is_mirrored


def _side_data(frame: av.VideoFrame) -> list[Any]:
    # PyAV's types have it for a mapping, of which the keys are gone through; it gives the values.
    return list(frame.side_data)


def _displayed_size(
    frame: av.VideoFrame, stream: VideoStream, rotation_degrees: int
) -> tuple[int, int]:
    width, height = frame.width, frame.height
    aspect = stream.sample_aspect_ratio
    if aspect and 1 / _FLATTEST_PIXEL <= aspect <= _FLATTEST_PIXEL:
        width = max(1, round(width * aspect))
    return (height, width) if rotation_degrees in (90, 270) else (width, height)


def _declared(container: InputContainer) -> str | None:
    """Return the start timecode, from the most specific place that states one."""
    video = [stream.metadata for stream in container.streams.video]
    data = [stream.metadata for stream in container.streams if stream.type == "data"]
    for metadata in (*video, container.metadata, *data):
        text = metadata.get("timecode", "").strip()
        if _TIMECODE.fullmatch(text):
            return text
    return None


def _recorded_with(container: InputContainer) -> str | None:
    """Return make and model: Apple's and Android's tags, those of 3GPP, or what a writer left."""
    tags = {key.lower().rpartition(".")[2]: text for key, text in container.metadata.items()}
    words = [tags[key].strip() for key in ("make", "model") if tags.get(key, "").strip()]
    return " ".join(words) or None


def _timecode_counter(container: InputContainer) -> int | None:
    """Return the index of a timecode track that FFmpeg has not read.

    It refuses a track that says it drops frames at a rate that has no drop-frame, as phones write
    it at 24.
    """
    if "mov" not in container.format.name:
        return None
    return next((s.index for s in container.streams if _is_timecode_track(s)), None)


def _counted_timecode(path: Path, index: int, frame_rate: Fraction) -> str | None:
    """Return the label of the frame number that a timecode track begins with, non-drop-frame."""
    with open_media(path) as container:
        packet = next(packets(container, container.streams[index]), None)
        if packet is None or packet.size != 4:
            return None
        base = max(1, round(frame_rate))
        seconds, frames = divmod(int.from_bytes(bytes(packet), "big"), base)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours % 24:02d}:{minutes:02d}:{seconds % 60:02d}:{frames:02d}"


def _is_timecode_track(stream: Stream) -> bool:
    handler = stream.metadata.get("handler_name", "").lower().replace(" ", "")
    return stream.type == "data" and "timecode" in handler


def _has_timecode_track(container: InputContainer) -> bool:
    """Return whether a timecode stands where every editor reads it, Final Cut Pro for one.

    Sony's cameras write it into a data track of their own (`rtmd`), which FFmpeg and DaVinci
    Resolve read and Final Cut Pro does not. FFmpeg gives a picture the timecode of the timecode
    track it refers to; PyAV does not give the kind of a data track, so its handler's name tells.
    """
    if "mxf" in container.format.name:
        return True  # each MXF package has one
    if "mov" not in container.format.name:
        return False
    if any("timecode" in stream.metadata for stream in container.streams.video):
        return True
    return any(
        _is_timecode_track(stream) and "timecode" in stream.metadata for stream in container.streams
    )


def _audio_streams(path: Path, container: InputContainer) -> tuple[AudioStreamInfo, ...]:
    found = []
    # No decoder for it: FFmpeg gives no codec context, and we could not read it either.
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    # Sound that begins later than FFmpeg looks, as in a broadcast, is announced but not known yet.
    unknown = {s.index for s in streams if s.codec_context.sample_rate <= 0}
    shapes = _first_sounds(path, unknown) if unknown else {}
    for stream in streams:
        context = stream.codec_context
        shape = shapes.get(stream.index, (context.channels, context.sample_rate))
        if shape[1] <= 0:
            continue
        found.append(
            AudioStreamInfo(
                index=stream.index,
                channels=max(1, shape[0]),
                sample_rate=shape[1],
                codec=stream.codec_context.codec.canonical_name,
                language=stream.metadata.get("language"),
                is_default=bool(stream.disposition & av.stream.Disposition.default),
            )
        )
    return tuple(found)
