"""OpenTimelineIO bundles: the media is taken out into the cache, once for each bundle."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath

from hlcli.atomic import atomic_write, make_folder
from hlcli.errors import TimelineError
from hlcli.media.identity import content_identity
from hlcli.paths import cache_dir
from hlcli.timeline.edit_list import Source
from hlcli.timeline.read import otio as otio_reader
from hlcli.timeline.read.edit_of_otio import edit_of_otio
from hlcli.timeline.read.types import ReadTimeline

_TIMELINE = "content.otio"


def read(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
) -> ReadTimeline:
    """Read one bundle; the arguments are those of `hlcli.timeline.read.read_timeline`."""
    folder = cache_dir() / "bundles" / content_identity(path)[:32]
    try:
        with zipfile.ZipFile(path) as bundle:
            members = [info for info in bundle.infolist() if _is_wanted(info, path)]
            if not any(info.filename == _TIMELINE for info in members):
                raise TimelineError(f"{path} holds no {_TIMELINE}", hint="it is no bundle")
            for info in members:
                _take_out(bundle, info, folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise TimelineError(
            f"cannot read {path}: {error}", hint="copy it again, it may be cut off"
        ) from error
    timeline = otio_reader.load(folder / _TIMELINE, "otio_json")
    return edit_of_otio(timeline, folder=folder, search=search, known=known, rate=rate)


def _is_wanted(info: zipfile.ZipInfo, path: Path) -> bool:
    name = PurePosixPath(info.filename)
    if info.is_dir():
        return False
    if name.is_absolute() or ".." in name.parts or "\\" in info.filename or ":" in info.filename:
        raise TimelineError(
            f"{path} holds {info.filename!r}, which would lie outside the bundle",
            hint="do not open it, it may be meant to harm",
        )
    return info.filename == _TIMELINE or name.parts[0] == "media"


def _take_out(bundle: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / info.filename
    if target.is_file() and target.stat().st_size == info.file_size:
        return
    make_folder(target.parent, hint="set HL_CACHE_DIR to a folder with room for the media")
    with bundle.open(info) as packed, atomic_write(target) as stream:
        shutil.copyfileobj(packed, stream, 1 << 20)
