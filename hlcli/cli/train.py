"""`hl train`: learn a detector from folders of video, without labels."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import progress_bar, say, stderr_console
from hlcli.errors import DeviceError, HlError
from hlcli.stopping import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from rich.table import Table

    from hlcli.training.loop import OnStep, StepReport

_SHOWN_ROWS = 12


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="What to train; see model_zoo/recipes.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one setting, such as training.steps=100. Repeatable.",
        ),
    ] = None,
    device: options.Device = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")] = False,
) -> None:
    """Train a detector on folders of video. No labels are used.

    A run that was stopped goes on where it was: run the same command again. Started by torchrun
    as `torchrun --nproc-per-node=2 -m hlcli train RECIPE.toml`, several processes share the work.
    """
    from hlcli.training.recipe import read_recipe

    resolved = read_recipe(recipe, overrides or [])
    from hlcli.features.device import resolve_device
    from hlcli.training.corpus import open_corpus
    from hlcli.training.distributed import device_name, joined, ranks_of_environment
    from hlcli.training.run import locked_output, train_on

    ranks = ranks_of_environment()
    device = device_name(device)
    quiet = quiet or not ranks.is_first
    with (
        silent_unless(ranks.is_first),
        joined(ranks, resolve_device(device)),
        locked_output(resolved, ranks),
    ):
        with progress_bar(quiet=quiet, counts_files=True) as progress:
            corpus, lost = open_corpus(resolved.data, device=device, ranks=ranks, progress=progress)
        found = len(corpus.names)
        if lost:
            say(f"{lost} of {found + lost} videos could not be read and are left out", quiet=quiet)
        minutes = corpus.duration_seconds / 60
        say(f"learning from {found} videos, {minutes:.1f} minutes", quiet=quiet)
        with live_table(quiet=quiet) as on_step:
            path = train_on(corpus, resolved, device=device, ranks=ranks, on_step=on_step)
    say(f"the model, its recipe and its losses are in {path.parent}", quiet=quiet)
    if ranks.is_first:
        typer.echo(str(path))


@contextlib.contextmanager
def silent_unless(speaks: bool) -> Iterator[None]:
    """Keep a process that is not the first from saying what the first one says too."""
    if speaks:
        yield
        return
    logging.getLogger("hlcli").setLevel(logging.ERROR)
    try:
        yield
    except DeviceError:
        raise  # each process has a GPU of its own
    except HlError as error:
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(EXIT_INTERRUPTED) from error


@contextlib.contextmanager
def live_table(*, quiet: bool) -> Iterator[OnStep]:
    """Show the losses as they fall: a live table on a terminal, a few lines elsewhere."""
    rows: list[StepReport] = []
    if quiet or not sys.stderr.isatty():

        def tell(report: StepReport) -> None:
            if report.step == report.steps or report.step % max(1, report.steps // 10) == 0:
                total = report.losses["total"]
                say(f"step {report.step} of {report.steps}: loss {total:.4f}", quiet=quiet)

        yield tell
        return
    from rich.live import Live

    with Live(console=stderr_console(), refresh_per_second=4, transient=True) as live:

        def show(report: StepReport) -> None:
            # One row every twentieth of the run, and the newest step below them.
            if rows and (rows[-1].step - 1) % max(1, report.steps // 20):
                rows.pop()
            rows.append(report)
            live.update(_table(rows[-_SHOWN_ROWS:]))

        yield show


def _table(rows: list[StepReport]) -> Table:
    from rich.table import Table

    table = Table(title=f"step {rows[-1].step} of {rows[-1].steps}")
    names = list(rows[-1].losses)
    for name in ("step", *names, "gradient"):
        table.add_column(name, justify="right")
    for row in rows:
        losses = [f"{row.losses[name]:.4f}" for name in names]
        table.add_row(str(row.step), *losses, f"{row.grad_norm:.2f}")
    return table
