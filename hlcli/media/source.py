"""Looks at a file before anything reads it as media."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hlcli.errors import MediaError, MediaNotFoundError, MediaUnreadableError

_BOX_HEADER_BYTES = 8
_MOST_BOXES = 100_000


def plain_path(path: Path) -> Path:
    """Return the absolute path of a file without "." and "..", as an editor shall see it.

    Symbolic links stay as they are, except where "a/link/../b" is another file than "a/b".
    """
    plain = Path(os.path.normpath(path.absolute()))
    if ".." in path.parts and path.exists() and not (plain.exists() and plain.samefile(path)):
        return path.resolve()
    return plain


def check_source(path: Path) -> int:
    """Return the size of a file that can be read as often as needed, in bytes.

    Nothing is opened but regular files: a pipe would block for ever, and what was read from it
    once is gone.

    Raises:
        MediaNotFoundError: There is no such file.
        MediaError: It is a folder, a pipe or a device, or may not be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path} is a folder", hint="name a video file inside it")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(
                f"{path} is a pipe or a device, no file",
                hint="save the video to a file first: it is read more than once",
            )
        with path.open("rb"):
            return status.st_size
    except FileNotFoundError as error:
        raise MediaNotFoundError(f"no such file: {path}", hint="check the spelling") from error
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have, with a NUL in it.
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"cannot read {path}: {reason}", hint="check its permissions") from error


def unreadable(path: Path, why: str) -> MediaUnreadableError:
    """Return the error for a file that cannot be read as video."""
    return MediaUnreadableError(
        f"cannot read {path} as a video: {why}",
        hint="play it in a media player; if it does not play there, copy it again",
    )


def lacks_movie_index(path: Path) -> bool:
    """Say whether a file is an MP4 or MOV without the index that cameras write last.

    Such a file comes from a recording or a copy that was broken off; nothing in it can be found.
    """
    found: set[bytes] = set()
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            position = 0
            for _ in range(_MOST_BOXES):
                stream.seek(position)
                header = stream.read(_BOX_HEADER_BYTES)
                if len(header) < _BOX_HEADER_BYTES:
                    break
                length, kind = int.from_bytes(header[:4], "big"), header[4:]
                if length == 1:
                    length = int.from_bytes(stream.read(8), "big")
                found.add(kind)
                if length < _BOX_HEADER_BYTES or position + length >= size_bytes:
                    break
                position += length
    except OSError:
        return False
    return b"ftyp" in found and b"mdat" in found and b"moov" not in found
