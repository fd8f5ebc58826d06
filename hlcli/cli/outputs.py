"""Writes what `-o` asks for; an output that fails does not stop those after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hlcli.cli.console import say, show_error
from hlcli.errors import HlError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument


def write_outputs(
    outputs: Sequence[Path], documents: Sequence[ScoresDocument], *, quiet: bool
) -> HlError | None:
    """Write the documents to every output and say what was written and what was not.

    Args:
        outputs: Files and folders, each checked by `hlcli.timeline.write.check_output`.
        documents: Scores documents with their moments; nothing is written for none.
        quiet: No words but errors.

    Returns:
        The first error, for the exit code; None when all was written.
    """
    from hlcli.timeline.write import output_files, write_file

    first_error: HlError | None = None
    for path in outputs if documents else ():
        for file, part in output_files(path, documents):
            try:
                write_file(file, part)
            except HlError as error:
                show_error(error)
                first_error = first_error or error
            else:
                say(f"wrote {file}", quiet=quiet)
    return first_error
