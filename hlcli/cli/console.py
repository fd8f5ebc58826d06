"""What the user sees: data on stdout, words and progress on stderr, errors with a hint.

Everything that prints lives in `hlcli.cli`; the library below only raises and reports progress.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hlcli.cli.help import EXIT_CODES, HlGroup
from hlcli.errors import HlError, unexpected
from hlcli.progress import (
    BatchProgress,
    BatchSummary,
    Listener,
    Progress,
    counts_bytes,
    silent,
)
from hlcli.stopping import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

EXIT_UNEXPECTED = 1


_KEEPERS = frozenset({"score", "watch", "train", "finetune", "eval", "models"})
"""Commands of which a second run goes on where the first was stopped."""
_PIPE_WIDTH = 400
_LINE_SECONDS = 0.1
_LEAST_SHOWN = 0.05


def stdout_columns() -> int | None:
    """Return how wide stdout is, in characters: COLUMNS, or the terminal's; None for a pipe."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def stdout_console() -> Console:
    """Console for data: tables as wide as stdout, and as wide as they like in a pipe."""
    from rich.console import Console

    columns = stdout_columns()
    # Without a width, rich cuts what it prints into a pipe at 80 columns.
    width = _PIPE_WIDTH if columns is None else columns
    return Console(file=sys.stdout, highlight=False, soft_wrap=columns is None, width=width)


def stderr_console() -> Console:
    """Console for words; never mixed into data."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def say(message: str, *, quiet: bool = False) -> None:
    """Write one line of words to stderr unless `quiet`."""
    if not quiet:
        typer.echo(printable(message), err=True)


def warn(message: str) -> None:
    """Write a warning to stderr; `--quiet` does not silence it."""
    typer.secho("warning: ", fg="yellow", nl=False, err=True)
    typer.echo(printable(message), err=True)


def show_error(error: HlError) -> None:
    """Write what happened and, on a line of its own, what to do next."""
    typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(printable(error.message), err=True)
    if error.hint:
        typer.secho("hint: ", fg="cyan", nl=False, err=True)
        typer.echo(printable(error.hint), err=True)


def printable(text: str) -> str:
    """Replace what no terminal should get: bytes that are not UTF-8, line ends, control codes.

    File names may hold all of these.
    """
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return "".join("?" if unicodedata.category(letter) == "Cc" else letter for letter in shown)


class ConsoleListener(Listener):
    """Shows on the terminal what a workflow tells: one bar at a time, words, and errors.

    Args:
        quiet: No bars, and no words but warnings and errors.
        counts_video_seconds: See `progress_bar`.
        counts_files: See `progress_bar`.
    """

    def __init__(
        self, *, quiet: bool, counts_video_seconds: bool = False, counts_files: bool = False
    ) -> None:
        self.first_error: HlError | None = None
        """The first problem: its exit code is the command's."""
        self.num_problems = 0
        """Problems shown so far."""
        self._quiet = quiet
        self._counts = {"counts_video_seconds": counts_video_seconds, "counts_files": counts_files}
        self._name = ""
        self._bar = contextlib.ExitStack()
        self._report: Progress | None = None
        self._report_batch: Callable[[BatchProgress], None] | None = None

    def __enter__(self) -> ConsoleListener:
        """Show bars until the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Take the bar away."""
        self.clear()

    def clear(self) -> None:
        """Take the bar away, so that something can be printed."""
        self._report = None
        self._report_batch = None
        self._bar.close()

    def begins(self, path: Path, number: int, count: int) -> None:
        """Name the bars after the file."""
        self.clear()
        self._name = path.name

    def progress(self, stage: str, done: float, total: float) -> None:
        """Draw it."""
        if self._report is None:
            bar = progress_bar(quiet=self._quiet, name=self._name, **self._counts)
            self._report = self._bar.enter_context(bar)
        self._report(stage, done, total)

    def batch(self, progress: BatchProgress) -> None:
        """Draw one bar for all files."""
        if self._report_batch is None:
            self._report_batch = self._bar.enter_context(batch_bar(quiet=self._quiet))
        self._report_batch(progress)

    def batch_ends(self, summary: BatchSummary) -> None:
        """Say what came of it, unless quiet."""
        self.clear()
        for line in summary_lines(summary):
            say(line, quiet=self._quiet)

    def remark(self, text: str) -> None:
        """Say it, unless quiet."""
        self.clear()
        say(text, quiet=self._quiet)

    def warning(self, text: str) -> None:
        """Say it."""
        self.clear()
        warn(text)

    def wrote(self, path: Path, what: str = "") -> None:
        """Say it, unless quiet."""
        self.remark(f"wrote {path}: {what}" if what else f"wrote {path}")

    def problem(self, error: HlError) -> None:
        """Show the error, and go on."""
        self.clear()
        show_error(error)
        self.first_error = self.first_error or error
        self.num_problems += 1

    def exit_if_failed(self) -> None:
        """End the command with the exit code of the first problem, if there was one.

        Raises:
            typer.Exit: There was one.
        """
        if self.first_error is not None:
            raise typer.Exit(self.first_error.exit_code)


