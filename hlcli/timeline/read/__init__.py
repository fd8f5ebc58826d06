"""Reads timelines back, those of `hl` and those of other programs.

What a timeline says and an edit list cannot is a stated simplification or an error, never a
silently different cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from hlcli.errors import TimelineError, UsageError
from hlcli.media.discover import MayRead, any_file
from hlcli.timeline.edit_list import Source
from hlcli.timeline.formats import FORMATS, module_of
from hlcli.timeline.paths import is_file
from hlcli.timeline.read.bounds import reading
from hlcli.timeline.read.types import ReadTimeline
from hlcli.timeline.relink import Relinker

__all__ = ["READERS", "ReadTimeline", "read_timeline"]

READERS: dict[str, str] = {
    suffix: entry.read
    for entry in FORMATS.values()
    for suffix in (entry.suffix, entry.folder_suffix)
    if entry.read is not None and suffix is not None
}
"""Modules by extension."""


def read_timeline(
    path: Path,
    *,
    search: Sequence[Path] = (),
    known: Sequence[Source] = (),
    rate: Fraction | None = None,
    may_read: MayRead = any_file,
) -> ReadTimeline:
    """Read a timeline file.

    Args:
        path: The file; its extension says what it is.
        search: Folders to look, with all below them, for media that is not where it was.
        known: Sources that need no looking at, by their path or their file name.
        rate: Rate of the timeline in frames per second, for formats that do not say it (EDL);
            None takes the file's own, or that of its media.
        may_read: Asked before media is opened; what may not be read counts as not there.

    Raises:
        UsageError: The extension is unknown, or an extra that reads it is not installed.
        TimelineError: It is damaged, empty, or cannot be cut without guessing.
        MediaError: A media file cannot be used, or `search` finds several.
    """
    module = READERS.get(path.suffix.lower())
    if module is None:
        raise UsageError(
            f"cannot read {path}: the extension {path.suffix or '(none)'} is unknown",
            hint=_what_it_is(path) or f"use one of {', '.join(READERS)}",
        )
    if path.suffix.lower() == ".fcpxmld" and path.is_dir():
        path /= "Info.fcpxml"  # what a bundle of Final Cut Pro keeps its story in
    if not is_file(path):
        raise TimelineError(f"no such timeline: {path}", hint="check the spelling")
    reader = module_of(module)
    relinker = Relinker(search, may_read=may_read)
    with reading(path):
        read: ReadTimeline = reader.read(path, relinker=relinker, known=known, rate=rate)
    return read


def _what_it_is(path: Path) -> str:
    """Say what to do with a file that `hl` knows, but not as a timeline."""
    from hlcli.media.discover import VIDEO_SUFFIXES
    from hlcli.timeline.formats import FORMATS

    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return (
            f"that is a video: `hl score {path} -o reel.mp4` finds its moments and makes the film, "
            f"`hl score {path} -o cut.otio` a timeline of them"
        )
    if suffix == ".json":
        return f"make a timeline of the scores first: `hl export {path} -o cut.otio`"
    return f"{FORMATS[suffix].title} is for people, name a timeline" if suffix in FORMATS else ""
