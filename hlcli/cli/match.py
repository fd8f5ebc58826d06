"""`hl match`: where the shots of a finished film are in the footage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener, printable, stdout_console
from hlcli.cli.streams import unread_is_no_end

if TYPE_CHECKING:
    from hlcli.workflows.match import Conform


def match(
    film: Annotated[str, typer.Argument(help="The finished film.", metavar="FILM")],
    footage: Annotated[
        list[str],
        typer.Argument(
            help="The raw files it was cut from: files, folders or globs.",
            metavar="FOOTAGE",
            show_default=False,
        ),
    ],
    output: options.Output = None,
    model: options.Model = None,
    device: options.Device = "auto",
    for_: layout_options.For = None,
    map_path: layout_options.MapPath = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Put every shot on stdout as JSON.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Find where the shots of a finished film are in the footage.

    Pictures are compared, so the film may be scaled, cropped, graded, letterboxed, a little faster
    or slower, with titles and dissolves, and with any sound. The timeline is as long as the film;
    what was not found is a gap, with a marker beside it. Footage that hl score has read before is
    searched in seconds.

    Examples:
        hl match film.mp4 footage/ -o conform.otio

        hl match film.mp4 footage/ -o conform.xml --for resolve

        hl match film.mp4 card1/ card2/ --json
    """
    from hlcli.workflows.match import match as match_film
    from hlcli.workflows.requests import layout_of

    on = ConsoleListener(quiet=quiet, counts_video_seconds=True)
    with on:
        conform = match_film(
            film,
            footage,
            output or [],
            targets=for_ or [],
            layout=layout_of(map_path=map_path),
            model=model,
            device=device,
            on=on,
        )
    with unread_is_no_end(bool(output)):
        if as_json:
            typer.echo(json.dumps(conform.to_json(), indent=2))
        elif not (output and quiet):
            _show(conform)
    on.exit_if_failed()


def _show(conform: Conform) -> None:
    from rich.table import Table
    from rich.text import Text

    from hlcli.timeline.paths import media_path
    from hlcli.timeline.timecode import timecode

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("film", "to", "file", "from", "speed", "alike"):
        table.add_column(heading, no_wrap=True)
    film = conform.film

    def instants(frames: range) -> list[str]:
        return [
            timecode(
                frame / film.frame_rate,
                frame_rate=film.frame_rate,
                start_timecode=film.start_timecode,
            )
            for frame in (frames.start, frames.stop)
        ]

    rows: list[tuple[int, list[str]]] = [
        (gap.start, [*instants(gap), "not found"]) for gap in conform.found.unmatched
    ]
    values = conform.to_json()["shots"]
    for shot, value in zip(conform.found.shots, values, strict=True):
        speed = f"{100 * shot.speed:.1f} %" if abs(shot.speed - 1) > 0.004 else ""
        rows.append(
            (
                shot.film.start,
                [
                    *instants(shot.film),
                    printable(media_path(value["path"]).name),
                    value["source_start_timecode"],
                    speed,
                    f"{shot.alike:.2f}",
                ],
            )
        )
    for _, row in sorted(rows):
        table.add_row(*map(Text, row))
    stdout_console().print(table)
