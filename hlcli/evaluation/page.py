"""The report as one HTML file without scripts or links."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hlcli.evaluation.benchmarks.chance import chance_lines
from hlcli.evaluation.benchmarks.report import BenchmarkReport
from hlcli.evaluation.bootstrap import Interval
from hlcli.evaluation.report import Comparison, Report

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left }
tr.detector { font-weight: 600; background: #eef6ee }
small { color: #666; font-weight: 400 }
"""


def render_page(report: Report) -> str:
    """Return the report on composites as an HTML document.

    Args:
        report: What was measured.
    """
    kinds = report.kinds
    body = []
    for row in report.rows:
        cells = [escape(row.name), escape(row.looks), _cell(report.headline(row))]
        cells += [_cell(report.of_kind(row, kind)) for kind in kinds]
        body.append((row.is_baseline, cells))
    return _document(
        title=f"hl eval {report.dataset}",
        protocol=report.protocol,
        content=_table(("row", "looks at", "mean", *kinds), body) + _verdicts(report.comparisons()),
    )


def render_benchmark_page(report: BenchmarkReport) -> str:
    """Return the report on a public benchmark as an HTML document.

    Args:
        report: What was measured.
    """
    benchmark = report.benchmark
    part = benchmark.headline_part
    main, strata = [], []
    for row in report.rows:
        cells = [escape(row.name), escape(row.looks)]
        figures = [report.figure(row, metric, part=part) for metric in benchmark.metrics]
        figures += [report.figure(row, report.metric, part=part) for part in benchmark.other_parts]
        main.append(
            (row.is_baseline, [*cells, *map(_cell, figures), escape(report.remark_on(row))])
        )
        by_stratum = [
            report.figure(row, report.metric, part=part, stratum=one) for one in report.strata
        ]
        strata.append((row.is_baseline, [*cells, *map(_cell, by_stratum)]))
    others = [f"{report.metric}, {part}" for part in benchmark.other_parts]
    content = _table(("row", "looks at", *benchmark.metrics, *others, "note"), main)
    if len(report.strata) > 1:
        content += f"<h2>{escape(report.metric)} by category</h2>"
        content += _table(("row", "looks at", *report.strata), strata)
    if report.missing:
        content += f"<p>{escape(missing_words(report))}</p>"
    content += "".join(f"<p>{escape(remark)}</p>" for remark in report.remarks)
    if report.chance:
        header = ("what is picked on these very videos", *(one.part for one in report.chance))
        lines = [
            (True, [escape(words), *("-" if x is None else f"{x:.3f}" for x in figures)])
            for words, figures in chance_lines(report.chance)
        ]
        content += f"<h2>How far luck alone goes: {escape(report.chance_metric)}</h2>"
        content += _table(header, lines)
        content += "".join(
            f"<p>{escape(one.sentence(report.chance_metric))}</p>" for one in report.chance
        )
    return _document(
        title=f"hl eval {benchmark.name}",
        protocol=benchmark.protocol,
        content=content + _verdicts(report.comparisons()),
    )


def missing_words(report: BenchmarkReport) -> str:
    """Say how many videos of the benchmark were there to be scored, and name those that were not.

    Args:
        report: Whose videos.
    """
    scored = len(report.benchmark.videos)
    return (
        f"{scored} of {scored + len(report.missing)} videos are scored; missing: "
        f"{', '.join(report.missing)}"
    )


def _document(*, title: str, protocol: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1><p>{escape(protocol)}</p>"
        f"{content}</html>\n"
    )


def _table(header: Sequence[str], rows: Sequence[tuple[bool, Sequence[str]]]) -> str:
    """Baseline or not, and the cells of each row, which are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = ""
    for is_baseline, cells in rows:
        style = "" if is_baseline else ' class="detector"'
        body += f"<tr{style}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _verdicts(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    lines = "".join(
        f"<li>{escape(comparison.detector)} ({escape(comparison.looks)}) minus "
        f"{escape(comparison.baseline)}: {comparison.difference.mean:+.3f} "
        f"[{comparison.difference.low:+.3f}, {comparison.difference.high:+.3f}], "
        f"winner: {escape(comparison.verdict)}</li>"
        for comparison in comparisons
    )
    return f"<h2>Against the best trivial baseline</h2><ul>{lines}</ul>"


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.mean:.3f} <small>{interval.low:.2f} to {interval.high:.2f}</small>"
