"""From stored values of each video to the Markdown tables of the page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlcli.evaluation.bootstrap import Interval
from hlcli.evaluation.composite_plan import HEADLINE_KINDS, KINDS
from hlcli.evaluation.report import Report, Row

SHARES = ("action-10", "action", "action-35", "action-50")
"""The kinds that differ in the share of highlights alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured row: means over its seeds."""

    name: str
    """First cell."""
    row: Row
    """Values of each video, means over the seeds."""
    headlines: tuple[float, ...]
    """Mean of four kinds of each seed, x 100."""
    pieces: tuple[dict[str, Any], ...] = ()
    """What was stored, one per seed; none for a baseline."""


def make_line(
    name: str,
    looks: str,
    kinds: Sequence[str],
    values: Sequence[Sequence[float]],
    pieces: Sequence[dict[str, Any]] = (),
    *,
    is_baseline: bool = False,
) -> Line:
    """Join the seeds of one row.

    Args:
        name: First cell.
        looks: "v", "a", "va" or "none".
        kinds: Kind of each of N videos.
        values: For each seed, the AP of each of N videos.
        pieces: For each seed, what was stored.
        is_baseline: False for a detector.
    """

    def row(each: Sequence[float]) -> Row:
        return Row(
            name=name, looks=looks, is_baseline=is_baseline, kinds=tuple(kinds), values=tuple(each)
        )

    mean = np.mean(np.array(values), axis=0).tolist()
    return Line(
        name=name,
        row=row(mean),
        headlines=tuple(mean_of(row(value), HEADLINE_KINDS) for value in values),
        pieces=tuple(pieces),
    )


def difference(line: Line, other: Line) -> Interval:
    """Mean of four kinds of a line minus that of another, paired by video."""
    report = Report(
        dataset="", protocol="", rows=(line.row, other.row), headline_kinds=HEADLINE_KINDS
    )
    return report.difference(line.row, other.row)


def best_trivial(line: Line, baselines: Sequence[Line]) -> Line | None:
    """The baseline with the highest mean among those that look at no more; None without one."""
    report = Report(
        dataset="",
        protocol="",
        rows=(line.row, *(baseline.row for baseline in baselines)),
        headline_kinds=HEADLINE_KINDS,
    )
    for found in report.comparisons():
        return next(baseline for baseline in baselines if baseline.row.name == found.baseline)
    return None


HEADER = (
    f"| row | seeds | {' | '.join(KINDS)} | mean of 4 | sd | mean of shares | minus base "
    "| minus `subspace` | training, CPU s | parameters |"
)
RULE = "| --- | ---: |" + " ---: |" * (len(KINDS) + 3) + " --- | --- | ---: | ---: |"


def table(
    groups: Sequence[tuple[str, Sequence[Line]]], *, base: Line | None, closed: Line | None
) -> list[str]:
    """Lines of a Markdown table; a group's name stands in front of its rows."""
    lines = [HEADER, RULE]
    for group, rows in groups:
        for row in rows:
            same = base is not None and row is not base and row.pieces == base.pieces
            name = f"{group}: {row.name}" + (" (base)" if same else "")
            lines.append(_cells(row, name, None if same else base, closed))
    return lines


def interval(found: Interval) -> str:
    """A difference x 100 with its interval."""
    return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _cells(line: Line, name: str, base: Line | None, closed: Line | None) -> str:
    spread = statistics.stdev(line.headlines) if len(line.headlines) > 1 else None
    cells = [name, str(len(line.pieces) or "")]
    cells += [_number(mean_of(line.row, (kind,))) for kind in KINDS]
    cells += [
        _number(mean_of(line.row, HEADLINE_KINDS)),
        _number(spread),
        _number(mean_of(line.row, SHARES)),
    ]
    for other in (base, closed):
        if other is None or other is line:
            cells.append("")
        else:
            cells.append(interval(difference(line, other)))
    seconds = [piece["train_cpu_seconds"] for piece in line.pieces if piece["train_cpu_seconds"]]
    parameters = [piece["parameters"]["all"] for piece in line.pieces if piece["parameters"]]
    cells += [
        f"{statistics.mean(seconds):.0f}" if seconds else "",
        f"{parameters[0]:,}" if parameters else "",
    ]
    return f"| {' | '.join(cells)} |"


def mean_of(row: Row, kinds: Sequence[str]) -> float:
    """Mean over kinds of the mean of each, x 100; NaN where there is none of them."""
    by_kind = [
        np.mean([v for v, k in zip(row.values, row.kinds, strict=True) if k == kind])
        for kind in kinds
        if kind in row.kinds
    ]
    return 100 * float(np.mean(by_kind)) if by_kind else float("nan")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