@contextlib.contextmanager
def progress_bar(
    *,
    quiet: bool,
    name: str = "",
    counts_video_seconds: bool = False,
    counts_files: bool = False,
) -> Iterator[Progress]:
    """Draw one bar per stage on stderr; nothing when quiet or when stderr is not a terminal.

    With HL_PROGRESS=json each step is a line of JSON instead: plugins that start `hl` read them.

    Args:
        quiet: Draw nothing.
        name: The file that is worked on; stands before each stage, downloads aside.
        counts_video_seconds: The stages report seconds of video, downloads aside: their speed
            is shown.
        counts_files: The stages count files, downloads aside: the numbers are shown.
    """
    if not quiet and os.environ.get("HL_PROGRESS") == "json":
        yield _progress_lines(name)
        return
    if quiet or not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=stderr_console(),
        transient=True,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: float, total: float) -> None:
            if stage not in tasks:
                label = printable(_named(stage, name))
                tasks[stage] = bars.add_task(label, total=total or None, speed="")
            task = bars.tasks[bars.task_ids.index(tasks[stage])]
            elapsed = task.elapsed or 0.0
            # Seconds of video per second of waiting is the figure an editor plans with.
            is_known = counts_video_seconds and elapsed > 1 and total > 0
            speed = f"{done / elapsed:.0f}x real time" if is_known else ""
            if counts_files:
                speed = f"{done:.0f} of {total:.0f}"
            if counts_bytes(stage):
                speed = f"{done / 2**20:.1f} of {total / 2**20:.1f} MiB"
            bars.update(tasks[stage], completed=done, total=total or None, speed=speed)
            if total and done >= total:
                bars.remove_task(tasks.pop(stage))

        yield report


@contextlib.contextmanager
def batch_bar(*, quiet: bool) -> Iterator[Callable[[BatchProgress], None]]:
    """Draw one bar for the work on many files, where `progress_bar` would draw one for each.

    Args:
        quiet: Draw nothing.
    """
    if not quiet and os.environ.get("HL_PROGRESS") == "json":
        lines = _progress_lines("")

        def report_line(progress: BatchProgress) -> None:
            if progress.seconds_total:
                # All but done, until it is.
                lines("scoring", progress.seconds_done, progress.seconds_total)

        yield report_line
        return
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[pace]}"),
        console=stderr_console(),
        transient=True,
    ) as bars:
        task = bars.add_task("", total=None, pace="")

        def report(progress: BatchProgress) -> None:
            bars.update(
                task,
                description=files_done(progress),
                completed=progress.seconds_done,
                total=progress.seconds_total or None,
                pace=pace(progress),
            )

        yield report


def files_done(progress: BatchProgress) -> str:
    """Return how many of many files are done and how many failed, in words."""
    text = f"{progress.num_done + progress.num_failed} of {progress.num_files} files"
    return f"{text}, {progress.num_failed} failed" if progress.num_failed else text


