"""What an evaluation found: rows, intervals, and who beats whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlcli.evaluation.bootstrap import Interval, bootstrap_interval, paired_difference

NOT_TRIVIAL = frozenset({"random", "oracle"})
"""Baseline rows that are bounds, not opponents."""
MAY_USE = {"v": {"none", "v"}, "a": {"none", "a"}, "va": {"none", "v", "a", "va"}}
"""What the trivial opponents of a detector may look at, by what it looks at itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One detector or baseline, measured on every video in the same order as all other rows."""

    name: str
    """Name of the detector or baseline."""
    looks: str
    """What it looks at: "none", "v", "a", "va", or "labels" for the oracle."""
    is_baseline: bool
    """False for a detector."""
    kinds: tuple[str, ...]
    """Kind of each video, N entries."""
    values: tuple[float, ...]
    """The metric of each video, in [0, 1], N entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A detector beside the best trivial baseline that looks at no more than it does."""

    detector: str
    """Name of the detector's row."""
    looks: str
    """What the detector looks at."""
    baseline: str
    """Name of the baseline with the highest headline mean, picked on these very videos."""
    difference: Interval
    """Detector minus baseline over the headline kinds, paired by video."""

    @property
    def verdict(self) -> str:
        """Who wins: "detector", "baseline", or "open" when the interval holds zero."""
        if self.difference.low > 0:
            return "detector"
        return "baseline" if self.difference.high < 0 else "open"

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as `hl eval --json` prints it."""
        return {
            "name": self.detector,
            "modality": self.looks,
            "best_trivial": self.baseline,
            "difference": round(self.difference.mean, 4),
            "ci95": [round(self.difference.low, 4), round(self.difference.high, 4)],
            "wins": self.verdict,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The table of one evaluation."""

    dataset: str
    """Name of the dataset as `hl eval` takes it."""
    protocol: str
    """How the figures were made, in a sentence or two."""
    rows: tuple[Row, ...]
    """Detectors first, then baselines."""
    headline_kinds: tuple[str, ...]
    """Kinds whose mean is the headline; those without videos are ignored."""
    seed: int = 0
    """Fixes the bootstrap draws."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds in the rows, in order."""
        return tuple(dict.fromkeys(self.rows[0].kinds)) if self.rows else ()

    def headline(self, row: Row) -> Interval:
        """Mean over the headline kinds, each weighing the same, with its interval."""
        index = self._headline_index(row)
        return bootstrap_interval(
            np.array(row.values)[index],
            strata=[row.kinds[i] for i in index],
            seed=self.seed,
        )

    def of_kind(self, row: Row, kind: str) -> Interval:
        """Mean over the videos of one kind, with its interval."""
        values = [v for v, k in zip(row.values, row.kinds, strict=True) if k == kind]
        return bootstrap_interval(values, seed=self.seed)

    def comparisons(self) -> list[Comparison]:
        """Return each detector beside its best trivial opponent."""
        found = []
        for row in self.rows:
            if row.is_baseline:
                continue
            opponents = [
                other
                for other in self.rows
                if other.is_baseline
                and other.name not in NOT_TRIVIAL
                and other.looks in MAY_USE[row.looks]
            ]
            if opponents:
                best = max(opponents, key=lambda other: self.headline(other).mean)
                found.append(
                    Comparison(
                        detector=row.name,
                        looks=row.looks,
                        baseline=best.name,
                        difference=self.difference(row, best),
                    )
                )
        return found

    def difference(self, first: Row, second: Row) -> Interval:
        """Headline of `first` minus that of `second`, paired by video."""
        index = self._headline_index(first)
        return paired_difference(
            np.array(first.values)[index],
            np.array(second.values)[index],
            strata=[first.kinds[i] for i in index],
            seed=self.seed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the report as `hl eval --json` prints it; figures in [0, 1]."""
        return {
            "dataset": self.dataset,
            "protocol": self.protocol,
            "headline_kinds": [kind for kind in self.kinds if kind in self.headline_kinds],
            "rows": [self._row_json(row) for row in self.rows],
            "comparisons": [comparison.to_json() for comparison in self.comparisons()],
        }

    def _row_json(self, row: Row) -> dict[str, Any]:
        return {
            "name": row.name,
            "modality": row.looks,
            "baseline": row.is_baseline,
            **_figures(self.headline(row)),
            "kinds": {kind: _figures(self.of_kind(row, kind)) for kind in self.kinds},
        }

    def _headline_index(self, row: Row) -> Sequence[int]:
        index = [i for i, kind in enumerate(row.kinds) if kind in self.headline_kinds]
        # With none of the headline kinds asked for, the mean is over what there is.
        return index or range(len(row.kinds))


def _figures(interval: Interval) -> dict[str, Any]:
    return {
        "map": round(interval.mean, 4),
        "ci95": [round(interval.low, 4), round(interval.high, 4)],
        "n": interval.n,
    }
