"""`hl score`: find the moments of one or many videos and write them down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import progress_bar, say, show_error, stdout_console, warn
from hlcli.cli.outputs import write_outputs
from hlcli.errors import HlError, MediaError
from hlcli.progress import counts_bytes

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import Selection
    from hlcli.pipeline import Pipeline


def score(
    videos: Annotated[
        list[str],
        typer.Argument(help="Video files, folders or globs.", metavar="VIDEO", show_default=False),
    ],
    output: options.Output = None,
    model: options.Model = None,
    device: options.Device = "auto",
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
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor write stored features and scores.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Put the scores document (a list for several videos) on stdout."
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Find the moments worth keeping.

    Without -o the ranked moments are shown as a table. With -o they are written as the
    extension says, as a timeline for an editor, as chapters, scores or a table; -o may be given
    several times, and a folder gets one timeline per video.

    Examples:
        hl score match.mp4

        hl score match.mp4 -o highlights.otio --target-duration 90s

        hl score footage/ -o highlights.otio -o highlights.csv
    """
    from hlcli.document import documents_text
    from hlcli.media.discover import find_videos
    from hlcli.pipeline import Pipeline
    from hlcli.timeline.write import check_not_a_source, check_output

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
    outputs = [Path(name).expanduser() for name in output or []]
    # A wrong output is said now, not after an hour of decoding.
    for path in outputs:
        check_output(path, for_ or [])
    paths, first_error = _find(videos, find_videos)
    for path in outputs:
        check_not_a_source(path, paths)
    pipeline = Pipeline(model_name=model, device=device, use_cache=not no_cache)

    documents: list[ScoresDocument] = []
    for path in paths:
        try:
            document = _score_one(pipeline, path, selection, visual_only=visual_only, quiet=quiet)
        except MediaError as error:
            show_error(error)
            first_error = first_error or error
            continue
        documents.append(document)
        if not as_json and not (outputs and quiet):
            _show(document)

    if as_json and documents:
        typer.echo(documents_text(documents), nl=False)
    unwritten = write_outputs(outputs, documents, targets=for_ or [], layout=layout, quiet=quiet)
    if first_error is not None and (len(videos) > 1 or len(paths) > 1):
        say(f"{len(documents)} of {len(paths)} videos found were scored", quiet=quiet)
    if first_error := first_error or unwritten:
        raise typer.Exit(first_error.exit_code)


def _find(
    inputs: list[str], find_videos: Callable[[list[str]], list[Path]]
) -> tuple[list[Path], HlError | None]:
    # One wrong name among many does not keep the others from being scored.
    found: dict[Path, None] = {}
    first_error: HlError | None = None
    for text in inputs:
        try:
            found.update(dict.fromkeys(find_videos([text])))
        except MediaError as error:
            show_error(error)
            first_error = first_error or error
    return list(found), first_error


def _score_one(
    pipeline: Pipeline, path: Path, selection: Selection, *, visual_only: bool, quiet: bool
) -> ScoresDocument:
    from hlcli.document import select_moments_of

    with progress_bar(quiet=quiet, counts_video_seconds=True) as progress:

        def report(stage: str, done: float, total: float) -> None:
            named = stage if counts_bytes(stage) else f"{path.name}: {stage}"
            progress(named, done, total)

        document = pipeline.score(path, visual_only=visual_only, progress=report)
    if document.damage:
        warn(f"{path.name}: {document.damage}; the rest was scored")
    return document.with_moments(select_moments_of(document, selection))


def _show(document: ScoresDocument) -> None:
    from hlcli.cli.show import moments_table

    console = stdout_console()
    for renderable in moments_table(document, width=console.width):
        console.print(renderable)
