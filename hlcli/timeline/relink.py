"""Finds media that has moved since a timeline or a scores document was written.

A file is what it was when its name and its content agree. Where no content identity is known, its
rate, its length and its timecode must fit. Names are compared as programs and systems bend them:
Macs take letters and their accents apart, lists leave out endings or write ASCII alone.
"""

from __future__ import annotations

import copy
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.errors import HlError, MediaError, MediaNotFoundError
from hlcli.media.discover import VIDEO_SUFFIXES, MayRead, any_file
from hlcli.media.identity import content_identity
from hlcli.media.source import plain_path
from hlcli.timeline.paths import is_file, media_path, readable
from hlcli.timeline.timecode import start_frame

if TYPE_CHECKING:
    from hlcli.media.probe import MediaInfo

_FRAMES_OFF = 2
"""Programs disagree on the length of a file by a frame or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingMedia:
    """What is known about a file that is not where it was."""

    path: str
    """Where it was, of any system."""
    sha256_head: str | None = None
    """Content identity, `hlcli.media.identity`; None when unknown."""
    frame_rate: Fraction | None = None
    """Its rate in frames per second; None when unknown."""
    num_frames: int | None = None
    """Its length in frames at that rate; None when unknown."""
    start_frame: int | None = None
    """Timecode of its first frame as a frame count; None when unknown."""


def name_key(name: str) -> str:
    """Return what two spellings of one file name share: letters with accents, either case."""
    return unicodedata.normalize("NFC", readable(name)).casefold()


def ascii_name(name: str) -> str:
    """Return a name in printable ASCII, as lists have it: accents go, others become "_"."""
    apart = unicodedata.normalize("NFKD", readable(name))
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    return re.sub(r"[^\x20-\x7e]|^ +| +$", "_", plain)


def as_on_disk(path: Path) -> Path | None:
    """Return a path as the file system spells it; None when nothing or several are meant."""
    try:
        if path.exists():
            return path
        parent = None if path.parent == path else as_on_disk(path.parent)
        if parent is None or not parent.is_dir():
            return None
        key = name_key(path.name)
        found = [entry for entry in parent.iterdir() if name_key(entry.name) == key]
    except (OSError, ValueError):
        return None  # It may not be looked at, or is no name of this system.
    return found[0] if len(found) == 1 else None


class _Names:
    """Files by the ways in which their names are written."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        self._by_ascii: dict[str, list[Path]] = {}
        for path in files:
            self._by_name.setdefault(name_key(path.name), []).append(path)
            if path.suffix.lower() in VIDEO_SUFFIXES:
                self._by_stem.setdefault(name_key(path.stem), []).append(path)
            self._by_ascii.setdefault(ascii_name(path.name).casefold(), []).append(path)

    def find(self, name: str) -> list[Path]:
        """Return the files of a name, in the nearest way of writing it that any has."""
        ways = [self._by_name.get(name_key(name))]
        if media_path(name).suffix.lower() not in VIDEO_SUFFIXES:
            ways.append(self._by_stem.get(name_key(name)))
        ways.append(self._by_ascii.get(ascii_name(name).casefold()))
        return next(filter(None, ways), [])


