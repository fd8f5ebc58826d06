"""The report as one HTML file without scripts or links."""

from __future__ import annotations

from html import escape

from hlcli.evaluation.bootstrap import Interval
from hlcli.evaluation.report import Report

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #ccc }
th:first-child, td:first-child { text-align: left }
tr.detector { font-weight: 600; background: #eef6ee }
small { color: #666; font-weight: 400 }
"""


def render_page(report: Report) -> str:
    """Return the report as an HTML document.

    Args:
        report: What was measured.
    """
    kinds = report.kinds
    head = "".join(f"<th>{escape(name)}</th>" for name in ("row", "looks at", "mean", *kinds))
    body = []
    for row in report.rows:
        cells = [escape(row.name), escape(row.looks), _cell(report.headline(row))]
        cells += [_cell(report.of_kind(row, kind)) for kind in kinds]
        style = "" if row.is_baseline else ' class="detector"'
        body.append(f"<tr{style}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    verdicts = "".join(
        f"<li>{escape(one.detector)} ({escape(one.looks)}) minus {escape(one.baseline)}: "
        f"{one.difference.mean:+.3f} [{one.difference.low:+.3f}, {one.difference.high:+.3f}], "
        f"winner: {escape(one.verdict)}</li>"
        for one in report.comparisons()
    )
    title = f"hl eval {escape(report.dataset)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{escape(report.protocol)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f"<h2>Against the best trivial baseline</h2><ul>{verdicts}</ul></html>\n"
    )


def _cell(interval: Interval) -> str:
    return f"{interval.mean:.3f} <small>{interval.low:.2f} to {interval.high:.2f}</small>"
