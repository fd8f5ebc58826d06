"""`hl report`: one page to read, with the curve, the moments and stills."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import ConsoleListener
from hlcli.errors import UsageError


def report(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Videos (files, folders, globs), or scores documents.",
            metavar="VIDEO|SCORES.json",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Page to write, .html.", show_default=False
        ),
    ] = None,
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
    search: options.Search = None,
    visual_only: options.VisualOnly = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Write one page to read or print: the score curve, the moments, stills, and why.

    The page has everything inside: it opens offline, asks for nothing, and can be sent to somebody.
    Below the curve it shows loudness, kinds of sound, motion and cuts; beside the moments, the next
    best that were not chosen. Stored scores are taken as hl export takes them; a video that was not
    scored yet is scored.

    Examples:
        hl report match.mp4 -o match.html

        hl report footage/ -o footage.html --top 20

        hl report scores.json -o report.html --search /Volumes/footage
    """
    from hlcli.workflows.report import report as write_report
    from hlcli.workflows.requests import selection_of

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
    )
    if output is None:
        raise UsageError("there is nothing to write", hint="name a page: -o report.html")
    on = ConsoleListener(quiet=quiet)
    with on:
        write_report(
            inputs,
            output,
            selection=selection,
            model=model,
            device=device,
            visual_only=visual_only,
            search=[Path(folder).expanduser() for folder in search or []],
            on=on,
        )
    on.exit_if_failed()
