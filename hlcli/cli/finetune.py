"""`hl finetune`: a detector that learns a project's footage and its editor's taste."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hlcli.cli import options
from hlcli.cli.console import ConsoleListener, printable, say, warn
from hlcli.cli.train import live_table, silent_unless

if TYPE_CHECKING:
    from hlcli.training.loop import OnStep, StepReport
    from hlcli.tuning.held_out import HeldOut
    from hlcli.tuning.plan import FinetunePlan
    from hlcli.tuning.run import Outcome

_SHOWN = 10


def finetune(
    footage: Annotated[
        list[str],
        typer.Argument(
            help="Raw video: files, folders or globs.", metavar="FOOTAGE", show_default=False
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call the new model.")
    ],
    from_cut: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-cut",
            metavar="FILE",
            help="A finished cut of this footage (.otio, .xml, .fcpxml, .edl, .aaf, ...): learn "
            "what it keeps. Repeatable.",
        ),
    ] = None,
    from_film: Annotated[
        list[Path] | None,
        typer.Option(
            "--from-film",
            metavar="FILM",
            help="A finished film of this footage: it is matched as hl match does, and learned "
            "from as a cut. Repeatable.",
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Marks: a .csv with file,start,end,label (keep or drop), or a timeline with "
            "markers. Repeatable.",
        ),
    ] = None,
    from_marks: Annotated[
        bool,
        typer.Option(
            "--from-marks",
            help="Learn from marks set while recording: GoPro HiLights, Sony shot "
            "marks, chapters, a log NAME.marks.txt beside a file.",
        ),
    ] = False,
    search: options.Search = None,
    parent: Annotated[
        str | None,
        typer.Option(
            "--parent", metavar="MODEL", help="Model to start from; the default one if not given."
        ),
    ] = None,
    device: options.Device = "auto",
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", help="Steps of training on the footage; 40 if not given."
        ),
    ] = None,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Train the network on the footage, in minutes; without a cut or marks it always "
            "is.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all chance.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Put what came of it on stdout, as JSON.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show warnings and errors only.")] = (
        False
    ),
) -> None:
    """Teach a detector your footage, and what you keep of it.

    Footage alone: it learns what is usual there. With a cut or marks it learns what you keep, and
    is checked on marks it has not seen against the model it started from. A run that was stopped
    goes on where it was: run the same command again.

    Examples:
        hl finetune footage/ --name weddings

        hl finetune footage/ --name weddings --from-cut film.otio

        hl finetune footage/ --name weddings --from-film film.mp4

        hl finetune footage/ --name weddings --labels marks.csv --adapt
    """
    from hlcli.features.device import resolve_device
    from hlcli.training.distributed import device_name, joined, ranks_of_environment
    from hlcli.tuning.plan import STEPS, FinetuneSettings
    from hlcli.workflows.finetune import finetune as run_finetune

    ranks = ranks_of_environment()
    device = device_name(device)
    settings = FinetuneSettings(
        name=name,
        footage=tuple(footage),
        cuts=tuple(path.expanduser() for path in from_cut or []),
        films=tuple(path.expanduser() for path in from_film or []),
        labels=tuple(path.expanduser() for path in labels or []),
        from_marks=from_marks,
        search=tuple(Path(folder).expanduser() for folder in search or []),
        parent=parent,
        device=device,
        steps=STEPS if steps is None else steps,
        adapt=adapt,
        seed=seed,
    )
    quiet = quiet or not ranks.is_first
    display = _Display(quiet=quiet)
    with (
        silent_unless(ranks.is_first),
        joined(ranks, resolve_device(device)),
        display,
    ):
        outcome = run_finetune(
            settings,
            ranks=ranks,
            on=display,
            on_plan=display.on_plan,
            on_step=display.on_step,
            on_check=display.on_check,
        )
    if outcome is not None:
        _say_outcome(outcome, as_json=as_json, quiet=quiet)


class _Display(ConsoleListener):
    """Shows one thing at a time: files looked at, files read, losses, held-out figures.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet, counts_files=True)
        self._table: OnStep | None = None

    def clear(self) -> None:
        """Clear the terminal."""
        super().clear()
        self._table = None

    def on_plan(self, plan: FinetunePlan) -> None:
        """Say what will be learned; from here on the bar counts seconds of video."""
        self.clear()
        self._counts = {"counts_video_seconds": True}
        _say_plan(plan, quiet=self._quiet)

    def on_step(self, report: StepReport) -> None:
        """Show the losses of a step."""
        if self._table is None:
            self.clear()
            self._table = self._bar.enter_context(live_table(quiet=self._quiet))
        self._table(report)

    def on_check(self, check: HeldOut) -> None:
        """Show the held-out figures so far."""
        self.remark(
            f"held out {check.num_done} of {check.num_parts}: average precision "
            f"{check.before:.3f} -> {check.after:.3f}"
        )


