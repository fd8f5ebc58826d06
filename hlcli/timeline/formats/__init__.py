"""The formats: what writes, reads and checks each, and the programs they are for.

Modules are imported when they are needed:

* `formats.NAME` has `write(edit, path, *, target)`, which writes the file whole or not at all, the
  same bytes for the same edit list; formats for people and scripts are made from the scores
  documents and have `write(documents, path)`.
* `read.NAME` has `read(path, *, relinker, known, rate)`.
* `check.NAME` has `check(path, findings)`.
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hlcli.errors import UsageError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.timeline.build import Layout
    from hlcli.timeline.edit_list import EditList

Kind = Literal["timeline", "captions", "document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One kind of file."""

    suffix: str
    """Extension, with its dot, in lower case."""
    title: str
    """What people call it."""
    opens_in: str
    """Programs that read it."""
    write: str
    """Module that writes it, below `hlcli.timeline`."""
    read: str | None = None
    """Module that reads it, below `hlcli.timeline`; None where it is no timeline."""
    check: str | None = None
    """Module with what editors refuse in it, below `hlcli.timeline`; None takes `check.cuts`."""
    folder_suffix: str | None = None
    """Extension of a folder that holds such a file and is read, too."""
    kind: Kind = "timeline"
    """Whether it is made from an edit list, from one with transcripts, or from scores documents."""
    holds_media: bool = False
    """Whether it copies the videos."""
    targets: tuple[str, ...] = ("generic",)
    """Values of --for it can be written for; the first is the default."""
    needs: tuple[str, str] | None = None
    """A module that is installed by an extra alone, and the extra."""
    advice: str = ""
    """What somebody should know who named no program; empty where nothing is lost."""


FORMATS: dict[str, Format] = {
    entry.suffix: entry
    for entry in (
        Format(
            suffix=".otio",
            title="OpenTimelineIO",
            opens_in="DaVinci Resolve 18.5+, Premiere Pro 25.6+, Kdenlive 25.04+",
            write="formats.otio",
            read="read.otio",
            check="check.otio",
            targets=("generic", "resolve", "premiere"),
            advice="DaVinci Resolve wants --for resolve",
        ),
        Format(
            suffix=".otioz",
            title="OpenTimelineIO bundle with the media",
            opens_in="programs built on OpenTimelineIO",
            write="formats.otioz",
            read="read.otioz",
            holds_media=True,
        ),
        Format(
            suffix=".xml",
            title="FCP7 XML",
            opens_in="Premiere Pro, DaVinci Resolve",
            write="formats.fcp7",
            read="read.fcp7",
            check="check.fcp7",
            targets=("premiere", "resolve"),
        ),
        Format(
            suffix=".fcpxml",
            title="FCPXML",
            opens_in="Final Cut Pro 10.6+, DaVinci Resolve 18.5+",
            write="formats.fcpxml",
            read="read.fcpxml",
            check="check.fcpxml",
            folder_suffix=".fcpxmld",
            targets=("finalcut", "resolve"),
        ),
        Format(
            suffix=".edl",
            title="CMX3600 EDL",
            opens_in="DaVinci Resolve, Premiere Pro, Avid, nearly everything",
            write="formats.edl",
            read="read.edl",
            check="check.edl",
            targets=("generic", "resolve", "premiere", "avid"),
        ),
        Format(
            suffix=".aaf",
            title="AAF",
            opens_in="Avid Media Composer, DaVinci Resolve",
            write="formats.aaf",
            read="read.aaf",
            targets=("avid",),
        ),
        Format(
            suffix=".mlt",
            title="MLT XML",
            opens_in="Shotcut 21.02+, melt",
            write="formats.mlt",
            read="read.mlt",
            targets=("shotcut",),
        ),
        Format(
            suffix=".kdenlive",
            title="Kdenlive project",
            opens_in="Kdenlive 22.12+, melt",
            write="formats.kdenlive",
            read="read.mlt",
            targets=("kdenlive",),
        ),
        Format(
            suffix=".llc",
            title="LosslessCut project",
            opens_in="LosslessCut 3.65+",
            write="formats.losslesscut",
            read="read.losslesscut",
            targets=("losslesscut",),
            advice="LosslessCut looks for the video beside it",
        ),
        Format(
            suffix=".v1",
            title="auto-editor v1",
            opens_in="auto-editor",
            write="formats.autoeditor",
            read="read.autoeditor",
            targets=("autoeditor",),
        ),
        Format(
            suffix=".v3",
            title="auto-editor v3",
            opens_in="auto-editor 24+",
            write="formats.autoeditor",
            read="read.autoeditor",
            targets=("autoeditor",),
        ),
        Format(
            suffix=".json",
            title="scores document",
            opens_in="hl export, scripts",
            write="formats.scores",
            kind="document",
        ),
        Format(
            suffix=".csv",
            title="table",
            opens_in="spreadsheets, scripts",
            write="formats.table",
            kind="document",
        ),
        Format(
            suffix=".parquet",
            title="Parquet",
            opens_in="DuckDB, pandas, Spark and other programs for data",
            write="formats.parquet",
            kind="document",
            needs=("pyarrow", "parquet"),
        ),
        Format(
            suffix=".txt",
            title="YouTube chapters",
            opens_in="a video's description on YouTube",
            write="formats.chapters",
        ),
        Format(
            suffix=".ffmetadata",
            title="chapters for FFmpeg",
            opens_in="ffmpeg -i FILM -i FILE -map_metadata 1 -codec copy",
            write="formats.ffmetadata",
        ),
        Format(
            suffix=".srt",
            title="captions, SubRip",
            opens_in="players, editors, YouTube",
            write="formats.captions",
            kind="captions",
        ),
        Format(
            suffix=".vtt",
            title="captions, WebVTT",
            opens_in="web players",
            write="formats.captions",
            kind="captions",
        ),
    )
}
"""Formats by extension, in the order of `hl export --list-formats`."""


