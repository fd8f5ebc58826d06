"""Turns what the user typed (files, folders, globs) into a list of videos."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from hlcli.addresses import is_address
from hlcli.errors import MediaNotFoundError
from hlcli.media.proxies import without_proxies
from hlcli.media.source import plain_path
from hlcli.media.spanned import chapter_of
from hlcli.progress import Listener

MayRead: TypeAlias = Callable[[Path], Path]
"""Asked before a file is opened: returns the path to open, or raises an `HlError`."""


def any_file(path: Path) -> Path:
    """Let every file be read: the `MayRead` of a command line."""
    return path


VIDEO_SUFFIXES = frozenset(
    {
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".dv",
        ".f4v",
        ".flv",
        ".insv",
        ".lrf",
        ".lrv",
        ".m1v",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mkv",
        ".mod",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".mxf",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".tod",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".y4m",
    }
)
"""Endings that make a file inside a folder a video, lower case."""

_GLOB_CHARACTERS = re.compile(r"[*?\[]")


def find_videos(
    inputs: Sequence[str], *, may_read: MayRead = any_file, on: Listener | None = None
) -> list[Path]:
    """Return the videos that files, folders and glob patterns name, each once.

    Files are taken whatever their ending, in the order given. Folders are searched to the
    bottom and sorted as people count (`shot2` before `shot10`), the chapters of a GoPro recording
    one after the other; hidden files are left out. A name that exists is never read as a pattern,
    so `take[1].mp4` works. Patterns are expanded here because Windows shells do not. Of folders
    and patterns, proxies whose originals are there are left out: they show the same.

    Args:
        inputs: What the user typed, at least one.
        may_read: Asked for each input before it is looked at, and for each video found.
        on: Notified of the inputs and videos that cannot be used; the others are returned.

    Raises:
        MediaNotFoundError: An input does not exist, or names no video, and no listener takes it.
    """
    on = on or Listener()
    videos: dict[Path, None] = {}
    for text in inputs:
        with on.one_file(text):
            asked = text if may_read is any_file else str(may_read(Path(text)))
            for video in _videos_of(asked):
                with on.one_file(video):
                    videos.setdefault(plain_path(may_read(video)))
    return list(videos)


def _videos_of(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        found = without_proxies(videos_inside(path))
        if not found:
            raise MediaNotFoundError(
                f"no video in the folder {path}", hint="name the files if their ending is unusual"
            )
        return found
    if path.exists():
        return [path]
    if is_address(text):
        raise MediaNotFoundError(
            f"{text} is an address, hl reads files", hint="download the video first"
        )
    if not _GLOB_CHARACTERS.search(text):
        raise MediaNotFoundError(f"no such file or folder: {path}", hint="check the spelling")
    matches = [Path(match) for match in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    found = _natural(match for match in matches if match.is_file() and _is_video(match))
    for folder in _natural(match for match in matches if match.is_dir()):
        found.extend(videos_inside(folder))
    found = without_proxies(found)
    if not found:
        raise MediaNotFoundError(f"no video matches {text}", hint="check the pattern")
    return found


def videos_inside(folder: Path) -> list[Path]:
    """Return the videos in a folder and below, without hidden files, sorted as people count."""
    return _natural(
        path
        for path in folder.rglob("*")
        if _is_video(path)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def is_video_name(name: str) -> bool:
    """Whether a file of this name inside a folder is a video."""
    return _is_video(Path(name))


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")


def _natural(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=_natural_key)


def _natural_key(path: Path) -> tuple[list[list[tuple[int, int, str]]], str]:
    # The ending apart: `take.mp4` comes before `take2.mp4`, although "." comes after no digit.
    chapter = chapter_of(path.stem)
    stem = path.stem if chapter is None else f"{chapter[0]} {chapter[1]}"
    names = [*path.parent.parts, stem, path.suffix]
    key = [
        [
            (0, int(piece), "") if piece.isdecimal() else (1, 0, piece)
            for piece in re.split(r"(\d+)", name.casefold())
            if piece
        ]
        for name in names
    ]
    # The exact text last: names that differ only in case or leading zeros keep one order.
    return key, str(path)