def _say_plan(plan: FinetunePlan, *, quiet: bool) -> None:
    footage, estimate = plan.footage, plan.estimate
    say(
        f"{len(footage.files)} files, {_time(estimate.video_seconds)} of footage, "
        f"{_time(estimate.new_seconds)} of it new; starting from {plan.parent.name}",
        quiet=quiet,
    )
    if footage.repeated:
        say(f"{len(footage.repeated)} files are copies of others: used once", quiet=quiet)
    for one in footage.left_out[:_SHOWN]:
        warn(f"{one.path} is left out: {one.reason}")
    if len(footage.left_out) > _SHOWN:
        warn(f"{len(footage.left_out) - _SHOWN} more files are left out")
    for found in plan.annotations:
        say(
            f"{found.file.name}: {found.num_kept} spans kept, {found.num_passed} passed "
            f"over, {found.num_unmatched} not matched",
            quiet=quiet,
        )
        for note in found.notes:
            say(f"  {note}", quiet=quiet)
    for note in plan.notes:
        say(note, quiet=quiet)
    steps = f", {plan.num_steps} steps of training" if plan.num_steps else ", no training"
    say(
        f"this takes about {_time(estimate.seconds)} ({_time(estimate.reading_seconds)} to read "
        f"new footage{steps}) and {estimate.disk_bytes / 2**20:.0f} MiB of disk",
        quiet=quiet,
    )


def _say_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    plan, name = outcome.plan, outcome.manifest.name
    known = {one.path for one in plan.footage.left_out}
    for one in outcome.left_out:
        if one.path not in known:
            warn(f"{one.path} is left out: {one.reason}")
    check = outcome.check
    if check is not None:
        unit = "stretches of one file" if check.within_file else f"{check.num_files} files"
        say(
            f"on held-out marks ({check.num_spans} spans, {unit}): average precision "
            f"{check.before:.3f} with {plan.parent.name}, {check.after:.3f} with {name}",
            quiet=quiet,
        )
    for text in outcome.card.warnings:
        warn(text.removesuffix("."))
    say(f"{name} is one of your models now: {outcome.manifest.folder}", quiet=quiet)
    say(f"next: hl score VIDEO --model {name}", quiet=quiet)
    if outcome.is_recommended:
        say(f"to take it always: hl models default {name}", quiet=quiet)
    if as_json:
        typer.echo(json.dumps(_plain(outcome), indent=2, ensure_ascii=False))
    else:
        typer.echo(printable(str(outcome.manifest.folder)))


def _plain(outcome: Outcome) -> dict[str, Any]:
    """Return what `--json` prints; `card` is as docs/reference/model-card.md says."""
    plan = outcome.plan
    return {
        "name": outcome.manifest.name,
        "folder": str(outcome.manifest.folder),
        "sha256": outcome.manifest.sha256,
        "recommended": outcome.is_recommended,
        "left_out": [{"path": str(one.path), "reason": one.reason} for one in outcome.left_out],
        "notes": [note for annotation in plan.annotations for note in annotation.notes]
        + list(plan.notes),
        "card": json.loads(outcome.card.to_json()),
    }


def _time(seconds: float) -> str:
    """Say a length of time as people do."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{whole / 60:.0f} min"
    return f"{whole / 3600:.1f} h"
