"""`hl eval`: measure detectors beside trivial baselines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli import options
from hlcli.cli.console import progress_bar, say, stdout_console
from hlcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hlcli.evaluation.report import Report


def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="composite.", metavar="DATASET", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Labelled short clips with a manifest.json."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            "--split", metavar="PART", help="Groups whose clips are used: train, dev or test."
        ),
    ] = "test",
    videos_per_kind: Annotated[
        int, typer.Option("--videos-per-kind", metavar="N", help="Composites of each kind.")
    ] = 20,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind of composite. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Fixes what is drawn.")] = 0,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Detector from `hl models list`; the default one if not given. Repeatable.",
        ),
    ] = None,
    device: options.Device = "auto",
    work: Annotated[
        Path | None,
        typer.Option(
            "--work", metavar="DIR", help="Where the files are made; the cache if not given."
        ),
    ] = None,
    features_only: Annotated[
        bool,
        typer.Option(
            "--features-only",
            help="Join clip features instead of making files: quick, for experiments only.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Put the figures on stdout.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a web page.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
) -> None:
    """Measure detectors beside trivial baselines.

    `composite` makes videos of 1 to 3 minutes from short labelled clips, so that the highlights
    are known, and runs them through the real pipeline, with and without their sound.

    Examples:
        hl eval composite --data clips/

        hl eval composite --data clips/ --model rasl --model subspace --json
    """
    from hlcli import paths
    from hlcli.atomic import write_text
    from hlcli.evaluation.datasets import check_dataset
    from hlcli.evaluation.page import render_page
    from hlcli.evaluation.plan import KINDS
    from hlcli.evaluation.run import CompositeSettings, evaluate_composite

    check_dataset(dataset)
    if data is None:
        raise UsageError(
            "composites need labelled clips", hint="name their folder with --data FOLDER"
        )
    settings = CompositeSettings(
        data=data,
        work=work or paths.cache_dir() / "composites",
        models=tuple(model or [None]),
        split=split,
        kinds=tuple(kind or KINDS),
        videos_per_kind=videos_per_kind,
        seed=seed,
        device=device,
        features_only=features_only,
    )
    with progress_bar(quiet=quiet) as progress:
        report = evaluate_composite(settings, progress=progress)
    if html is not None:
        write_text(html, render_page(report))
        say(f"wrote {html}", quiet=quiet)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
        return
    console = stdout_console()
    console.print(report_table(report))
    for line in verdict_lines(report):
        console.print(line)
    say(report.protocol, quiet=quiet)


def report_table(report: Report) -> RenderableType:
    """Return the rows as a table, best headline first within detectors and baselines."""
    from rich.table import Table

    table = Table(title=f"hl eval {report.dataset}: mean average precision", title_justify="left")
    table.add_column("row")
    table.add_column("looks at")
    for name in ("mean", "95 %", "n", *report.kinds):
        table.add_column(name, justify="right")
    ordered = sorted(report.rows, key=lambda row: (row.is_baseline, -report.headline(row).mean))
    for previous, row in zip([None, *ordered], ordered, strict=False):
        if previous is not None and row.is_baseline and not previous.is_baseline:
            table.add_section()
        headline = report.headline(row)
        table.add_row(
            row.name,
            row.looks,
            f"{headline.mean:.3f}",
            f"{headline.low:.3f}-{headline.high:.3f}",
            str(headline.n),
            *(f"{report.of_kind(row, kind).mean:.3f}" for kind in report.kinds),
            style="" if row.is_baseline else "bold",
        )
    return table


def verdict_lines(report: Report) -> list[str]:
    """Say for each detector whether it beats the best trivial baseline it may be held against."""
    words = {"detector": "the detector wins", "baseline": "the baseline wins", "open": "undecided"}
    lines = []
    for one in report.comparisons():
        difference = one.difference
        lines.append(
            f"{one.detector} ({one.looks}) minus {one.baseline}: {difference.mean:+.3f} "
            f"({difference.low:+.3f} to {difference.high:+.3f}): {words[one.verdict]}"
        )
    return lines
