"""`hl watch`: score what arrives in a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from hlcli.cli import layout_options, options
from hlcli.cli.console import ConsoleListener


def watch(
    folder: Annotated[str, typer.Argument(help="Folder that videos arrive in.", metavar="FOLDER")],
    output: Annotated[
        str,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Folder that gets a timeline for each video."
        ),
    ],
    for_: Annotated[
        str, typer.Option("--for", metavar="PROGRAM", help="The program to write for.")
    ] = "generic",
    settle: Annotated[
        str,
        typer.Option(
            "--settle",
            metavar="DURATION",
            help="How long size and time of a file must stay as they are before it is opened.",
        ),
    ] = "10s",
    once: Annotated[
        bool, typer.Option("--once", help="Score what is there when it has settled, and end.")
    ] = False,
    model: options.Model = None,
    device: options.Device = "auto",
    target_duration: options.TargetDuration = None,
    top: options.Top = None,
    threshold: options.Threshold = None,
    min_duration: options.MinDuration = None,
    max_duration: options.MaxDuration = None,
    handles: options.Handles = None,
    order: layout_options.Order = layout_options.OrderChoice.time,
    map_path: layout_options.MapPath = None,
    jobs: options.Jobs = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Score what arrives in a folder, and write a timeline for each video, once.

    A file is opened when it has settled. Ctrl-C ends it; the same command goes on. A video that
    cannot be used is named, and looked at again when it changes. Needs the extra
    `hlcli[watch]`.

    Examples:
        hl watch incoming/ -o cuts/

        hl watch incoming/ -o cuts/ --for resolve --settle 1m --jobs auto
    """
    import contextlib
    from pathlib import Path

    from hlcli.parsing import parse_duration
    from hlcli.workflows.jobs import job_settings_of
    from hlcli.workflows.requests import layout_of, selection_of
    from hlcli.workflows.score import Pipeline
    from hlcli.workflows.watch import FolderWatch, check_installed, until_settled
    from hlcli.workflows.watch import watch as watch_folder

    selection = selection_of(
        target_duration=target_duration,
        top=top,
        threshold=threshold,
        min_duration=min_duration,
        max_duration=max_duration,
        handles=handles,
    )
    if not once:
        check_installed()
    on = ConsoleListener(quiet=quiet, counts_video_seconds=True)
    place = Path(folder).expanduser().absolute()
    watched = FolderWatch(
        place,
        Path(output).expanduser().absolute(),
        Pipeline(model_name=model, device=device, proxies=False),
        selection=selection,
        layout=layout_of(order=order.value, map_path=map_path),
        target=for_,
        settle_seconds=parse_duration(settle, option="--settle"),
        jobs=job_settings_of(jobs=jobs),
        on=on,
    )
    with on, contextlib.closing(watched):
        if once:
            until_settled(watched)
        else:
            on.remark(f"watching {place}; Ctrl-C ends it")
            for _ in watch_folder(watched, place):
                on.clear()
    on.exit_if_failed()
