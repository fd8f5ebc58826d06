r"""Paths of media, as files of every system and editor write them.

A path is read by its own form, never by the system `hl` runs on: a document scored on Windows is
exported on a Mac. Bytes of a name that are not UTF-8 travel as Python's surrogates.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hlcli.media.source import plain_path

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DRIVE = re.compile(r"/[A-Za-z]:(?:/|$)")


def media_path(path: str) -> PurePath:
    """Read a path by its own form, so that a document from Windows is understood anywhere."""
    return PureWindowsPath(path) if _WINDOWS.match(path) else PurePosixPath(path)


def readable(text: str) -> str:
    """Replace the bytes of a file name that are not UTF-8, for places that hold only Unicode."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of surrogates, which JSON can spell
        data = text.encode("utf-8", "replace")
    return data.decode("utf-8", "replace")


def legal_xml(text: str) -> str:
    """Replace what XML 1.0 cannot hold, escaped or not: control characters, lone surrogates."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def is_file(path: Path) -> bool:
    """Return whether there is a file; False for what no file can be called.

    `Path.is_file` raises `OSError` for a name that is longer than the system allows.
    """
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def absolute_path(path: str) -> str:
    r"""Return a bare absolute path; a relative one is taken from the current folder.

    Windows' long form `\\?\C:\a.mp4` becomes `C:\a.mp4`, which editors can read.
    """
    pure = media_path(path)
    if isinstance(pure, PureWindowsPath):
        return re.sub(r"^\\\\\?\\(?:UNC\\)?", lambda m: r"\\" if "UNC" in m[0] else "", str(pure))
    return path if pure.is_absolute() else str(Path(path).absolute())


def without_dots(path: str) -> str:
    r"""Return a bare absolute path without "." and "..", which editors compare letter by letter.

    Example:
        >>> without_dots("C:\\day 1\\..\\a.mp4")
        'C:\\a.mp4'
    """
    bare = absolute_path(path)
    if isinstance(media_path(bare), PureWindowsPath):
        return ntpath.normpath(bare)
    # Links can be followed only on a system that has such paths.
    return str(plain_path(Path(bare))) if os.name == "posix" else posixpath.normpath(bare)


def file_url(path: str) -> str:
    r"""Return the percent-encoded file URL of an absolute path.

    `C:\a b.mp4` becomes `file:///C:/a%20b.mp4`, `\\server\share\a.mp4`
    `file://server/share/a.mp4`; the bytes of a name that is not UTF-8 are kept.
    A relative path is taken from the current folder.
    """
    text = absolute_path(path)
    if isinstance(media_path(text), PureWindowsPath):
        text = text.replace("\\", "/")
        if text.startswith("//"):
            return "file:" + _quoted(text)
        return f"file:///{text[:2]}" + _quoted(text[2:])
    return "file://" + _quoted(text)


def path_of_url(url: str) -> str:
    r"""Return the path a file URL or a bare path names: the inverse of `file_url`.

    A bare path is taken as it stands, so that "#" and "%20" in a name stay what they are.
    `file://localhost/...` and `file://server/share/...` are understood.

    Example:
        >>> path_of_url("file:///C:/a%20b.mp4")
        'C:\\a b.mp4'
    """
    if not url.lower().startswith("file:"):
        return url
    text = unquote_to_bytes(url[5:]).decode("utf-8", "surrogateescape")
    if text.startswith("//"):
        host, _, rest = text[2:].partition("/")
        if host.lower() in ("", "localhost"):
            text = "/" + rest
        elif re.fullmatch("[A-Za-z]:", host):  # file://C:/a.mp4, which some programs write
            text = f"/{host}/{rest}"
        else:
            return "\\\\" + f"{host}/{rest}".replace("/", "\\")
    if _DRIVE.match(text):
        return text[1:].replace("/", "\\")
    return text


def map_path(path: str, maps: Sequence[tuple[str, str]]) -> str:
    r"""Return the path under which another machine sees a file.

    Args:
        path: Absolute path here.
        maps: Pairs (from, to) of folders; the first whose "from" holds the path wins. Windows
            paths are compared without regard to case.

    Example:
        >>> map_path("/mnt/footage/day 1/a.mp4", [("/mnt/footage", "Z:\\")])
        'Z:\\day 1\\a.mp4'
    """
    pure = media_path(path)
    for start, end in maps:
        try:
            rest = pure.relative_to(media_path(start))
        except (ValueError, TypeError):
            continue  # Not below that folder, or of the other system.
        return str(media_path(end).joinpath(*rest.parts))
    return path


def _quoted(text: str) -> str:
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe="/")
