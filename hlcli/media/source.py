"""Looks at a file before anything reads it as media."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from hlcli.errors import MediaError, MediaNotFoundError, MediaUnreadableError

_DEMUXERS = (
    # Containers of cameras, recorders, editors and the web.
    *("mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "mxf", "ogg", "rm", "dv", "gxf"),
    *("nut", "wtv", "ty", "pva", "lxf", "nsv", "dhav", "mlv", "cine", "ivf", "yuv4mpegpipe", "kux"),
    # Pictures without a container.
    *("h264", "hevc", "vvc", "av1", "obu", "evc", "apv", "mpegvideo", "m4v", "h261", "h263"),
    *("mjpeg", "mjpeg_2000", "vc1", "dirac", "dnxhd", "cavsvideo", "avs2", "avs3"),
    # Sound, for music under a timeline and for saying that there is no picture.
    *(
        "wav",
        "w64",
        "aiff",
        "caf",
        "au",
        "mp3",
        "aac",
        "loas",
        "ac3",
        "eac3",
        "ac4",
        "dts",
        "dtshd",
    ),
    *("truehd", "mlp", "flac", "ape", "wv", "tta", "tak", "amr", "dsf", "mpc", "mpc8", "voc"),
)
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": ",".join(_DEMUXERS)}
"""What FFmpeg is given whenever it opens a file, as library or as program: formats that lie in one
file alone. Playlists, lists of files, numbered pictures and devices read something else."""

_HEAD_BYTES = 4096
_LISTS = (
    *(b"#EXTM3U", b"ffconcat", b"# VobSub index", b"v=0", b"[playlist]", b"[Reference]", b"<asx"),
    *(b"<ASX", b"<MPD", b"<smil", b"[InternetShortcut]"),
)
_PICTURES = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\1\0", b"8BPS"),
    *(
        b"P4",
        b"P5",
        b"P6",
        b"P7",
        b"v/1\1",
        b"#?RADIANCE",
        b"SDPX",
        b"XPDS",
        b"\0\0\0\x0cjP",
        b"qoif",
    ),
    *(b"\xff\x0a", b"\0\0\0\x0cJXL", b"FLIF", b"DDS "),
)
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


def why_not_opened(path: Path) -> MediaUnreadableError:
    """Return the error for a file that FFmpeg did not open with `OPEN_OPTIONS`."""
    head = b""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_LISTS) or b"<MPD" in head:
        return MediaUnreadableError(
            f"cannot read {path} as a video: it is a playlist, a list of other files",
            hint="name the video files themselves",
        )
    if start.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return MediaUnreadableError(
            f"cannot read {path} as a video: it is a picture or an animation",
            hint="hl needs a video file",
        )
    if _is_text(head):
        return MediaUnreadableError(
            f"cannot read {path} as a video: it is text", hint="hl needs a video file"
        )
    if _lacks_movie_index(path):
        return MediaUnreadableError(
            f"cannot read {path} as a video: it was cut off, the index at its end is missing",
            hint="copy it again from the camera or card, or rebuild the index with a repair "
            "program and a whole file of the same camera",
        )
    return unreadable(path, "not a video, or its header is damaged")


def _is_text(head: bytes) -> bool:
    try:
        # The last character may have been cut in two.
        text = head[: len(head) - 3 if len(head) == _HEAD_BYTES else None].decode()
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def _lacks_movie_index(path: Path) -> bool:
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