def module_of(name: str) -> Any:
    """Import a module that a format names."""
    return importlib.import_module(f"hlcli.timeline.{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A program to write for, as --for names it."""

    name: str
    """Value of --for."""
    title: str
    """Name of the program."""
    suffix: str
    """What a folder gets."""
    reads: tuple[str, ...] = ()
    """Extensions that it reads, the best first; none where nothing is known about it."""
    aliases: tuple[str, ...] = ()
    """Other words for it, as `_plain` leaves them."""


TARGETS: dict[str, Target] = {
    entry.name: entry
    for entry in (
        Target(
            name="generic", title="any OpenTimelineIO reader", suffix=".otio",
            aliases=("any", "otio", "opentimelineio"),
        ),
        Target(
            name="resolve", title="DaVinci Resolve", suffix=".otio",
            reads=(".otio", ".xml", ".fcpxml", ".edl", ".aaf"),
            aliases=("davinci", "davinciresolvestudio", "resolvestudio", "blackmagic"),
        ),
        Target(
            name="premiere", title="Premiere Pro", suffix=".otio",
            reads=(".otio", ".xml", ".edl", ".aaf"),
            aliases=("adobe", "adobepremiere", "adobepremierepro", "ppro"),
        ),
        Target(
            name="finalcut", title="Final Cut Pro", suffix=".fcpxml",
            reads=(".fcpxml",),
            aliases=("fcp", "fcpx", "finalcutprox", "finalcutx"),
        ),
        Target(
            name="avid", title="Avid Media Composer", suffix=".aaf",
            reads=(".aaf", ".edl"),
            aliases=("mediacomposer", "avidmc"),
        ),
        Target(
            name="shotcut", title="Shotcut", suffix=".mlt",
            reads=(".mlt",),
        ),
        Target(
            name="kdenlive", title="Kdenlive", suffix=".kdenlive",
            reads=(".kdenlive", ".mlt", ".otio"),
        ),
        Target(
            name="losslesscut", title="LosslessCut", suffix=".llc",
            reads=(".llc",),
        ),
        Target(
            name="autoeditor", title="auto-editor", suffix=".v3",
            reads=(".v3", ".v1"),
        ),
    )
}  # fmt: skip
"""Programs by their value of --for."""


def format_of(path: Path, target: str | None = None) -> Format:
    """Return the format of an output file.

    Args:
        path: A file name.
        target: Value of --for it shall be written for; None takes the format's own.

    Raises:
        UsageError: The extension or the target is unknown, they do not go together, or an extra
            is not installed.
    """
    known = ", ".join(FORMATS)
    if not path.suffix:
        raise UsageError(
            f"cannot tell what to write to {path}: it has no extension and is no folder",
            hint=f"use one of {known}, or {path}{os.sep} for a folder",
        )
    chosen = FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise UsageError(
            f"cannot write {path}: the extension {path.suffix} is unknown",
            hint="`hl score VIDEO -o reel.mp4` makes a film and its timeline, "
            "`hl render` the film of a timeline"
            if path.suffix.lower() in (".mp4", ".mov", ".mkv")
            else f"use one of {known}, or name a folder",
        )
    if chosen.needs is not None and find_spec(chosen.needs[0]) is None:
        raise UsageError(
            f"cannot write {path}: the extra for {chosen.title} is not installed",
            hint=f'pip install "hlcli[{chosen.needs[1]}]"',
        )
    if target is not None and (program := check_target(target)).name not in chosen.targets:
        suffixes = [one.suffix for one in FORMATS.values() if program.name in one.targets]
        raise UsageError(
            f"cannot write {path} for {program.title}: it does not read {chosen.title}",
            hint=f"--for {program.name} goes with {', '.join(suffixes)}",
        )
    return chosen


def check_target(name: str) -> Target:
    """Return the program of a value of --for: its name, its title or another word, in any case.

    Raises:
        UsageError: It is unknown.

    Example:
        >>> check_target("DaVinci-Resolve").name, check_target("FCPX").name
        ('resolve', 'finalcut')
    """
    plain = _plain(name)
    for target in TARGETS.values():
        if plain in (target.name, _plain(target.title), *target.aliases):
            return target
    words = {word: one.name for one in TARGETS.values() for word in (one.name, *one.aliases)}
    close = difflib.get_close_matches(plain, words, n=1)
    hint = f"use one of {', '.join(TARGETS)}"
    raise UsageError(
        f"--for: {name!r} is unknown",
        hint=f"did you mean {words[close[0]]}? {hint}" if close else hint,
    )


def suffixes_for(target: Target) -> list[str]:
    """Return the timelines that can be written for a program; what a folder gets comes first."""
    suffixes = [
        entry.suffix
        for entry in FORMATS.values()
        if entry.kind == "timeline" and target.name in entry.targets
    ]
    return sorted(suffixes, key=lambda suffix: suffix != target.suffix)


def _plain(name: str) -> str:
    """Return a program's name without case, spaces and signs."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def write_format(
    path: Path,
    documents: Sequence[ScoresDocument],
    *,
    target: str | None = None,
    layout: Layout | None = None,
) -> None:
    """Write documents to one file, in the format of its extension.

    Args:
        path: File to write.
        documents: Scores documents with their moments, in the order of the timeline.
        target: Value of --for; None takes the format's own.
        layout: How to lay the moments on a timeline; None as they happened.

    Raises:
        UsageError: See `format_of`; or the format cannot hold what is asked for.
        OutputError: It cannot be written, or a timeline would be empty.
    """
    chosen = format_of(path, target)
    module = module_of(chosen.write)
    if chosen.kind == "document":
        module.write(documents, path)
        return
    from hlcli.timeline.build import Layout, build_edit_list

    edit = build_edit_list(documents, name=path.stem, layout=layout or Layout())
    write_edit(path, edit, target=target)


def write_edit(path: Path, edit: EditList, *, target: str | None = None) -> None:
    """Write a timeline to one file, in the format of its extension.

    Args:
        path: File to write, of a format that is made from a timeline.
        edit: The timeline.
        target: Value of --for; None takes the format's own.

    Raises:
        UsageError: See `format_of`; or the format cannot hold the timeline.
        OutputError: It cannot be written.
    """
    chosen = format_of(path, target)
    module_of(chosen.write).write(
        edit, path, target=check_target(target).name if target else chosen.targets[0]
    )
