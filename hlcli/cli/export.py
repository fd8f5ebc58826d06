"""`hl export`: cut again from stored scores, without decoding anything."""

from __future__ import annotations

import glob
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import show_error, stdout_console
from hlcli.cli.outputs import write_outputs
from hlcli.errors import HlError, MediaError, UsageError

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import Selection


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
    option says how to choose anew.

    Examples:
        hl export match.mp4 -o shorter.otio --target-duration 30s

        hl export scores.json -o highlights.otio -o highlights.csv

        hl export footage/ -o cuts/ --for resolve --for premiere
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
    model_sha256 = _weights_of(model)

    documents: list[ScoresDocument] = []
    first_error: HlError | None = None
    for text in inputs:
        try:
            if text.lower().endswith(".json"):
                found = _from_scores(text, selection)
            else:
                found = _from_videos(
                    text, selection, model, model_sha256, visual_only=visual_only, outputs=outputs
                )
        except HlError as error:
            show_error(error)
            first_error = first_error or error
            continue
        for item in found:
            if isinstance(item, HlError):
                show_error(item)
                first_error = first_error or item
            else:
                documents.append(item)

    unwritten = write_outputs(outputs, documents, targets=for_ or [], layout=layout, quiet=quiet)
    if first_error := first_error or unwritten:
        raise typer.Exit(first_error.exit_code)


def _weights_of(model: str | None) -> str | None:
    if model is None:
        return None
    from hlcli.zoo.manifest import find_model

    return find_model(model).sha256


def _from_scores(text: str, selection: Selection) -> list[ScoresDocument | HlError]:
    """Read the documents of one file, or of the files that match a pattern."""
    from hlcli.document import read_documents, select_moments_of
    from hlcli.moments import Selection

    path = Path(text).expanduser()
    files = [path]
    if not path.exists():
        # A Windows shell leaves patterns to the program.
        files = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))] or [path]  # noqa: PTH207
    found: list[ScoresDocument | HlError] = []
    for file in files:
        try:
            for document in read_documents(file):
                if not document.moments or selection != Selection():
                    document = document.with_moments(select_moments_of(document, selection))
                found.append(document)
        except HlError as error:
            found.append(error)
    return found


def _from_videos(
    text: str,
    selection: Selection,
    model: str | None,
    model_sha256: str | None,
    *,
    visual_only: bool,
    outputs: list[Path],
) -> list[ScoresDocument | HlError]:
    """Find the stored scores of every video an input names."""
    from hlcli import stored_scores
    from hlcli.document import select_moments_of
    from hlcli.media.discover import find_videos
    from hlcli.media.identity import content_identity
    from hlcli.timeline.write import check_not_a_source

    found: list[ScoresDocument | HlError] = []
    for path in find_videos([text]):
        for output in outputs:
            check_not_a_source(output, [path])
        try:
            document = stored_scores.find(
                content_identity(path), model_sha256, "v" if visual_only else None
            )
            if document is None:
                asked = (f" by the model {model}" if model else "") + (
                    " by its picture alone" if visual_only else ""
                )
                wanted = (f" --model {model}" if model else "") + (
                    " --visual-only" if visual_only else ""
                )
                raise MediaError(
                    f"{path} has not been scored yet{asked}",
                    hint=f"run `hl score {path}{wanted}` first",
                )
        except HlError as error:
            found.append(error)
            continue
        # It may have been moved since it was scored.
        document = replace(document, video=replace(document.video, path=str(path)))
        found.append(document.with_moments(select_moments_of(document, selection)))
    return found
