"""The command line: `hl score`, `hl export`, `hl train`, `hl finetune` and the others.

Nothing heavy is imported here: torch, PyAV, numpy and OpenTimelineIO load inside the commands
that need them, so that `hl --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from hlcli import __version__
from hlcli.cli import (
    check,
    contact_sheet,
    doctor,
    evaluate,
    export,
    find,
    finetune,
    match,
    mcp,
    models,
    plugins,
    render,
    report,
    resolve,
    resolve_job,
    review,
    score,
    serve,
    train,
    watch,
)
from hlcli.cli.console import HlProgram, show_error
from hlcli.cli.help import HlCommand
from hlcli.cli.streams import ReaderGone, guarded_streams
from hlcli.errors import HlError

HELP = """Find the moments worth keeping in raw footage and hand them to the editor as a timeline.

With several videos one bad file does not stop the others; the exit code is that of the first
that failed.
"""

app = typer.Typer(
    name="hl",
    cls=HlProgram,
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text: Rich takes longer to load than everything else that `hl --help` needs.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hl {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before any command."""


app.command("score", cls=HlCommand)(score.score)
app.command("export", cls=HlCommand)(export.export)
app.command("watch", cls=HlCommand)(watch.watch)
app.command("contact-sheet", cls=HlCommand)(contact_sheet.contact_sheet)
app.command("report", cls=HlCommand)(report.report)
app.command("find", cls=HlCommand)(find.find)
app.command("match", cls=HlCommand)(match.match)
app.command("render", cls=HlCommand)(render.render)
app.command("check", cls=HlCommand)(check.check)
app.command("train", cls=HlCommand)(train.train)
app.command("finetune", cls=HlCommand)(finetune.finetune)
app.command("eval", cls=HlCommand)(evaluate.evaluate)
app.command("review", cls=HlCommand)(review.review)
app.add_typer(models.app, name="models")
app.add_typer(plugins.app, name="plugins")
app.command("serve", cls=HlCommand)(serve.serve)
app.command("mcp", cls=HlCommand)(mcp.mcp)
app.command("doctor", cls=HlCommand)(doctor.doctor)
app.command("resolve", cls=HlCommand)(resolve.resolve)
# For the scripts in DaVinci Resolve, not for people.
app.command("resolve-job", cls=HlCommand, hidden=True)(resolve_job.resolve_job)


def main() -> None:
    """Entry point of the `hl` program."""
    # Decoders and networks share the cores. OpenMP's threads wait in a busy loop unless told
    # otherwise, which made the image encoder 50 times slower beside other work; it must be said
    # before torch is loaded. KMP_BLOCKTIME says the same to Intel's OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    try:
        with guarded_streams():
            app()
    except ReaderGone:
        sys.exit(0)
    except HlError as error:
        # Written outside any command: `hl --help`, or what was left in the buffer.
        show_error(error)
        sys.exit(error.exit_code)
