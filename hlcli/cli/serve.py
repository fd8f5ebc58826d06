"""`hl serve`: the service that editor panels talk to."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import say
from hlcli.errors import UsageError

if TYPE_CHECKING:
    from hlcli.serve.job import Job
    from hlcli.serve.server import Started


def serve(
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65535,
            help="Port to listen on; panels look for 8765. 0 takes any that is free.",
        ),
    ] = 8765,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FOLDER",
            help="Folder with everything below it that panels may use. Repeatable.  "
            "[default: your home]",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
    open_pairing: Annotated[
        bool,
        typer.Option("--open-pairing", help="Show a code, although a panel was paired before."),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-origin",
            metavar="ORIGIN",
            help="Let pages of this origin talk to the service, with the token: "
            "http://localhost:3000. Repeatable.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Run the local service that editor panels talk to.

    It listens on this machine only, and only to programs that know its token: type the code that
    it shows into the panel, once. Ctrl-C stops it; jobs that were not done go on next time.

    Examples:
        hl serve

        hl serve --root /Volumes/footage --root ~/Movies
    """
    if importlib.util.find_spec("fastapi") is None or importlib.util.find_spec("uvicorn") is None:
        raise UsageError(
            "cannot run the service: the extra for it is not installed",
            hint='install it: pip install "hlcli[serve]"',
        )
    from hlcli.serve.server import ServeSettings
    from hlcli.serve.server import serve as run

    def on_start(started: Started) -> None:
        say(f"listening on {started.address}", quiet=quiet)
        for folder in started.roots:
            say(f"panels may use {folder}", quiet=quiet)
        say(f"the token is in {started.token_file}", quiet=quiet)
        if started.num_waiting:
            say(f"{_jobs(started.num_waiting)} of last time go on", quiet=quiet)
        if started.code is not None:
            # Without it nobody can pair.
            say(f"pairing code: {started.code} (good for ten minutes)")
        say("Ctrl-C stops", quiet=quiet)

    def on_end(job: Job) -> None:
        names = ", ".join(Path(path).name for path in job.paths[:3])
        more = ", ..." if len(job.paths) > 3 else ""
        why = f": {job.error['message']}" if job.error else ""
        say(f"{job.kind} {names}{more}: {job.state}{why}", quiet=quiet)

    stopped = run(
        ServeSettings(
            port=port,
            roots=tuple(root or ()),
            device=device,
            open_pairing=open_pairing,
            origins=tuple(allow_origin or ()),
        ),
        on_start=on_start,
        on_end=on_end,
    )
    if stopped:
        say(f"{_jobs(stopped)} stopped in the middle; next time they go on", quiet=quiet)
    say("stopped", quiet=quiet)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
