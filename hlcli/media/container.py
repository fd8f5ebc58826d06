"""Opens media files: any file name, no chatter, our errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hlcli.errors import MediaError, MediaNotFoundError, MediaUnreadableError

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
        MediaError: It is a folder, or may not be read.
    """
    container = _open(path)
    try:
        yield container
    finally:
        container.close()


def _open(path: Path) -> InputContainer:
    _check_file(path)
    try:
        # "file:" keeps FFmpeg from reading "foo:bar" as a protocol, and the whitelist keeps a
        # playlist that calls itself a video from reaching the network.
        container = av.open(
            f"file:{path.absolute()}",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file"},
        )
    except OPEN_ERRORS as error:
        raise unreadable(path, "not a video, or its header is damaged") from error
    names = container.format.name.split(",")
    if any(name.endswith(_STILL_PICTURES) for name in names):
        container.close()
        raise unreadable(path, "it is a still picture")
    if any(name in _TEXT for name in names):
        container.close()
        raise unreadable(path, "it is text")
    return container


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder", hint="name a video file inside it")
        if not path.exists():
            raise MediaNotFoundError(f"no such file: {path}", hint="check the spelling")
        if path.stat().st_size == 0:
            raise unreadable(path, "the file is empty")
        with path.open("rb"):
            pass
    except OSError as error:
        if isinstance(error, MediaNotFoundError):
            raise
        raise MediaError(
            f"cannot read {path}: {error.strerror or error}", hint="check its permissions"
        ) from error


def unreadable(path: Path, why: str) -> MediaUnreadableError:
    """Return the error for a file that cannot be read as video."""
    return MediaUnreadableError(
        f"cannot read {path} as a video: {why}",
        hint="play it in a media player; if it does not play there, copy it again",
    )


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
