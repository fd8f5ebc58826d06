"""`hl contact-sheet`: one picture of all moments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener
from hlcli.errors import UsageError
from hlcli.progress import Listener

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.media.probe import MediaInfo
    from hlcli.rendering.sheet_plan import Section
    from hlcli.timeline.edit_list import EditList
    from hlcli.timeline.relink import Relinker


def contact_sheet(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Videos scored before (files, folders, globs), scores documents, or timelines.",
            metavar="VIDEO|SCORES.json|TIMELINE",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Picture to write, .png or .jpg.",
            show_default=False,
        ),
    ] = None,
    order: Annotated[
        layout_options.OrderChoice,
        typer.Option(
            "--order", metavar="time|rank", help="Moments as they happened, or the best first."
        ),
    ] = layout_options.OrderChoice.time,
    columns: Annotated[
        int, typer.Option("--columns", metavar="N", help="Thumbnails in a row.")
    ] = 4,
    width: Annotated[
        int, typer.Option("--width", metavar="PIXELS", help="Width of the picture.")
    ] = 1600,
    font: Annotated[
        str | None,
        typer.Option(
            "--font",
            metavar="FILE",
            help="A .ttf or .otf font, for file names that the built-in one has no letters for.",
        ),
    ] = None,
    search: options.Search = None,
    model: options.Model = None,
    target_duration: options.TargetDuration = None,
    top: options.Top = None,
    threshold: options.Threshold = None,
    min_duration: options.MinDuration = None,
    max_duration: options.MaxDuration = None,
    handles: options.Handles = None,
    visual_only: options.VisualOnly = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Draw one picture with a thumbnail, timecode, rank and score of each moment.

    Shown is the sharpest frame near each moment's peak, with its timecode. Stored scores are taken
    as `hl export` takes them; a timeline shows what is on it, by whatever program it was made.

    Examples:
        hl contact-sheet match.mp4 -o sheet.png

        hl contact-sheet footage/ -o sheet.jpg --top 12 --order rank --columns 6

        hl contact-sheet highlights.otio -o sheet.png --search /Volumes/footage
    """
    from hlcli.atomic import check_folder, check_not_a_source
    from hlcli.rendering.contact_sheet import SheetLook, check_suffix, write_contact_sheet
    from hlcli.rendering.sheet_plan import plan_sheet
    from hlcli.timeline.relink import Relinker
    from hlcli.workflows.export import stored_documents
    from hlcli.workflows.requests import selection_of

    selection = selection_of(
        target_duration=target_duration,
        top=top,
        threshold=threshold,
        min_duration=min_duration,
        max_duration=max_duration,
        handles=handles,
    )
    if output is None:
        raise UsageError("there is nothing to write", hint="name a picture: -o sheet.png")
    path = Path(output).expanduser()
    check_suffix(path)
    check_folder(path)
    look = SheetLook(
        columns=columns, width=width, font=None if font is None else Path(font).expanduser()
    )
    folders = [Path(folder).expanduser() for folder in search or []]
    relinker = Relinker(folders)  # Here: a slip in a folder is said once.
    timelines = [text for text in inputs if _is_timeline(text)]
    on = ConsoleListener(quiet=quiet)
    documents = stored_documents(
        [text for text in inputs if text not in timelines],
        selection,
        model=model,
        visual_only=visual_only,
        outputs=[path],
        on=on,
    )
    edits = _edit_lists(documents, timelines, name=path.stem, search=folders, on=on)
    sections = plan_sheet(edits, order=order.value)
    check_not_a_source(path, [Path(section.source.path) for section in sections])
    videos = _readable(sections, relinker, on)
    if videos:
        with on:
            changed = write_contact_sheet(path, videos, look=look, progress=on.progress)
        for name in changed:
            on.warning(f"the font has not all letters of {name}; --font names another")
        on.wrote(path)
    on.exit_if_failed()


def _is_timeline(text: str) -> bool:
    from hlcli.timeline.read import READERS

    return Path(text).suffix.lower() in READERS


def _edit_lists(
    documents: list[ScoresDocument],
    timelines: list[str],
    *,
    name: str,
    search: list[Path],
    on: Listener,
) -> list[EditList]:
    """Return one timeline of all scores and those that were named; what fails is told."""
    from hlcli.timeline.build import build_edit_list
    from hlcli.timeline.read import read_timeline

    edits: list[EditList] = []
    if documents:
        with on.one_file(name):
            edits.append(build_edit_list(documents, name=name))
    for text in timelines:
        with on.one_file(text):
            read = read_timeline(Path(text).expanduser(), search=search)
            for note in read.notes:
                on.remark(f"{Path(text).name}: {note}")
            edits.append(read.edit)
    return edits


def _readable(
    sections: list[Section], relinker: Relinker, on: Listener
) -> list[tuple[Section, MediaInfo]]:
    """Look at the files; one that is gone does not keep the others from being drawn."""
    from hlcli.media.probe import probe
    from hlcli.timeline.relink import MissingMedia

    videos: list[tuple[Section, MediaInfo]] = []
    for section in sections:
        source = section.source
        with on.one_file(source.path):
            found = Path(source.path)
            if not found.exists():
                wanted = MissingMedia(path=source.path, sha256_head=source.sha256_head)
                found = relinker.find(wanted) or found
            videos.append((section, probe(found)))
    return videos