def pace(progress: BatchProgress) -> str:
    """Return how fast many files are scored and how long it will take, in words."""
    if progress.elapsed_seconds < 1 or progress.seconds_done <= 0:
        return ""
    speed = progress.seconds_done / progress.elapsed_seconds
    left = max(0.0, progress.seconds_total - progress.seconds_done) / speed
    return f"{speed:.1f} h of video in an hour, {_length(left)} left"


def summary_lines(summary: BatchSummary) -> Iterator[str]:
    """Yield what came of the work on many files, in words, a line at a time."""
    counts = [f"{summary.num_scored} scored"]
    if summary.num_stored:
        counts.append(f"{summary.num_stored} stored before")
    if summary.failures:
        counts.append(f"{len(summary.failures)} failed")
    line = f"{summary.num_files} videos: {', '.join(counts)}"
    if summary.seconds_scored:
        line += f"; {_length(summary.seconds_scored)} of video in {_length(summary.wall_seconds)}"
    yield line
    if stages := {name: one for name, one in summary.stage_seconds.items() if one >= _LEAST_SHOWN}:
        longest = sorted(stages, key=lambda name: -stages[name])
        yield "time by stage: " + ", ".join(f"{name} {_length(stages[name])}" for name in longest)
    for failure in summary.failures:
        tried = f", tried {failure.attempts} times" if failure.attempts > 1 else ""
        yield f"failed{tried}: {failure.reason}"


def _length(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _named(stage: str, name: str) -> str:
    return f"{name}: {stage}" if name and not counts_bytes(stage) else stage


def _progress_lines(name: str) -> Progress:
    """Return a callback that writes `{"stage", "done", "total"}` lines, ten a second at most."""
    written: dict[str, float] = {}

    def report(stage: str, done: float, total: float) -> None:
        now = time.monotonic()
        if done < total and now - written.get(stage, -1.0) < _LINE_SECONDS:
            return
        written[stage] = now
        line = json.dumps({"stage": _named(stage, name), "done": done, "total": total})
        typer.echo(line, err=True)

    return report


@contextlib.contextmanager
def log_to_console() -> Iterator[None]:
    """Print our own log records as warnings; with HL_DEBUG all there are, tracebacks too."""
    import logging  # Here: `hl --help` needs none.

    class Printer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warn(record.getMessage())
            if record.exc_info:
                traceback.print_exception(*record.exc_info)

    printed, swallowed = Printer(), logging.NullHandler()
    ours, everyone = logging.getLogger("hlcli"), logging.getLogger()
    level = ours.level
    ours.addHandler(printed)
    if os.environ.get("HL_DEBUG"):
        ours.setLevel(logging.DEBUG)
    else:
        # Without any handler Python itself prints the warnings of torch and others.
        everyone.addHandler(swallowed)
    try:
        yield
    finally:
        ours.removeHandler(printed)
        ours.setLevel(level)
        everyone.removeHandler(swallowed)


class HlProgram(HlGroup):
    """The command group that turns errors into words and exit codes, in one place."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Say what the exit codes mean, below everything else."""
        with formatter.section("Exit codes"):
            formatter.write_dl(EXIT_CODES)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; HlError gives its exit code, Ctrl-C 130, anything else 1."""
        if os.environ.get("NO_COLOR"):
            # Rich heeds it by itself, Typer's own colours do not.
            ctx.color = False
        words = list(ctx.args)
        try:
            with log_to_console():
                return super().invoke(ctx)
        except HlError as error:
            show_error(error)
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            if ctx.invoked_subcommand in _KEEPERS and "--no-cache" not in words:
                say("stopped; what was finished is kept, run the same command to go on")
            else:
                say("stopped; what was not finished is gone")
            raise typer.Exit(EXIT_INTERRUPTED) from error
        except Exception as error:
            if isinstance(error, _click_exceptions()) or os.environ.get("HL_DEBUG"):
                raise
            show_error(unexpected(error))
            raise typer.Exit(EXIT_UNEXPECTED) from error


def _click_exceptions() -> tuple[type[BaseException], ...]:
    # Typer uses Click's exceptions for --help, exit codes and usage errors; newer releases carry
    # a Click of their own, so they are reached through Typer's names.
    usage = [base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"]
    return (typer.Exit, typer.Abort, *usage)
