"""How `hl eval` shows a report in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hlcli.evaluation.benchmarks.report import BenchmarkReport, BenchmarkRow
    from hlcli.evaluation.bootstrap import Interval
    from hlcli.evaluation.report import Comparison, Report


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


def verdict_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Say for each detector whether it beats the best trivial baseline it may be held against."""
    words = {"detector": "the detector wins", "baseline": "the baseline wins", "open": "undecided"}
    lines = []
    for one in comparisons:
        difference = one.difference
        lines.append(
            f"{one.detector} ({one.looks}) minus {one.baseline}: {difference.mean:+.3f} "
            f"({difference.low:+.3f} to {difference.high:+.3f}): {words[one.verdict]}"
        )
    return lines


def benchmark_table(report: BenchmarkReport) -> RenderableType:
    """Return the rows as a table, best headline first within detectors and baselines."""
    from rich.table import Table

    benchmark = report.benchmark
    parts = [part for part in benchmark.other_parts if part != benchmark.headline_part]
    table = Table(title=f"hl eval {benchmark.name}: {report.metric}", title_justify="left")
    table.add_column("row")
    table.add_column("looks at")
    for name in (report.metric, "95 %", "n", *benchmark.metrics[1:], *parts):
        table.add_column(name, justify="right")
    table.add_column("note")
    headlines = {id(row): report.headline(row) for row in report.rows}

    def order(row: BenchmarkRow) -> tuple[bool, float]:
        headline = headlines[id(row)]
        return row.is_baseline, float("inf") if headline is None else -headline.mean

    ordered = sorted(report.rows, key=order)
    for previous, row in zip([None, *ordered], ordered, strict=False):
        if previous is not None and row.is_baseline and not previous.is_baseline:
            table.add_section()
        headline = headlines[id(row)]
        others = [
            report.figure(row, metric, part=benchmark.headline_part)
            for metric in benchmark.metrics[1:]
        ] + [report.figure(row, report.metric, part=part) for part in parts]
        table.add_row(
            row.name,
            row.looks,
            _mean(headline),
            "-" if headline is None else f"{headline.low:.3f}-{headline.high:.3f}",
            "0" if headline is None else str(headline.n),
            *(_mean(interval) for interval in others),
            report.remark_on(row),
            style="" if row.is_baseline else "bold",
        )
    return table


def luck_table(report: BenchmarkReport) -> RenderableType:
    """Return how far rankings that know nothing go, one column per set of videos."""
    from rich.table import Table

    from hlcli.evaluation.benchmarks.trust import luck_lines

    table = Table(title=f"luck alone: {report.metric}", title_justify="left")
    table.add_column("what is picked on these very videos")
    for one in report.luck:
        table.add_column(f"{one.part} ({one.num_videos})", justify="right")
    for words, figures in luck_lines(report.luck):
        table.add_row(words, *("-" if x is None else f"{x:.3f}" for x in figures))
    return table


def _mean(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:.3f}"
