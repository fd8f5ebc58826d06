"""Files for editors and people, chosen by extension: .otio, .json, .csv."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.atomic import write_text
from hlcli.document import ScoresDocument, write_documents
from hlcli.errors import OutputError, UsageError
from hlcli.timeline.dialect import media_path
from hlcli.timeline.table import table_text

if TYPE_CHECKING:
    import opentimelineio as otio


def write_timeline(timeline: otio.schema.Timeline, path: Path) -> None:
    """Write a timeline as OpenTimelineIO JSON, the same bytes for the same timeline.

    Raises:
        OutputError: It cannot be written there.
    """
    write_text(path, timeline.to_json_string(indent=2) + "\n")


def check_output(path: Path) -> None:
    """Refuse an output that could not be written, before any work is done for it.

    Args:
        path: A file with a known extension, or an existing folder.

    Raises:
        UsageError: The extension is unknown.
        OutputError: The folder does not exist or cannot be written.
    """
    folder = path if path.is_dir() else path.parent
    if not path.is_dir() and path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        if not path.suffix:
            raise UsageError(
                f"cannot tell what to write to {path}: it has no extension and is no folder",
                hint=f"use one of {known}, or create the folder first",
            )
        raise UsageError(
            f"cannot write {path}: the extension {path.suffix} is unknown",
            hint=f"use one of {known}, or name a folder",
        )
    if not folder.is_dir():
        raise OutputError(
            f"cannot write {path}: the folder {folder} does not exist",
            hint="create the folder first, or choose another output",
        )
    if not os.access(folder, os.W_OK):
        raise OutputError(
            f"cannot write {path}: the folder {folder} is not writable",
            hint="choose a folder you may write to",
        )


def check_not_a_source(path: Path, sources: Sequence[Path]) -> None:
    """Refuse an output that is one of the videos: footage is never overwritten.

    Raises:
        UsageError: It is the same file, by whatever name.
    """
    for source in sources:
        try:
            same = path.samefile(source)
        except OSError:
            continue  # One of them is not there.
        if same:
            raise UsageError(
                f"{path} is one of the videos, writing there would destroy it",
                hint="choose another name for the output",
            )


def write_output(path: Path, documents: Sequence[ScoresDocument]) -> list[Path]:
    """Write the documents to one file, or to one .otio each when `path` is a folder.

    Args:
        path: As `check_output` takes it.
        documents: Scores documents with their moments, in the order of the timeline.

    Returns:
        The files written, as `output_files` names them.

    Raises:
        UsageError: The extension is unknown.
        OutputError: It cannot be written, or a timeline would be empty.
    """
    check_output(path)
    files = output_files(path, documents)
    for file, part in files:
        write_file(file, part)
    return [file for file, _ in files]


def output_files(
    path: Path, documents: Sequence[ScoresDocument]
) -> list[tuple[Path, Sequence[ScoresDocument]]]:
    """Say which files an output is made of, and which documents go into each.

    Args:
        path: As `check_output` takes it.
        documents: Scores documents, in the order of the timeline.

    Returns:
        One file with all documents, or one for each in a folder: videos of one name get
        `NAME.otio`, `NAME-2.otio`, ...
    """
    if not path.is_dir():
        return [(path, documents)]
    files: list[tuple[Path, Sequence[ScoresDocument]]] = []
    taken: set[str] = set()
    for document in documents:
        stem = media_path(document.video.path).stem
        name, number = stem, 1
        while name.casefold() in taken:  # most file systems do not tell case apart
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        files.append((path / f"{name}.otio", [document]))
    return files


def write_file(path: Path, documents: Sequence[ScoresDocument]) -> None:
    """Write documents to a file whose extension `check_output` accepted.

    Raises:
        OutputError: It cannot be written, or a timeline would be empty.
    """
    _WRITERS[path.suffix.lower()](path, documents)


def _write_otio(path: Path, documents: Sequence[ScoresDocument]) -> None:
    # OpenTimelineIO takes a fifth of a second to load; a table does without.
    from hlcli.timeline.build import build_timeline

    write_timeline(build_timeline(documents, name=path.stem), path)


def _write_csv(path: Path, documents: Sequence[ScoresDocument]) -> None:
    write_text(path, table_text(documents))


_WRITERS: dict[str, Callable[[Path, Sequence[ScoresDocument]], None]] = {
    ".otio": _write_otio,
    ".json": write_documents,
    ".csv": _write_csv,
}
