"""`hl find`: where words are heard, seen or said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener, printable, stdout_console
from hlcli.cli.streams import unread_is_no_end

if TYPE_CHECKING:
    from hlcli.document import ScoresDocument
    from hlcli.moments import Moment


def find(
    words: Annotated[
        str,
        typer.Argument(help="What to look for: a word or a few.", metavar="WORDS"),
    ],
    videos: Annotated[
        list[str],
        typer.Argument(help="Video files, folders or globs.", metavar="VIDEO", show_default=False),
    ],
    output: options.Output = None,
    top: Annotated[int, typer.Option("--top", metavar="N", help="The most results.")] = 10,
    listen: Annotated[
        Path | None,
        typer.Option(
            "--listen",
            metavar="FOLDER",
            help="Model of vosk that recognises speech where there is no transcript.",
            show_default=False,
        ),
    ] = None,
    model: options.Model = None,
    device: options.Device = "auto",
    for_: layout_options.For = None,
    order: layout_options.Order = layout_options.OrderChoice.time,
    markers_only: layout_options.MarkersOnly = False,
    map_path: layout_options.MapPath = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Put the results on stdout as a JSON list.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Find where words are heard, seen or said.

    Looked up is what hl score stored: 521 kinds of sound, 1000 kinds of thing in the picture, and
    the words of a transcript that lies beside the video (match.srt, .vtt or .json). Nothing is
    decoded for it; a video that was not scored yet is scored. With the extra search, words that
    mean nearly the same count, too. With the extra listen, --listen recognises speech, and once
    only. The results are written with -o as any moments are.

    Examples:
        hl find "dog barking" footage/

        hl find applause talk.mp4 -o applause.otio --for resolve

        hl find "train" footage/ --top 30 --json

        hl find "budget" meeting.mp4 --listen ~/models/vosk-model-small-en-us-0.15
    """
    from hlcli.atomic import check_not_a_source
    from hlcli.rendering.settings import RenderSettings
    from hlcli.workflows.find import find as find_words
    from hlcli.workflows.outputs import output_paths, write_outputs
    from hlcli.workflows.requests import layout_of

    layout = layout_of(order=order.value, markers_only=markers_only, map_path=map_path)
    outputs = output_paths(output or [], for_ or [], films=True)
    on = ConsoleListener(quiet=quiet, counts_video_seconds=True)
    with on:
        documents = find_words(
            words, videos, top=top, model=model, device=device, listen=listen, on=on
        )
    results = sorted(
        ((document, moment) for document in documents for moment in document.moments),
        key=lambda pair: -pair[1].score,
    )
    for path in outputs:
        check_not_a_source(path, [Path(document.video.path) for document in documents])
    if as_json:
        with unread_is_no_end(bool(outputs)):
            typer.echo(json.dumps([_fields(*pair) for pair in results], indent=2))
    elif results and not (outputs and quiet):
        with unread_is_no_end(bool(outputs)):
            _show(results)
    if not results:
        on.remark(f"nothing found for {words!r}")
    with on:
        write_outputs(
            outputs, documents, targets=for_ or [], layout=layout, film=RenderSettings(), on=on
        )
    on.exit_if_failed()


def _fields(document: ScoresDocument, moment: Moment) -> dict[str, Any]:
    return {
        "path": document.video.path,
        "start_seconds": round(moment.start_seconds, 6),
        "end_seconds": round(moment.end_seconds, 6),
        "start_timecode": _timecode(document, moment.start_seconds),
        "end_timecode": _timecode(document, moment.end_seconds),
        "score": moment.score,
        "reasons": list(moment.reasons),
    }


def _show(results: list[tuple[ScoresDocument, Moment]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from hlcli.timeline.paths import media_path

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, justify in (
        ("#", "right"), ("video", "left"), ("start", "left"), ("end", "left"), ("score", "right"),
        ("why", "left"),
    ):  # fmt: skip
        table.add_column(heading, justify=justify, no_wrap=heading != "why")  # type: ignore[arg-type]
    for rank, (document, moment) in enumerate(results, start=1):
        table.add_row(
            str(rank),
            Text(printable(media_path(document.video.path).name)),
            _timecode(document, moment.start_seconds),
            _timecode(document, moment.end_seconds),
            f"{moment.score:.2f}",
            Text(printable(", ".join(moment.reasons))),
        )
    stdout_console().print(table)


def _timecode(document: ScoresDocument, seconds: float) -> str:
    from hlcli.timeline.timecode import timecode

    video = document.video
    return timecode(seconds, frame_rate=video.frame_rate, start_timecode=video.start_timecode)
