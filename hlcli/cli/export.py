"""`hl export`: cut again from stored scores, without decoding anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import show_error, stdout_console, warn
from hlcli.cli.outputs import write_outputs
from hlcli.cli.stored import stored_documents
from hlcli.errors import HlError, UsageError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.timeline.build import Layout


def _list_formats(wanted: bool) -> None:
    if wanted:
        from hlcli.cli.formats_table import formats_table

        for part in formats_table():
            stdout_console().print(part)
        raise typer.Exit


def export(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Videos scored before (files, folders, globs), or scores documents.",
            metavar="VIDEO|SCORES.json",
            show_default=False,
        ),
    ],
    output: options.Output = None,
    model: options.Model = None,
    target_duration: options.TargetDuration = None,
    top: options.Top = None,
    threshold: options.Threshold = None,
    min_duration: options.MinDuration = options.DEFAULT_MIN_DURATION,
    max_duration: options.MaxDuration = options.DEFAULT_MAX_DURATION,
    handles: options.Handles = options.DEFAULT_HANDLES,
    for_: layout_options.For = None,
    order: layout_options.Order = layout_options.OrderChoice.time,
    markers_only: layout_options.MarkersOnly = False,
    track_per_source: layout_options.TrackPerSource = False,
    start_timecode: layout_options.StartTimecode = None,
    frame_rate: layout_options.FrameRate = None,
    map_path: layout_options.MapPath = None,
    search: options.Search = None,
    visual_only: options.VisualOnly = False,
    list_formats: Annotated[
        bool,
        typer.Option(
            "--list-formats",
            is_eager=True,
            callback=_list_formats,
            help="Show the formats and programs -o and --for can name, and leave.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Cut again from stored scores, without decoding.

    A video is known by its content, wherever it was moved; the newest scores are taken unless
    --model or --visual-only asks for others. A scores document keeps the moments it has unless an
    option says how to choose anew. A video that is not where it was is looked for with --search, by
    its name and its content.

    Examples:
        hl export match.mp4 -o shorter.otio --target-duration 30s

        hl export scores.json -o highlights.otio -o highlights.csv

        hl export footage/ -o cuts/ --for resolve --for premiere

        hl export scores.json -o highlights.otio --search /Volumes/footage
    """
    from hlcli.timeline.write import check_output

    selection = options.selection_from_options(
        target_duration=target_duration,
        top=top,
        threshold=threshold,
        min_duration=min_duration,
        max_duration=max_duration,
        handles=handles,
    )
    layout = layout_options.layout_from_options(
        order=order,
        markers_only=markers_only,
        track_per_source=track_per_source,
        start_timecode=start_timecode,
        frame_rate=frame_rate,
        map_path=map_path,
    )
    if not output:
        raise UsageError("there is nothing to write", hint="name a file: -o highlights.otio")
    outputs = [Path(name).expanduser() for name in output]
    for path in outputs:
        check_output(path, for_ or [])
    documents, first_error = stored_documents(
        inputs, selection, model=model, visual_only=visual_only, outputs=outputs
    )
    documents, missing = _as_they_are_now(documents, outputs, search or [], layout)
    first_error = first_error or missing
    unwritten = write_outputs(outputs, documents, targets=for_ or [], layout=layout, quiet=quiet)
    if first_error := first_error or unwritten:
        raise typer.Exit(first_error.exit_code)


def _as_they_are_now(
    documents: list[ScoresDocument], outputs: list[Path], search: list[str], layout: Layout
) -> tuple[list[ScoresDocument], HlError | None]:
    """Look for the videos; what has moved, changed or gone is said."""
    from hlcli.timeline.formats import FORMATS
    from hlcli.timeline.paths import map_path
    from hlcli.timeline.present import as_it_is_now
    from hlcli.timeline.relink import Relinker

    # Tables and documents need no media.
    without_media = all(
        path.suffix.lower() in FORMATS and FORMATS[path.suffix.lower()].kind == "document"
        for path in outputs
    )
    relinker = Relinker([Path(folder).expanduser() for folder in search])
    found: list[ScoresDocument] = []
    first_error: HlError | None = None
    for document in documents:
        path = document.video.path
        try:
            present = as_it_is_now(
                document,
                relinker,
                is_elsewhere=without_media or map_path(path, layout.path_maps) != path,
            )
        except HlError as error:
            show_error(error)
            first_error = first_error or error
            continue
        for note in present.notes:
            warn(note)
        found.append(present.document)
    return found, first_error
