"""The command line: `hl score`, `hl export`, `hl train`, `hl eval`, `hl models`, `hl doctor`.

Nothing heavy is imported here: torch, PyAV, numpy and OpenTimelineIO load inside the commands
that need them, so that `hl --help` answers at once.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from hlcli import __version__
from hlcli.cli import doctor, evaluate, export, models, score, train
from hlcli.cli.console import HlGroup

HELP = """Find the moments worth keeping in raw footage and hand them to the editor as a timeline.

With several videos one bad file does not stop the others; the exit code is that of the first
that failed.

Exit codes:

0 done; 2 wrong command line or setting; 3 a video cannot be used; 4 a model cannot be used;
5 no such device, or out of its memory; 6 an output cannot be written; 7 training failed;
130 stopped by Ctrl-C; 1 anything unexpected.
"""

app = typer.Typer(
    name="hl",
    cls=HlGroup,
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
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


app.command("score")(score.score)
app.command("export")(export.export)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.add_typer(models.app, name="models")
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Entry point of the `hl` program."""
    # Decoders and networks share the cores. OpenMP's threads wait in a busy loop unless told
    # otherwise, which made the image encoder 50 times slower beside other work; it must be said
    # before torch is loaded. KMP_BLOCKTIME says the same to Intel's OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    app()
