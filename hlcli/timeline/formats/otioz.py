"""OpenTimelineIO bundles: one zip file with `content.otio` and the media it names.

OpenTimelineIO's own adapter refuses two files of one name, writes the media's names as they are
where its URLs stand, puts the time of each file into the archive and leaves half a bundle when the
disk is full; so the bundle is written here, and the tests read it with that adapter. It follows the
layout of version 1.0.0: `version.txt`, `content.otio`, `media/NAME`, nothing compressed, so that
the bytes are the same with every version of zlib.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import opentimelineio as otio

from hlcli.atomic import atomic_write
from hlcli.errors import (
    MediaError,
    MediaNotFoundError,
    MediaUnreadableError,
    OutputError,
    size_text,
)
from hlcli.media.identity import content_identity
from hlcli.timeline.edit_list import EditList, Source
from hlcli.timeline.formats.otio import json_text, otio_timeline
from hlcli.timeline.formats.otio_dialects import DIALECTS
from hlcli.timeline.paths import absolute_path, media_path, readable

BUNDLE_VERSION = "1.0.0"
"""Version of the bundle's layout, as OpenTimelineIO counts it."""
_CHUNK_BYTES = 1 << 20
# What a URL would end at or decode, what Windows forbids in a name, and what cannot be printed.
_UNSAFE = re.compile(r"[#%?&<>:\"|*\\/\x00-\x1f\x7f\ufffd]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
# The year zip files begin with: a real date would change the bytes from run to run.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write(edit: EditList, path: Path, *, target: str = "generic") -> None:
    """Write a bundle with all media, the same bytes for the same edit list and the same media.

    Media is copied in pieces, so its size does not matter to memory.

    Raises:
        MediaNotFoundError: A source is not on this machine.
        MediaError: A source cannot be read, or is not the file that was scored.
        OutputError: It cannot be written there, or the disk has no room for it.
    """
    files = {source: _file(source) for source in edit.sources}
    _check_room(path, files.values())
    names = _names(files)
    dialect = DIALECTS[target]
    timeline = otio_timeline(edit, dialect)
    # Keyed as the timeline names them: sources that are one file have one URL.
    inside = {dialect.target_url(source.path): f"media/{names[files[source]]}" for source in files}
    for clip in timeline.find_clips():
        media = clip.media_reference
        assert isinstance(media, otio.schema.ExternalReference)
        media.target_url = inside[media.target_url]
    with atomic_write(path) as stream, zipfile.ZipFile(stream, "w") as bundle:
        bundle.writestr(_entry("version.txt"), BUNDLE_VERSION)
        bundle.writestr(_entry("content.otio"), json_text(timeline, dialect))
        for file, name in names.items():
            _copy(file, bundle, f"media/{name}")


def _file(source: Source) -> Path:
    """Return the media file of a source, and make sure that it is the one that was scored."""
    file = Path(absolute_path(source.path))
    shown = readable(source.path)
    try:
        identity = content_identity(file)
    except MediaNotFoundError as error:
        raise MediaNotFoundError(
            f"{shown} is not on this machine, and a bundle holds the media itself",
            hint="run hl export where the file is, without --map-path, "
            "or write .otio, which only names it",
        ) from error
    if source.sha256_head not in (None, identity):
        raise MediaError(
            f"{shown} is not the file that was scored: its content has changed",
            hint="run hl score again, or put the file back",
        )
    return file


def _check_room(path: Path, files: Iterable[Path]) -> None:
    """Refuse a bundle that will not fit, before gigabytes are copied."""
    needed_bytes = sum(file.stat().st_size for file in set(files))
    try:
        free_bytes = shutil.disk_usage(path.parent).free
    except OSError:
        return  # Writing says what is wrong with the folder.
    if needed_bytes > free_bytes:
        raise OutputError(
            f"cannot write {path}: the media is {size_text(needed_bytes)}, "
            f"{size_text(free_bytes)} are free",
            hint="free some space, or write .otio, which only names the media",
        )


def _names(files: dict[Source, Path]) -> dict[Path, str]:
    """Give each file a name of its own that reads the same as a path and as a URL, everywhere."""
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for source, file in files.items():
        if file in names:
            continue
        safe = _UNSAFE.sub("_", readable(media_path(source.path).name)).rstrip(". ")
        if not safe or _RESERVED.match(safe):
            safe = f"_{safe}"
        stem, dot, ending = safe.rpartition(".")
        if not stem:
            stem, dot, ending = safe, "", ""
        name, number = safe, 1
        while name.casefold() in taken:  # most file systems do not tell case apart
            number += 1
            name = f"{stem}-{number}{dot}{ending}"
        taken.add(name.casefold())
        names[file] = name
    return names


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_NO_DATE)
    entry.create_system = 3  # "Unix" everywhere; the system hl runs on is no part of a bundle
    entry.external_attr = 0o100644 << 16
    return entry


def _copy(file: Path, bundle: zipfile.ZipFile, name: str) -> None:
    entry = _entry(name)
    try:
        media = file.open("rb")
        # Known beforehand, it makes zipfile choose the 64-bit layout for large files only.
        entry.file_size = file.stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from error
    with media, bundle.open(entry, "w") as copy:
        while chunk := _read(media, file):
            copy.write(chunk)


def _read(media: IO[bytes], file: Path) -> bytes:
    # Apart from writing, so that a broken card is not reported as a full disk.
    try:
        return media.read(_CHUNK_BYTES)
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> MediaUnreadableError:
    return MediaUnreadableError(
        f"cannot read {readable(str(file))}: {error.strerror or error}",
        hint="check its permissions and the disk it is on",
    )
