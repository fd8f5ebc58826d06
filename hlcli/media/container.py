"""Opens media files: any file name, no chatter, our errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hlcli.errors import MediaUnreadableError
from hlcli.media.source import check_source, lacks_movie_index, unreadable

__all__ = ["OPEN_ERRORS", "main_video_stream", "open_media", "unreadable"]

OPEN_ERRORS = (av.FFmpegError, ValueError, OSError)
"""What PyAV raises for a file it cannot open or read; UnicodeError is a ValueError."""

_STILL_PICTURES = ("image2", "_pipe", "gif", "apng", "ico")
_TEXT = ("tty", "bin", "xbin", "adf", "idf", "ffmetadata", "srt", "webvtt", "ass", "lrc", "concat")


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading and close it afterwards.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaUnreadableError: It is damaged, empty, or not audio or video.
        MediaError: It is a folder, a pipe or a device, or may not be read.
    """
    container = _open(path)
    try:
        yield container
    finally:
        container.close()


def _open(path: Path) -> InputContainer:
    if check_source(path) == 0:
        raise unreadable(path, "the file is empty")
    try:
        # "file:" keeps FFmpeg from reading "foo:bar" as a protocol, and the whitelist keeps a
        # playlist that calls itself a video from reaching the network.
        container = av.open(
            f"file:{path.absolute()}",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file"},
        )
    except OPEN_ERRORS as error:
        if lacks_movie_index(path):
            raise MediaUnreadableError(
                f"cannot read {path} as a video: it was cut off, the index at its end is missing",
                hint="copy it again from the camera or card, or rebuild the index with a repair "
                "program and a whole file of the same camera",
            ) from error
        raise unreadable(path, "not a video, or its header is damaged") from error
    names = container.format.name.split(",")
    if any(name.endswith(_STILL_PICTURES) for name in names):
        container.close()
        raise MediaUnreadableError(
            f"cannot read {path} as a video: it is a picture or an animation",
            hint="hl needs a video file",
        )
    if any(name in _TEXT for name in names):
        container.close()
        raise MediaUnreadableError(
            f"cannot read {path} as a video: it is text", hint="hl needs a video file"
        )
    return container


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
