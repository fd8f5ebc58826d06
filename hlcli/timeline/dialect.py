"""What differs between the editors that read a timeline: how media is addressed.

`GENERIC` follows the rules of URLs to the letter, as OpenTimelineIO reads them. An editor that
reads otherwise gets a `Dialect` of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import quote_from_bytes

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def media_path(path: str) -> PurePath:
    """Read a path by its own form, so that a document from Windows is understood anywhere."""
    return PureWindowsPath(path) if _WINDOWS.match(path) else PurePosixPath(path)


def readable(text: str) -> str:
    """Replace the bytes of a file name that are not UTF-8, for places that hold only Unicode."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def file_url(path: str) -> str:
    r"""Return the percent-encoded file URL of an absolute path.

    `C:\a b.mp4` becomes `file:///C:/a%20b.mp4`, `\\server\share\a.mp4`
    `file://server/share/a.mp4`; the bytes of a name that is not UTF-8 are kept.
    A relative path is taken from the current folder.
    """
    pure = media_path(path)
    if isinstance(pure, PureWindowsPath):
        text = re.sub(r"^//\?/(?:UNC/)?", lambda m: "//" if "UNC" in m[0] else "", pure.as_posix())
        if text.startswith("//"):
            return "file:" + _quoted(text)
        return f"file:///{text[:2]}" + _quoted(text[2:])
    text = path if pure.is_absolute() else str(Path(path).absolute())
    return "file://" + _quoted(text)


def _quoted(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe="/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family of readers wants its timeline."""

    name: str
    """Short name, kept in the timeline's metadata."""
    target_url: Callable[[str], str]
    """Turns the absolute path of a media file into what `target_url` holds."""


GENERIC = Dialect(name="generic", target_url=file_url)
"""Strict URLs, plain OpenTimelineIO."""
