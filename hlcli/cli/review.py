"""`hl review`: look at what was found, decide, export, in a browser."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import say
from hlcli.errors import HlError, UsageError, unexpected

if TYPE_CHECKING:
    from hlcli.serve.server import Started


def review(
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO...", help="Videos, folders or globs, reviewed together."),
    ],
    model: options.Model = None,
    visual_only: options.VisualOnly = False,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FOLDER",
            help="Folder that exports may go to, with everything below it, besides the folders of "
            "the videos. Repeatable.",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="Port to listen on; 0 is any free one."
        ),
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address and open nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Look at what was found, decide, teach: a page in your browser, on this machine only.

    Videos that have no scores yet are scored first. What you decide is kept at once, by the content
    of the videos, and is there again next time. Ctrl-C ends it.

    Examples:
        hl review match.mp4

        hl review footage/ --root ~/cuts --no-browser
    """
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise UsageError(
            "cannot show the page: the extra for it is not installed",
            hint='install it: pip install "hlcli[serve]"',
        )
    from hlcli.media.discover import find_videos
    from hlcli.serve.client import ReviewPage, running_service
    from hlcli.serve.edit import MAX_VIDEOS
    from hlcli.serve.server import ServeSettings
    from hlcli.serve.server import serve as run

    paths = find_videos(videos)
    if len(paths) > MAX_VIDEOS:
        raise UsageError(
            f"{len(paths)} videos are too many for one review",
            hint=f"review up to {MAX_VIDEOS} together",
        )
    page = ReviewPage(paths=tuple(paths), model=model, visual_only=visual_only)

    def show(service: str) -> None:
        address = page.open(service)
        if no_browser:
            typer.echo(address)
        else:
            import webbrowser

            say(f"the page is at {address}", quiet=quiet)
            if not webbrowser.open(address):
                say("no browser could be started: open that address")

    service = running_service()
    if service is not None:
        say("hl serve is running already and shows the page", quiet=quiet)
        show(service)
        return
    failure: list[HlError] = []

    def open_page(service: str) -> None:
        try:
            show(service)
        except HlError as error:
            failure.append(error)
        except Exception as error:  # noqa: BLE001
            failure.append(unexpected(error))
        if failure:
            os.kill(os.getpid(), signal.SIGINT)

    def on_start(started: Started) -> None:
        say("Ctrl-C ends it; what you decided is kept", quiet=quiet)
        # The service answers once this function has returned.
        threading.Thread(target=open_page, args=(started.address,), daemon=True).start()

    folders = dict.fromkeys([path.absolute().parent for path in paths] + list(root or ()))
    run(
        ServeSettings(port=port, roots=tuple(folders), device=device),
        on_start=on_start,
    )
    if failure:
        raise failure[0]
    say("stopped", quiet=quiet)