class Relinker:
    """Looks below folders; they are walked once, when the first file is wanted.

    Args:
        folders: Where to look, with everything below them.
        may_read: Asked before a file is looked at or opened; what may not be read is not there.

    Raises:
        MediaNotFoundError: A folder to look in is not there: a slip, also where all media is.
    """

    def __init__(self, folders: Sequence[Path], *, may_read: MayRead = any_file) -> None:
        self._folders = tuple(folders)
        for folder in self._folders:
            if not folder.is_dir():
                raise MediaNotFoundError(
                    f"--search: there is no folder {folder}", hint="name an existing folder"
                )
        self._may_read = may_read
        self._beside: Path | None = None
        self._names: dict[bool, _Names] = {}
        self._here: dict[Path, Path | None] = {}

    def beside(self, folder: Path) -> Relinker:
        """Return one that looks for a name without a folder in this folder first, and not below."""
        other = copy.copy(self)
        other._beside = folder
        other._names = {}
        return other

    def here(self, path: Path) -> Path | None:
        """Return a file as it is spelled on disk; None if it is not there, or may not be read."""
        if path not in self._here:
            asked = self._asked(path)
            found = None if asked is None else as_on_disk(asked)
            self._here[path] = found if found is not None and is_file(found) else None
        return self._here[path]

    def find(self, wanted: MissingMedia) -> Path | None:
        """Return where a file is now; None when no file below the folders has its name.

        Raises:
            MediaNotFoundError: Files of its name are there, and none is it.
            MediaError: Several files are it.
        """
        name = media_path(wanted.path).name
        if not name:
            return None
        found: list[Path] = []
        if self._beside is not None and name == wanted.path:
            found = self._index(deep=False).find(name)
        if not found and self._folders:
            found = self._index(deep=True).find(name)
        found = [path for path in found if self._asked(path) is not None]
        if not found:
            return None
        reasons: dict[Path, str] = {}
        fitting = []
        for path in found:
            reason = _difference(path, wanted)
            if reason is None:
                fitting.append(path)
            else:
                reasons[path] = reason
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise MediaError(
                f"{readable(name)} is there {len(fitting)} times: "
                + ", ".join(readable(str(path)) for path in fitting),
                hint="name with --search only the folder that holds the right one",
            )
        raise MediaNotFoundError(
            f"{readable(wanted.path)} is not there, and what has its name is another file: "
            + "; ".join(f"{readable(str(path))} {reason}" for path, reason in reasons.items()),
            hint="name with --search the folder that holds the file itself",
        )

    def _index(self, *, deep: bool) -> _Names:
        if deep not in self._names:
            beside = None if self._beside is None else self._asked(self._beside)
            files = _files_below(self._folders) if deep else _files_in(beside)
            self._names[deep] = _Names(files)
        return self._names[deep]

    def _asked(self, path: Path) -> Path | None:
        try:
            return self._may_read(path)
        except HlError:
            return None


def _files_in(folder: Path | None) -> list[Path]:
    try:
        return (
            sorted(path for path in folder.absolute().iterdir() if path.is_file()) if folder else []
        )
    except OSError:
        return []


NO_SEARCH = Relinker(())
"""Finds media only where it was."""


def _files_below(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield every file once, in order, whatever links lead to it."""
    folders_seen: set[tuple[int, int]] = set()
    files_seen: set[tuple[int, int]] = set()
    for folder in folders:
        for place, below, files in os.walk(plain_path(folder), followlinks=True):
            at = Path(place)
            if not _is_new(at, folders_seen):
                below.clear()
                continue
            below.sort()
            for name in sorted(files):
                if (at / name).is_file() and _is_new(at / name, files_seen):
                    yield at / name


def _is_new(path: Path, seen: set[tuple[int, int]]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False  # It went away, or may not be looked at.
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return False
    seen.add(key)
    return True


def _difference(path: Path, wanted: MissingMedia) -> str | None:
    """Say why a file is not the one that is wanted; None when nothing speaks against it."""
    # Here, because most files are known by their content.
    from hlcli.media.probe import probe

    try:
        if wanted.sha256_head is not None:
            return None if content_identity(path) == wanted.sha256_head else "has other content"
        if wanted.frame_rate is None and wanted.num_frames is None:
            return None
        info = probe(path)
    except MediaError as error:
        return f"cannot be read ({error.message})"
    return difference(info, wanted)


def difference(info: MediaInfo, wanted: MissingMedia) -> str | None:
    """Say why a probed file is not the one that is wanted; None when nothing speaks against it."""
    if wanted.frame_rate is not None and info.frame_rate != wanted.frame_rate:
        return f"runs at {info.frame_rate} frames per second, not {wanted.frame_rate}"
    if wanted.num_frames is not None and abs(info.num_frames - wanted.num_frames) > _FRAMES_OFF:
        return f"has {info.num_frames} frames, not {wanted.num_frames}"
    if wanted.start_frame:
        start = start_frame(info.start_timecode, info.frame_rate)
        if start != wanted.start_frame:
            return f"starts at frame {start} of its timecode, not {wanted.start_frame}"
    return None
