"""`hl export`: cut again from stored scores, without decoding anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener, stdout_console
from hlcli.errors import UsageError


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
    transcript: options.Transcript = None,
    model: options.Model = None,
    target_duration: options.TargetDuration = None,
    top: options.Top = None,
    threshold: options.Threshold = None,
    min_duration: options.MinDuration = None,
    max_duration: options.MaxDuration = None,
    handles: options.Handles = None,
    keep_all: options.KeepAll = False,
    keep_takes: options.KeepTakes = False,
    pin: options.Pin = None,
    avoid: options.Avoid = None,
    rejects: options.Rejects = None,
    marks: options.Marks = None,
    like: options.Like = None,
    for_: layout_options.For = None,
    order: layout_options.Order = layout_options.OrderChoice.time,
    markers_only: layout_options.MarkersOnly = False,
    track_per_source: layout_options.TrackPerSource = False,
    start_timecode: layout_options.StartTimecode = None,
    frame_rate: layout_options.FrameRate = None,
    music: layout_options.Music = None,
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

    A video is known by its content, wherever it was moved; the scores that were shown last are
    taken unless --model or --visual-only asks for others. A scores document keeps the moments it
    has unless an option says how to choose anew. A video that is not where it was is looked for
    with --search, by its name and its content. A file that was changed since hl wrote it is kept
    as NAME.backup-1.

    Examples:
        hl export match.mp4 -o shorter.otio --target-duration 30s

        hl export scores.json -o highlights.otio -o highlights.csv

        hl export footage/ -o cuts/ --for resolve --for premiere

        hl export scores.json -o highlights.otio --search /Volumes/footage
    """
    from hlcli.workflows.export import need_no_media, relink_documents, stored_documents
    from hlcli.workflows.likeness import Photographs
    from hlcli.workflows.outputs import check_music, output_paths, write_outputs, write_rejects
    from hlcli.workflows.requests import layout_of, selection_of
    from hlcli.workflows.transcripts import read_transcripts

    selection = selection_of(
        target_duration=target_duration,
        top=top,
        threshold=threshold,
        min_duration=min_duration,
        max_duration=max_duration,
        handles=handles,
        keep_all=keep_all,
        keep_takes=keep_takes,
        pin=pin,
        avoid=avoid,
        marks=None if marks is None else marks.value,
    )
    layout = layout_of(
        order=order.value,
        markers_only=markers_only,
        track_per_source=track_per_source,
        start_timecode=start_timecode,
        frame_rate=frame_rate,
        map_path=map_path,
        music=music,
    )
    if not output and not rejects:
        raise UsageError("there is nothing to write", hint="name a file: -o highlights.otio")
    outputs = output_paths(output or [], for_ or [])
    reject_outputs = output_paths([rejects] if rejects else [], for_ or [])
    check_music(layout)
    on = ConsoleListener(quiet=quiet)
    documents = stored_documents(
        inputs,
        selection,
        model=model,
        visual_only=visual_only,
        outputs=[*outputs, *reject_outputs],
        transcripts=read_transcripts(transcript or [], outputs=[*outputs, *reject_outputs]),
        like=Photographs(like) if like else None,
        on=on,
    )
    documents = relink_documents(
        documents,
        search=[Path(folder).expanduser() for folder in search or []],
        without_media=need_no_media([*outputs, *reject_outputs]),
        layout=layout,
        on=on,
    )
    write_outputs(outputs, documents, targets=for_ or [], layout=layout, on=on)
    write_rejects(reject_outputs, documents, targets=for_ or [], layout=layout, on=on)
    on.exit_if_failed()
