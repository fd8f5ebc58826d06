"""Where one may write, which file gets what, and writing that goes on after one error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hlcli.atomic import check_folder
from hlcli.document import ScoresDocument
from hlcli.errors import UsageError
from hlcli.media.discover import MayRead, any_file
from hlcli.progress import Listener
from hlcli.timeline.build import Layout
from hlcli.timeline.formats import check_target, format_of, write_format
from hlcli.timeline.paths import map_path, media_path


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


def write_outputs(
    outputs: Sequence[Path],
    documents: Sequence[ScoresDocument],
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> list[Path]:
    """Write documents to every output; one that fails does not stop those after it.

    Args:
        outputs: Files and folders, each as `check_output` takes it.
        documents: Scores documents with their moments, in the order of the timeline; nothing is
            written for none.
        targets: Values of --for.
        layout: How to lay the moments on a timeline; None as they happened.
        may_read: Asked for the videos that a bundle copies.
        on: Told what was written, and what could not be.

    Returns:
        The files written, as `output_files` names them.

    Raises:
        HlError: One could not be written, where no listener takes it.
    """
    on = on or Listener()
    written: list[Path] = []
    if outputs and documents and layout is not None:
        _warn_of_idle_maps(documents, layout, on)
    for path in outputs if documents else ():
        with on.one_file(path):
            check_output(path, targets)
            for file, target, part in output_files(path, documents, targets):
                with on.one_file(file):
                    if format_of(file, target).holds_media:
                        maps = layout.path_maps if layout is not None else ()
                        for document in part:
                            may_read(Path(map_path(document.video.path, maps)))
                    write_format(file, part, target=target, layout=layout)
                    written.append(file)
                    on.wrote(file)
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


def _warn_of_idle_maps(documents: Sequence[ScoresDocument], layout: Layout, on: Listener) -> None:
    """Say which --map-path holds none of the videos: a typo, most of the time."""
    paths = [document.video.path for document in documents]
    for start, end in layout.path_maps:
        if start != end and all(map_path(path, [(start, end)]) == path for path in paths):
            on.warning(f"--map-path: no video lies in {start}")
