"""`hl eval`: measure detectors beside trivial baselines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hlcli.cli import options
from hlcli.cli.console import progress_bar, say, stdout_console
from hlcli.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

_COMPOSITE = "Only for composite"


def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(
            help="tvsum, summe, youtube-highlights, qvhighlights or composite.",
            metavar="DATASET",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="Labels and stored features of a benchmark, or short clips with a manifest.json.",
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            metavar="FOLDER",
            help="The benchmark's video files, named as in its labels; --data has the labels.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Detector from `hl models list`. Repeatable. Composites and --videos take the "
            "default one if none is given; on stored features its recipe is refitted.",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            metavar="N",
            help="How often a network is trained anew on stored features; the mean is shown.",
        ),
    ] = 5,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Also show how far luck alone goes: what a difference is worth."
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Fixes what is drawn.")] = 0,
    device: options.Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Put the figures on stdout.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a web page.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no words but errors.")
    ] = False,
    split: Annotated[
        str,
        typer.Option(
            "--split",
            metavar="PART",
            help="Groups whose clips are used: train, dev or test.",
            rich_help_panel=_COMPOSITE,
        ),
    ] = "test",
    videos_per_kind: Annotated[
        int,
        typer.Option(
            "--videos-per-kind",
            metavar="N",
            help="Composites of each kind.",
            rich_help_panel=_COMPOSITE,
        ),
    ] = 20,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Only this kind of composite. Repeatable.",
            rich_help_panel=_COMPOSITE,
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            metavar="DIR",
            help="Where the files are made; the cache if not given.",
            rich_help_panel=_COMPOSITE,
        ),
    ] = None,
    features_only: Annotated[
        bool,
        typer.Option(
            "--features-only",
            help="Join clip features instead of making files: quick, for experiments only.",
            rich_help_panel=_COMPOSITE,
        ),
    ] = False,
) -> None:
    """Measure detectors beside trivial baselines.

    `composite` makes videos of 1 to 3 minutes from short labelled clips, so that the highlights
    are known, and runs them through the real pipeline, with and without their sound.

    The other datasets are public benchmarks with the protocols of their public code. Their labels
    are read from --data, with stored features where there are some.

    Examples:
        hl eval composite --data clips/

        hl eval composite --data clips/ --model rasl --model subspace --json

        hl eval tvsum --data benchmarks/
    """
    from hlcli import paths
    from hlcli.cli.eval_tables import benchmark_table, chance_table, report_table, verdict_lines
    from hlcli.evaluation.benchmarks.evaluate import BenchmarkSettings, evaluate_dataset
    from hlcli.evaluation.composite_plan import KINDS
    from hlcli.evaluation.datasets import BENCHMARKS, check_dataset
    from hlcli.evaluation.page import missing_words, render_benchmark_page, render_page
    from hlcli.evaluation.run import CompositeSettings, evaluate_composite

    check_dataset(dataset)
    with progress_bar(quiet=quiet) as progress:
        if dataset in BENCHMARKS:
            _refuse(dataset, {"--kind": kind, "--work": work, "--features-only": features_only})
            report = evaluate_dataset(
                BenchmarkSettings(
                    dataset=dataset,
                    data=data,
                    videos=videos,
                    models=tuple(model or ()),
                    num_seeds=seeds,
                    device=device,
                    seed=seed,
                    trust=trust,
                ),
                progress=progress,
            )
            page, tables = (
                render_benchmark_page(report),
                [benchmark_table(report, width=stdout_console().width)],
            )
            figures, protocol = report.to_json(), report.benchmark.protocol
            lines = verdict_lines(report.comparisons())
            if report.missing:
                lines.append(missing_words(report))
            lines += report.remarks
            if report.chance:
                tables.append(chance_table(report))
                lines += [one.sentence(report.chance_metric) for one in report.chance]
        else:
            _refuse(dataset, {"--videos": videos, "--trust": trust})
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
            made = evaluate_composite(settings, progress=progress)
            page, tables = render_page(made), [report_table(made, width=stdout_console().width)]
            figures, protocol = made.to_json(), made.protocol
            lines = verdict_lines(made.comparisons())
    _show(
        page=page,
        tables=tables,
        figures=figures,
        lines=lines,
        protocol=protocol,
        as_json=as_json,
        html=html,
        quiet=quiet,
    )


def _show(
    *,
    page: str,
    tables: Sequence[RenderableType],
    figures: dict[str, Any],
    lines: Sequence[str],
    protocol: str,
    as_json: bool,
    html: Path | None,
    quiet: bool,
) -> None:
    from hlcli.atomic import write_text

    if html is not None:
        write_text(html, page)
        say(f"wrote {html}", quiet=quiet)
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    console = stdout_console()
    for table in tables:
        console.print(table)
    for line in lines:
        console.print(line)
    say(protocol, quiet=quiet)


def _refuse(dataset: str, given: dict[str, object]) -> None:
    for name, value in given.items():
        if value:
            raise UsageError(f"{name} says nothing about {dataset}", hint="leave it out")
