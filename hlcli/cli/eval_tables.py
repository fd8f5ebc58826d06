"""How `hl eval` shows a report in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from hlcli.evaluation.benchmarks.report import BenchmarkReport, BenchmarkRow
    from hlcli.evaluation.bootstrap import Interval
    from hlcli.evaluation.report import Comparison, Report


_OF_PEOPLE = "of people"


def report_table(report: Report, *, width: int) -> RenderableType:
    """Return the rows as a table, best headline first within detectors and baselines.

    Args:
        report: What was measured.
        width: Columns of the terminal; kinds that do not fit are left out and named below.
    """
    ordered = sorted(report.rows, key=lambda row: (row.is_baseline, -report.headline(row).mean))
    lines = [
        _Line(
            row.name,
            row.looks,
            report.headline(row),
            [report.of_kind(row, kind) for kind in report.kinds],
            row.is_baseline,
        )
        for row in ordered
    ]
    title = f"hl eval {report.dataset}: mean average precision"
    return _table(title, "mean", report.kinds, lines, width=width)


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    looks: str
    headline: Interval | None
    others: Sequence[Interval | None]
    is_baseline: bool
    remark: str = ""
    agreement: float | None = None


def _table(
    title: str, metric: str, others: Sequence[str], lines: Sequence[_Line], *, width: int
) -> RenderableType:
    """A table that never cuts a name or a figure; what has no room is said below it."""
    from rich.console import Group
    from rich.table import Table

    gap = 2
    of_people = any(line.agreement is not None for line in lines)
    used = max(len("row"), *(len(line.name) for line in lines))
    used += len("looks at") + max(5, len(metric)) + len("-0.000 to -0.000") + 4 + 5 * gap
    used += (len(_OF_PEOPLE) + gap) * of_people
    shown = 0
    for name in others:
        used += max(len(name), 6) + gap
        if used > width:
            break
        shown += 1
    table = Table(title=title, title_justify="left", box=None, padding=(0, gap, 0, 0))
    table.add_column("row", no_wrap=True)
    table.add_column("looks at", no_wrap=True)
    shares = [_OF_PEOPLE] if of_people else []
    for name in (metric, "95 %", "n", *shares, *others[:shown]):
        table.add_column(name, justify="right", no_wrap=True)
    for previous, line in zip([None, *lines], lines, strict=False):
        if previous is not None and line.is_baseline and not previous.is_baseline:
            table.add_row()
        headline = line.headline
        table.add_row(
            line.name,
            line.looks,
            _mean(headline),
            "-" if headline is None else f"{headline.low:.3f} to {headline.high:.3f}",
            "0" if headline is None else str(headline.n),
            *("-" if line.agreement is None else f"{line.agreement:.0%}" for _ in shares),
            *(_mean(interval) for interval in line.others[:shown]),
            style="" if line.is_baseline else "bold",
        )
    below = [f"{line.name}: {line.remark}" for line in lines if line.remark]
    if shown < len(others):
        missing = ", ".join(others[shown:])
        below.append(f"no room for {missing}: use a wider terminal, a pipe, --json or --html")
    return Group(table, *below)


def verdict_lines(comparisons: Sequence[Comparison]) -> list[str]:
    """Say for each detector whether it beats the best trivial baseline it may be held against."""
    words = {"detector": "the detector wins", "baseline": "the baseline wins", "open": "undecided"}
    lines = []
    for comparison in comparisons:
        difference = comparison.difference
        lines.append(
            f"{comparison.detector} ({comparison.looks}) "
            f"minus {comparison.baseline}: {difference.mean:+.3f} "
            f"({difference.low:+.3f} to {difference.high:+.3f}): {words[comparison.verdict]}"
        )
    return lines


def benchmark_table(report: BenchmarkReport, *, width: int) -> RenderableType:
    """Return the rows as a table, best headline first within detectors and baselines.

    Args:
        report: What was measured.
        width: Columns of the terminal; metrics that do not fit are left out and named below.
    """
    benchmark = report.benchmark
    parts = [part for part in benchmark.other_parts if part != benchmark.headline_part]
    headlines = {id(row): report.headline(row) for row in report.rows}

    def order(row: BenchmarkRow) -> tuple[bool, float]:
        headline = headlines[id(row)]
        return row.is_baseline, float("inf") if headline is None else -headline.mean

    lines = []
    for row in sorted(report.rows, key=order):
        others = [
            report.figure(row, metric, part=benchmark.headline_part)
            for metric in benchmark.metrics[1:]
        ] + [report.figure(row, report.metric, part=part) for part in parts]
        headline, remark = headlines[id(row)], report.remark_on(row)
        agreement = report.agreement(row)
        lines.append(
            _Line(row.name, row.looks, headline, others, row.is_baseline, remark, agreement)
        )
    title = f"hl eval {benchmark.name}: {report.metric}"
    names = (*benchmark.metrics[1:], *parts)
    return _table(title, report.metric, names, lines, width=width)


def chance_table(report: BenchmarkReport) -> RenderableType:
    """Return how far rankings that know nothing go, one column per set of videos."""
    from rich.table import Table

    from hlcli.evaluation.benchmarks.chance import chance_lines

    table = Table(title=f"luck alone: {report.chance_metric}", title_justify="left")
    table.add_column("what is picked on these very videos")
    for one in report.chance:
        table.add_column(f"{one.part} ({one.num_videos})", justify="right")
    for words, figures in chance_lines(report.chance):
        table.add_row(words, *("-" if x is None else f"{x:.3f}" for x in figures))
    return table


def _mean(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:.3f}"
