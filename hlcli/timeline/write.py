"""Files for editors, people and scripts: which ones an output is made of, and that it may be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hlcli.document import ScoresDocument
from hlcli.errors import OutputError, UsageError
from hlcli.timeline.build import Layout
from hlcli.timeline.formats import check_target, format_of, write_format
from hlcli.timeline.paths import media_path


def check_output(path: Path, targets: Sequence[str] = ()) -> None:
    """Refuse an output that could not be written, before any work is done for it.

    Args:
        path: A file with a known extension, or an existing folder.
        targets: Values of --for; a file is for one at most.

    Raises:
        UsageError: The extension or a target is unknown, or they do not go together.
        OutputError: The folder does not exist or cannot be written.
    """
    for target in targets:
        check_target(target)
    if not path.is_dir():
        if len({check_target(name).name for name in targets}) > 1:
            raise UsageError(
                f"{path} is one file, --for is given {len(targets)} times",
                hint="name an existing folder: it gets one file for each program",
            )
        format_of(path, targets[0] if targets else None)
    check_folder(path)


def check_folder(path: Path) -> None:
    """Refuse an output whose folder is not there or may not be written.

    Args:
        path: A file, or an existing folder.

    Raises:
        OutputError: The folder does not exist or cannot be written.
    """
    folder = path if path.is_dir() else path.parent
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


def write_output(
    path: Path,
    documents: Sequence[ScoresDocument],
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
) -> list[Path]:
    """Write the documents to one file, or to files of each when `path` is a folder.

    Args:
        path: As `check_output` takes it.
        documents: Scores documents with their moments, in the order of the timeline.
        targets: Values of --for.
        layout: How to lay the moments on a timeline; None as they happened.

    Returns:
        The files written, as `output_files` names them.

    Raises:
        UsageError: See `check_output`, or the format cannot hold what is asked for.
        OutputError: It cannot be written, or a timeline would be empty.
    """
    check_output(path, targets)
    written = []
    for file, target, part in output_files(path, documents, targets):
        write_format(file, part, target=target, layout=layout)
        written.append(file)
    return written


def output_files(
    path: Path, documents: Sequence[ScoresDocument], targets: Sequence[str] = ()
) -> Iterator[tuple[Path, str | None, Sequence[ScoresDocument]]]:
    """Say which files an output is made of, for which program each is, and what goes into it.

    Args:
        path: As `check_output` takes it.
        documents: Scores documents, in the order of the timeline.
        targets: Values of --for; none is `generic` for a folder, the format's own for a file.

    Yields:
        One file with all documents, or in a folder for each document and target `NAME.otio`,
        `NAME.resolve.otio` where targets share an extension; videos of one name get `NAME`,
        `NAME-2`, ...
    """
    if not path.is_dir():
        yield path, check_target(targets[0]).name if targets else None, documents
        return
    wanted = list({one.name: one for one in map(check_target, targets or ["generic"])}.values())
    suffixes = [target.suffix for target in wanted]
    taken: set[str] = set()
    for document in documents:
        stem = media_path(document.video.path).stem
        name, number = stem, 1
        while name.casefold() in taken:  # most file systems do not tell case apart
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        for target in wanted:
            kind = f".{target.name}" if suffixes.count(target.suffix) > 1 else ""
            yield path / f"{name}{kind}{target.suffix}", target.name, [document]
