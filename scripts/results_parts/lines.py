"""Reads stored pieces back as the lines of the tables, and says what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from results_parts.ablations import baselines_path
from results_parts.measure import RAW
from results_parts.rows import AblationRow, ablation_rows
from results_parts.settings import Settings, read_failure, read_piece
from results_parts.tables import Line, make_line

LOOKS = {RAW: "v", "v": "v", "va": "va"}
"""What each reading looks at."""


@dataclass(slots=True, kw_only=True)
class Measured:
    """Everything that was measured about the ablations."""

    machine: str = "not measured yet"
    """Hardware and versions."""
    baselines: list[Line] = field(default_factory=list)
    """All trivial rows and bounds, best first."""
    groups: dict[tuple[str, str], dict[str, list[Line]]] = field(default_factory=dict)
    """Lines by base and reading, then by group, in the order of the page."""
    missing: list[tuple[str, str]] = field(default_factory=list)
    """Names of rows without all their seeds, and why."""

    @property
    def num_lines(self) -> int:
        """Lines of all tables."""
        return sum(len(lines) for groups in self.groups.values() for lines in groups.values())

    def base_line(self, base: str, reading: str) -> Line | None:
        """The row without a change; None where it was not measured."""
        lines = self.groups.get((base, reading), {}).get("base", [])
        return lines[0] if lines else None


def read_measured(settings: Settings) -> Measured:
    """Read all pieces that these settings name."""
    measured = Measured()
    stored = read_piece(baselines_path(settings))
    if stored is None:
        measured.missing.append(("baselines", "not measured yet; without them there is no table"))
        return measured
    kinds = stored["kinds"]
    measured.machine = " ".join(stored["machine"])
    measured.baselines = [
        make_line(one["name"], one["looks"], kinds, [one["values"]], is_baseline=True)
        for one in stored["rows"]
    ]
    measured.baselines.sort(key=lambda line: -line.headlines[0])
    for row in ablation_rows(settings):
        pieces = _pieces(measured, settings, row)
        for reading, looks in LOOKS.items():
            if not pieces or reading not in pieces[0]["values"]:
                continue
            values = [piece["values"][reading] for piece in pieces]
            line = make_line(row.name, looks, kinds, values, pieces)
            groups = measured.groups.setdefault((row.base, reading), {})
            groups.setdefault(row.group, []).append(line)
    for groups in measured.groups.values():
        base = groups.get("base", [])
        for group, lines in list(groups.items()):
            # A group of which only the base's own setting was measured says nothing.
            if group != "base" and base and all(line.pieces == base[0].pieces for line in lines):
                del groups[group]
    return measured


def _pieces(measured: Measured, settings: Settings, row: AblationRow) -> list[dict[str, Any]]:
    """The seeds of one row that are there; the others are noted as missing."""
    if row.recipe is None:
        measured.missing.append((row.full_name, f"cannot be: {row.problem}"))
        return []
    pieces, absent = [], []
    for seed in range(settings.seeds):
        path = row.path(settings, seed)
        piece = read_piece(path)
        if piece is not None:
            pieces.append(piece)
        else:
            failure = read_failure(path)
            absent.append(f"seed {seed} " + (f"failed: {failure}" if failure else "not run yet"))
    if absent:
        measured.missing.append((row.full_name, "; ".join(absent)))
    return pieces
