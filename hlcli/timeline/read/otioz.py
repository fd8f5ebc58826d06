"""OpenTimelineIO bundles: the media is taken out into the cache, once for each bundle.

A bundle is a zip file of somebody else's. What it claims is checked before anything is taken out:
a few kilobytes can unpack to gigabytes, and names can lead out of the folder.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath

from hlcli.atomic import atomic_write, make_folder
from hlcli.errors import OutputError, TimelineError, shortened, size_text
from hlcli.media.identity import content_identity
from hlcli.paths import bundles_dir
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read.bounds import MOST_BYTES, TooMuchError, json_text
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.otio import load
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import NO_SEARCH, Relinker

_TIMELINE = "content.otio"
_MOST_MEMBERS = 10_000
_MOST_LIST_BYTES = 8 << 20
# Pictures and sound are packed already; even sound that is nearly silent shrinks less.
_MOST_SHRUNK = 50
_SMALL_BYTES = 16 << 20
_LONGEST_NAME_BYTES = 255
_CHUNK_BYTES = 1 << 20
_HINT = "do not open it, it may be meant to harm"
_LEFT_ALONE_SECONDS = 24 * 3600.0
MAX_BUNDLES_BYTES = 20 << 30
"""Most that the media of all bundles takes in the cache; what was read today stays all the same."""


def read(
    path: Path,
    *,
    relinker: Relinker = NO_SEARCH,
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one bundle; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    folder = bundles_dir() / content_identity(path)[:32]
    made: list[Path] = []
    try:
        with _Stream(io.FileIO(path)) as stream, zipfile.ZipFile(stream) as bundle:
            content, media = _members(bundle, path)
            timeline = load(path, "otio_json", text=_content(bundle, content))
            _check_room(media, folder)
            for info in media:
                _take_out(bundle, info, folder, made)
        _drop_oldest(keep=folder)
        return edit_of_otio(timeline, folder=folder, relinker=relinker, known=known, rate=rate)
    except Exception:
        # What cannot be used shall not stay in the cache.
        for file in made:
            file.unlink(missing_ok=True)
        raise


class _Stream(io.BufferedReader):
    """A file of which nobody reads very much at once, as `zipfile` does with its list."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MOST_LIST_BYTES:
            raise TooMuchError(f"its list of members takes {size:,} bytes")
        return super().read(size)


def _members(bundle: zipfile.ZipFile, path: Path) -> tuple[zipfile.ZipInfo, list[zipfile.ZipInfo]]:
    """Return the timeline and the media of a bundle whose list of members can be believed."""
    infos = bundle.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise TooMuchError(f"it has {len(infos):,} members, {_MOST_MEMBERS:,} are allowed")
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise TimelineError(f"{path} has members that share their bytes", hint=_HINT)
    content: zipfile.ZipInfo | None = None
    media: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = PurePosixPath(info.filename)
        if info.filename.endswith("/"):
            continue
        if not name.parts:
            raise zipfile.BadZipFile("a member of it has no name")
        _check_name(info.filename, name, path)
        if info.filename == _TIMELINE:
            content = info
        elif name.parts[0] == "media":
            media[info.filename] = info
        else:
            continue
        if info.flag_bits & 1:
            raise TimelineError(
                f"{path} is encrypted: {shortened(info.filename)!r} needs a password",
                hint="unpack it with its password, and give the .otio in it",
            )
        if info.file_size > max(_SMALL_BYTES, _MOST_SHRUNK * info.compress_size):
            raise TooMuchError(
                f"{shortened(info.filename)!r} has {info.compress_size:,} bytes and claims to "
                f"unpack to {info.file_size:,}"
            )
    if content is None:
        raise TimelineError(f"{path} holds no {_TIMELINE}", hint="it is no bundle")
    return content, list(media.values())


def _check_name(text: str, name: PurePosixPath, path: Path) -> None:
    if name.is_absolute() or ".." in name.parts or "\\" in text or ":" in text:
        raise TimelineError(
            f"{path} holds {shortened(text)!r}, which would lie outside the bundle", hint=_HINT
        )
    if any(len(part.encode("utf-8", "replace")) > _LONGEST_NAME_BYTES for part in name.parts):
        raise TimelineError(
            f"{path} holds a file whose name is longer than any: {shortened(text)!r}", hint=_HINT
        )


def _content(bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > MOST_BYTES:
        raise TooMuchError(f"its {_TIMELINE} has {info.file_size >> 20:,} MiB")
    return json_text(b"".join(_chunks(bundle, info)))


def _check_room(media: Sequence[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse to take out what the disk of the cache has no room for."""
    needed_bytes = sum(
        info.file_size for info in media if not _has_size(folder / info.filename, info)
    )
    make_folder(folder, hint="set HL_CACHE_DIR to a folder with room for the media")
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise OutputError(
            f"cannot take {size_text(needed_bytes)} of media out into {folder}: "
            f"{size_text(free_bytes)} are free",
            hint="set HL_CACHE_DIR to a folder with room for the media",
        )


def _has_size(target: Path, info: zipfile.ZipInfo) -> bool:
    return target.is_file() and target.stat().st_size == info.file_size


def _take_out(
    bundle: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, made: list[Path]
) -> None:
    target = folder / info.filename
    if _has_size(target, info) and _checksum(target) == info.CRC:
        return
    make_folder(target.parent, hint="set HL_CACHE_DIR to a folder with room for the media")
    with atomic_write(target) as stream:
        for chunk in _chunks(bundle, info):
            stream.write(chunk)
    made.append(target)


def _drop_oldest(*, keep: Path) -> None:
    """Remove the media of bundles that were read longest ago, until the rest is no larger."""
    with contextlib.suppress(OSError):
        # When it was read last.
        os.utime(keep)
    folders: list[tuple[float, int, Path]] = []
    for folder in bundles_dir().iterdir():
        # Another process may remove it meanwhile.
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            folders.append((folder.stat().st_mtime, size, folder))
    total = sum(size for _, size, _ in folders)
    recent = time.time() - _LEFT_ALONE_SECONDS
    for last_read, size, folder in sorted(folders):
        if total <= MAX_BUNDLES_BYTES:
            break
        # A film may be made from it just now.
        if folder != keep and last_read < recent:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _checksum(file: Path) -> int:
    """Return the CRC-32 of a file, which a bundle states for each of its own."""
    checksum = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def _chunks(bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces, as many bytes as it states and no more."""
    try:
        with bundle.open(info) as packed:
            while chunk := packed.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        # Not to be taken for a disk that cannot be written to.
        raise zipfile.BadZipFile(f"{shortened(info.filename)!r} is damaged") from error
