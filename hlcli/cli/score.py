"""`hl score`: find the moments of one or many videos and write them down."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener, stdout_console
from hlcli.cli.streams import unread_is_no_end

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.media.remote import Video
    from hlcli.moments import Moment
    from hlcli.workflows.transcripts import Transcript


def score(
    videos: Annotated[
        list[str],
        typer.Argument(help="Video files, folders or globs.", metavar="VIDEO", show_default=False),
    ],
    output: options.Output = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw the score curve, moments shaded, as .png or .svg.",
            show_default=False,
        ),
    ] = None,
    transcript: options.Transcript = None,
    model: options.Model = None,
    device: options.Device = "auto",
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
    marks_from: options.MarksFrom = None,
    like: options.Like = None,
    for_: layout_options.For = None,
    order: layout_options.Order = layout_options.OrderChoice.time,
    markers_only: layout_options.MarkersOnly = False,
    track_per_source: layout_options.TrackPerSource = False,
    start_timecode: layout_options.StartTimecode = None,
    frame_rate: layout_options.FrameRate = None,
    music: layout_options.Music = None,
    map_path: layout_options.MapPath = None,
    visual_only: options.VisualOnly = False,
    proxies: options.Proxies = options.ProxiesOption.auto,
    draft: options.Draft = False,
    jobs: options.Jobs = None,
    engine: options.Engine = None,
    shard: options.ShardOf = None,
    retry_failed: options.RetryFailed = False,
    stall_limit: options.StallLimit = None,
    memory_limit: options.MemoryLimit = None,
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
    extension says, as a timeline for an editor, as a film with its timeline beside it, as chapters,
    scores or a table; -o may be given several times, and a folder gets one timeline per video. A
    file that was changed since hl wrote it is kept as NAME.backup-1.

    Examples:
        hl score match.mp4

        hl score match.mp4 -o highlights.otio --target-duration 90s

        hl score match.mp4 -o reel.mp4

        hl score match.mp4 --plot curve.svg

        hl score footage/ -o highlights.otio -o highlights.csv

        hl score archive/ --jobs auto -o highlights.otio
    """
    from pathlib import Path

    from hlcli import scores_cache
    from hlcli.addresses import is_address
    from hlcli.atomic import check_not_a_source
    from hlcli.media.discover import find_videos
    from hlcli.media.remote import find_remote
    from hlcli.rendering.plot import check_plot, write_plot
    from hlcli.rendering.settings import RenderSettings
    from hlcli.timeline.formats.scores import scores_text
    from hlcli.workflows.export import choose_across_files
    from hlcli.workflows.jobs import job_settings_of
    from hlcli.workflows.likeness import Photographs
    from hlcli.workflows.outputs import (
        check_music,
        check_names,
        output_paths,
        write_outputs,
        write_rejects,
    )
    from hlcli.workflows.recordings import may_go_on
    from hlcli.workflows.requests import check_stretches, layout_of, selection_of
    from hlcli.workflows.score import Pipeline, marks_of_timelines, score_videos
    from hlcli.workflows.shard import parse_shard
    from hlcli.workflows.transcripts import read_transcripts, transcripts_of

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
    settings = job_settings_of(
        jobs=jobs,
        engine=engine,
        retry_failed=retry_failed,
        stall_limit=stall_limit,
        memory_limit=memory_limit,
    )
    part = None if shard is None else parse_shard(shard)
    photographs = Photographs(like, device=device) if like else None
    scores_cache.check_shared()
    # A wrong output is said now, not after an hour of decoding.
    outputs = output_paths(output or [], for_ or [], films=True)
    reject_outputs = output_paths([rejects] if rejects else [], for_ or [])
    check_music(layout)
    film = RenderSettings(music=layout.music)
    picture = None if plot is None else Path(plot).expanduser()
    if picture is not None:
        check_plot(picture)
    is_written = bool(outputs) or picture is not None
    on = ConsoleListener(quiet=quiet, counts_video_seconds=True)
    shape = {"--for": for_, "--map-path": map_path} | layout_options.given(layout)
    if not outputs and (idle := [name for name, value in shape.items() if value]):
        on.warning(f"{', '.join(idle)}: without -o FILE there is no timeline to write")
    transcripts = read_transcripts(transcript or [], outputs=outputs, are_all=True)
    paths = find_videos([text for text in videos if not is_address(text)], on=on)
    said: list[Transcript | None] = [*transcripts_of(transcripts, paths)]
    everything: list[Video] = [*paths, *find_remote(filter(is_address, videos), on)]
    said += [None] * (len(everything) - len(paths))
    check_stretches(selection, list(map(str, everything)))
    chosen = everything
    if part is not None:
        check_names([*outputs, *reject_outputs], paths)
        chosen = part.files(everything)
        on.remark(f"part {part.number} of {part.count}: {len(chosen)} of {len(everything)} videos")
        mine = set(map(str, chosen))
        said = [one for video, one in zip(everything, said, strict=True) if str(video) in mine]
    num_named = len(chosen) + on.num_problems
    for path in [*outputs, *reject_outputs, *([] if picture is None else [picture])]:
        check_not_a_source(path, paths)
    pipeline = Pipeline(
        model_name=model,
        device=device,
        use_cache=not no_cache,
        proxies=proxies is options.ProxiesOption.auto,
        draft=draft,
    )

    documents: list[ScoresDocument] = []
    scored = score_videos(
        pipeline,
        chosen,
        selection,
        visual_only=visual_only,
        said=said,
        like=photographs,
        marks=marks_of_timelines(marks_from or [], paths, on=on),
        among=everything,
        jobs=settings,
        on=on,
    )
    shown: dict[str, tuple[Moment, ...]] = {}

    def show(document: ScoresDocument) -> None:
        shown[document.video.path] = document.moments
        if not as_json and not (is_written and quiet):
            on.clear()
            with unread_is_no_end(is_written):
                _show(document)

    with on, contextlib.closing(scored):
        for document in scored:
            documents.append(document)
            # Of a recording in several files the moments are known when all are there.
            if len(chosen) == 1 or not may_go_on(document):
                show(document)
        documents = choose_across_files(documents, selection, on)
        for document in documents:
            if document.moments != shown.get(document.video.path):
                show(document)

    if as_json and documents:
        with unread_is_no_end(is_written):
            typer.echo(scores_text(documents), nl=False)
    with on:
        write_outputs(
            outputs,
            documents,
            targets=for_ or [],
            layout=layout,
            film=film,
            on=on,
        )
        write_rejects(reject_outputs, documents, targets=for_ or [], layout=layout, on=on)
        if picture is not None and documents:
            with on.one_file(picture):
                write_plot(picture, documents)
                on.wrote(picture)
    if 1 < num_named != len(documents):
        on.remark(f"{len(documents)} of {num_named} videos were scored")
    on.exit_if_failed()


def _show(document: ScoresDocument) -> None:
    from hlcli.cli.show import moments_table

    console = stdout_console()
    for renderable in moments_table(document, width=console.width):
        console.print(renderable)
