"""Opens media files and takes packets and frames out of them: any name, no chatter, our errors.

Damaged data makes PyAV raise whatever it met on its way. Only this module asks it for packets and
frames, so that no reader has to know what that may be.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from hlcli.media.hardware import asked_for
from hlcli.media.source import OPEN_OPTIONS, check_source, unreadable, why_not_opened

__all__ = [
    "READ_ERRORS",
    "STEPS_BACK_SECONDS",
    "decode",
    "interleaved",
    "main_video_stream",
    "open_media",
    "packets",
    "reformat",
    "seek",
    "unreadable",
]

logger = logging.getLogger(__name__)

STEPS_BACK_SECONDS = (0, 2, 10, 60)
"""How far before an instant a seek goes until a keyframe early enough is met, in seconds."""
READ_ERRORS = (av.FFmpegError, OSError, ValueError, LookupError, OverflowError, MemoryError)
"""What PyAV raises for data it cannot make sense of: a LookupError when a stream appears in the
middle of a file, a MemoryError for a size that no memory has, a ValueError for a name that is no
text."""


@contextlib.contextmanager
def open_media(path: Path, *, decoder: HWAccel | None = None) -> Iterator[InputContainer]:
    """Open a media file for reading and close it afterwards.

    Args:
        path: The file.
        decoder: The graphics card that decodes its pictures, see `hlcli.media.hardware`; the
            processor does where that cannot.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaUnreadableError: It is damaged, empty, not audio or video, or names other files.
        MediaError: It is a folder, a pipe or a device, or may not be read.
    """
    if check_source(path) == 0:
        raise unreadable(path, "the file is empty")
    try:
        container = _opened(path) if decoder is None else _opened_on_card(path, decoder)
    except READ_ERRORS as error:
        raise why_not_opened(path) from error
    try:
        _plain_layouts(container)
        yield container
    finally:
        container.close()


def _opened(path: Path, decoder: HWAccel | None = None) -> InputContainer:
    return av.open(
        # "file:" keeps FFmpeg from reading "foo:bar" as a protocol.
        f"file:{path.absolute()}",
        metadata_errors="replace",
        container_options=OPEN_OPTIONS,
        hwaccel=decoder,
    )


def _opened_on_card(path: Path, decoder: HWAccel) -> InputContainer:
    why = ""
    try:
        container = _opened(path, decoder)
    except (av.FFmpegError, NotImplementedError) as error:
        # It is the card's, or comes again.
        why, container = f": {error}", _opened(path)
    stream = main_video_stream(container)
    if stream is not None and not stream.codec_context.is_hwaccel:
        name = stream.codec_context.name
        _say_once(f"HL_HWACCEL={asked_for()}: the processor decodes {name} pictures{why}")
    return container


@functools.cache
def _say_once(text: str) -> None:
    logger.warning("%s", text)


def _plain_layouts(container: InputContainer) -> None:
    """Forget where the loudspeakers of unusual sound tracks stand, in a file just opened.

    PyAV copies FFmpeg's channel layouts without the table that one in an order of its own has, and
    frees that table once for each copy: MOV and CAF files of many channels end the process.
    """
    for stream in container.streams.audio:
        context = stream.codec_context
        layout = context.layout if context is not None else None
        if layout is not None and layout.nb_channels > 0:
            name = layout.name
            # From here on the table, if there is one, belongs to `layout` alone.
            context.layout = f"{layout.nb_channels} channels" if _has_table(name) else name


def _has_table(layout_name: str) -> bool:
    return "(" in layout_name


def picture_decoder(stream: VideoStream) -> Any:
    """Return what decodes a stream with all that its pictures say, transparency too.

    FFmpeg's own decoders of VP8 and VP9 leave it out; libvpx reads it, where it is built in.
    """
    context = stream.codec_context
    other = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(context.codec.canonical_name)
    if stream.metadata.get("alpha_mode") != "1" or other not in av.codecs_available:
        return context
    return av.CodecContext.create(other, "r")


def packets(container: InputContainer, *streams: Any) -> Iterator[Any]:
    """Yield the packets of some streams, or of all, up to the end or to damage for good."""
    try:
        for packet in container.demux(*streams):
            # One without data, of each stream at the end, would drain its decoder.
            if packet.size:
                yield packet
    except READ_ERRORS:
        return


def decode(context: Any, packet: Any) -> list[Any] | None:
    """Return the frames that a packet completes, None when it is damaged.

    Args:
        context: The codec context of the packet's stream.
        packet: The packet; None makes the decoder give up what it still holds.
    """
    try:
        frames: list[Any] = list(context.decode(packet))
    except READ_ERRORS:
        return None
    for frame in frames:
        if isinstance(frame, AudioFrame) and _has_table(frame.layout.name):
            # Made up by the decoder. Never freed, for the reason that `_plain_layouts` gives.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(frame.layout))
            return None
    return frames


def seek(container: InputContainer, stream: Any, ticks: int) -> bool:
    """Go to a keyframe at or before an instant, and say whether that worked.

    Args:
        container: The file.
        stream: The stream that has to have the keyframe.
        ticks: The instant, in that stream's ticks.
    """
    try:
        container.seek(ticks, stream=stream)
    except READ_ERRORS:
        return False
    return True


def interleaved(frame: AudioFrame) -> npt.NDArray[np.float32]:
    """Return the samples of a frame in the format "flt", float32, shape `(N, channels)`.

    Never ask PyAV for the planes of planar sound: it counts them up to the first that is missing,
    and with eight channels or more none is, so that it reads memory that is not the frame's.
    """
    if frame.format.name != "flt":
        raise ValueError(f"interleaved floating-point sound is wanted, got {frame.format.name}")
    samples: npt.NDArray[np.float32] = np.frombuffer(memoryview(frame.planes[0]), dtype=np.float32)
    return samples[: frame.samples * frame.layout.nb_channels].reshape(frame.samples, -1)


def reformat(
    reformatter: VideoReformatter, frame: av.VideoFrame, **wanted: Any
) -> av.VideoFrame | None:
    """Scale or convert a frame, None where FFmpeg cannot: a shape or colours that damage made up.

    Args:
        reformatter: The scaler, one for each thread.
        frame: A decoded frame.
        wanted: What `VideoReformatter.reformat` takes.
    """
    try:
        return reformatter.reformat(frame, **wanted)
    except READ_ERRORS:
        return None


def main_video_stream(container: InputContainer) -> VideoStream | None:
    """Return the stream with the picture, None when there is only sound.

    Cover art and thumbnails are pictures of the file, not its picture; among several real
    video streams the one marked as default wins, else the first.
    """
    extras = (
        av.stream.Disposition.attached_pic
        | av.stream.Disposition.timed_thumbnails
        | av.stream.Disposition.still_image
    )
    streams = [s for s in container.streams.video if not s.disposition & extras and s.codec_context]
    marked = [s for s in streams if s.disposition & av.stream.Disposition.default]
    return next(iter(marked or streams), None)
