"""Score curves as a picture: `hl score --plot`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hlcli.atomic import check_folder, write_bytes
from hlcli.clock_text import clock_text
from hlcli.document import ScoresDocument
from hlcli.errors import UsageError
from hlcli.rendering.curve import draw_curve
from hlcli.rendering.drawing import png_file, svg_file
from hlcli.timeline.paths import media_path, readable

SUFFIXES = (".png", ".svg")
"""What a plot can be written as, by extension."""


def check_plot(path: Path) -> None:
    """Refuse a file that no plot can be written to.

    Raises:
        UsageError: The extension is none of `SUFFIXES`.
        OutputError: The folder does not exist or cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"cannot draw a score curve to {path}", hint=f"use one of {', '.join(SUFFIXES)}"
        )
    check_folder(path)


def write_plot(path: Path, documents: Sequence[ScoresDocument]) -> None:
    """Draw the score curve of each video, moments shaded, below one another.

    Args:
        path: Picture to write, with an extension of `SUFFIXES`; appears whole or not at all.
        documents: Scores with their moments; at least one.

    Raises:
        UsageError: It would be taller than a picture can be.
        OutputError: It cannot be written.
    """
    names = [readable(media_path(document.video.path).name) for document in documents]
    drawings = [
        draw_curve(
            document,
            title=f"{name}  {clock_text(document.video.duration_seconds)}, {document.model.name} "
            f"{document.model.version}",
        )
        for name, document in zip(names, documents, strict=True)
    ]
    if path.suffix.lower() == ".svg":
        write_bytes(path, svg_file(drawings, f"Score of {', '.join(names)}").encode())
    else:
        write_bytes(path, png_file(drawings))
