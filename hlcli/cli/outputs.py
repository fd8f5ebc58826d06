"""Writes what `-o` asks for; an output that fails does not stop those after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.cli.console import say, show_error, warn
from hlcli.errors import HlError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.timeline.build import Layout


def write_outputs(
    outputs: Sequence[Path],
    documents: Sequence[ScoresDocument],
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    quiet: bool,
) -> HlError | None:
    """Write the documents to every output and say what was written and what was not.

    Args:
        outputs: Files and folders, each checked by `hlcli.timeline.write.check_output`.
        documents: Scores documents with their moments; nothing is written for none.
        targets: Values of --for.
        layout: How to lay the moments on a timeline; None as they happened.
        quiet: No words but errors.

    Returns:
        The first error, for the exit code; None when all was written.
    """
    from hlcli.timeline.formats import write_format
    from hlcli.timeline.write import output_files

    if outputs and documents and layout is not None:
        _warn_of_idle_maps(documents, layout)
    first_error: HlError | None = None
    for path in outputs if documents else ():
        for file, target, part in output_files(path, documents, targets):
            try:
                write_format(file, part, target=target, layout=layout)
            except HlError as error:
                show_error(error)
                first_error = first_error or error
            else:
                say(f"wrote {file}", quiet=quiet)
    return first_error


def _warn_of_idle_maps(documents: Sequence[ScoresDocument], layout: Layout) -> None:
    """Say which --map-path holds none of the videos: a typo, most of the time."""
    from hlcli.timeline.paths import map_path

    for start, end in layout.path_maps:
        paths = [document.video.path for document in documents]
        if start != end and all(map_path(path, [(start, end)]) == path for path in paths):
            warn(f"--map-path: no video lies in {start}")
