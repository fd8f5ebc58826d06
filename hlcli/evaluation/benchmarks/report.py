"""What a benchmark run found: figures with intervals, by part and stratum, and who beats whom.

Axes: M videos of the benchmark, R runs (seeds) of a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64
from hlcli.evaluation.benchmarks.chance import ChanceLevel
from hlcli.evaluation.bootstrap import Interval, bootstrap_over_strata, stratum_weights
from hlcli.evaluation.report import MAY_USE, NOT_TRIVIAL, Comparison

HUMAN = "human"
"""Name of the row of the annotators themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRow:
    """One detector or baseline on all videos, in the order of the benchmark."""

    name: str
    """Name of the detector or baseline."""
    looks: str
    """What it looks at: "none", "v", "a", "va", or "labels" for the oracle."""
    is_baseline: bool
    """False for a detector."""
    note: str
    """What the name does not say, in words; why there are no figures where there are none."""
    values: Mapping[str, Float64 | None]
    """Each metric, shape `(M, R)`, NaN for videos without scores; None when nothing is scored."""
    num_runs: int
    """R, seeds or random rankings behind the figures; 0 when nothing is scored."""

    def per_video(self, metric: str) -> Float64 | None:
        """Mean over the runs, shape `(M,)`, NaN for videos without scores; None without any."""
        values = self.values[metric]
        return None if values is None else np.asarray(values.mean(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkReport:
    """The table of one benchmark."""

    benchmark: Benchmark
    """What was measured on."""
    rows: tuple[BenchmarkRow, ...]
    """Detectors first, then baselines."""
    seed: int = 0
    """Fixes the bootstrap draws."""
    missing: tuple[str, ...] = ()
    """Videos of the benchmark that were not there to be scored."""
    remarks: tuple[str, ...] = ()
    """What readers must know about this run, one sentence each."""
    chance: tuple[ChanceLevel, ...] = ()
    """How far rankings that know nothing go; empty when it was not asked for."""

    @property
    def metric(self) -> str:
        """Name of the headline metric."""
        return self.benchmark.metrics[0]

    @property
    def chance_metric(self) -> str:
        """Name of the metric that `chance` is about."""
        return self.benchmark.chance_metric or self.metric

    @property
    def strata(self) -> tuple[str, ...]:
        """Strata of the headline's videos, in order."""
        in_headline = self._in_part(self.benchmark.headline_part)
        return tuple(
            dict.fromkeys(
                video.stratum
                for video, inside in zip(self.benchmark.videos, in_headline, strict=True)
                if inside
            )
        )

    def headline(self, row: BenchmarkRow) -> Interval | None:
        """The headline metric over the headline part; None when the row has no figures."""
        return self.figure(row, self.metric, part=self.benchmark.headline_part)

    def figure(
        self,
        row: BenchmarkRow,
        metric: str,
        *,
        part: str | None = None,
        stratum: str | None = None,
    ) -> Interval | None:
        """Mean of a metric, strata weighing the same, with its interval.

        Args:
            row: Whose figure.
            metric: Name of the metric.
            part: Only videos of this part; None takes all.
            stratum: Only videos of this stratum; None takes all.

        Returns:
            None when the row has no figures for such videos.
        """
        values = row.per_video(metric)
        if values is None:
            return None
        chosen = self._in_part(part) & np.isfinite(values)
        if stratum is not None:
            chosen &= np.array([video.stratum == stratum for video in self.benchmark.videos])
        return self._interval(values, chosen)

    def agreement(self, row: BenchmarkRow) -> float | None:
        """The headline as a share of what people reach among each other, on the same videos.

        None where people were not compared, or do not agree at all.
        """
        people = next((row for row in self.rows if row.name == HUMAN), None)
        theirs = None if people is None else people.per_video(self.metric)
        mine = row.per_video(self.metric)
        if theirs is None or mine is None:
            return None
        compared = self._compared(mine, theirs)
        found, reached = self._interval(mine, compared), self._interval(theirs, compared)
        if found is None or reached is None or reached.mean <= 0:
            return None
        return found.mean / reached.mean

    def run_sd(self, row: BenchmarkRow) -> float | None:
        """Standard deviation of the headline figure over the runs; None below two runs."""
        values = row.values[self.metric]
        if values is None or row.num_runs < 2:
            return None
        chosen = self._in_part(self.benchmark.headline_part) & np.isfinite(values).all(axis=1)
        if not chosen.any():
            return None
        weights = self._weights(chosen)
        return float(np.std(weights @ values[chosen], ddof=1))

    def remark_on(self, row: BenchmarkRow) -> str:
        """The row's note, and how far its runs lie apart, in words."""
        run_sd = self.run_sd(row)
        words = [row.note] if row.note else []
        if run_sd is not None:
            words.append(f"sd {run_sd:.3f} over the runs")
        return "; ".join(words)

    def comparisons(self) -> list[Comparison]:
        """Return each detector beside its best trivial opponent, on the videos both scored."""
        found = []
        for row in self.rows:
            mine = row.per_video(self.metric)
            if row.is_baseline or mine is None:
                continue
            best: tuple[float, str, Float64] | None = None
            for other in self.rows:
                theirs = other.per_video(self.metric)
                if (
                    theirs is None
                    or not other.is_baseline
                    or other.name in NOT_TRIVIAL
                    or other.looks not in MAY_USE[row.looks]
                ):
                    continue
                # Opponents are compared where the detector has scores, which may not be all.
                interval = self._interval(theirs, self._compared(mine, theirs))
                if interval is not None and (best is None or interval.mean > best[0]):
                    best = interval.mean, other.name, theirs
            if best is None:
                continue
            difference = self._interval(mine - best[2], self._compared(mine, best[2]))
            if difference is not None:
                found.append(
                    Comparison(
                        detector=row.name,
                        looks=row.looks,
                        baseline=best[1],
                        difference=difference,
                    )
                )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the report as `hl eval --json` prints it."""
        chance = {
            "metric": self.chance_metric,
            "seed": self.seed,
            "sets": [one.to_json() for one in self.chance],
            "sentences": [one.sentence(self.chance_metric) for one in self.chance],
        }
        return {
            "dataset": self.benchmark.name,
            "protocol": self.benchmark.protocol,
            "headline": {"metric": self.metric, "part": self.benchmark.headline_part or "all"},
            "rows": [self._row_json(row) for row in self.rows],
            "comparisons": [comparison.to_json() for comparison in self.comparisons()],
            "missing": list(self.missing),
            "remarks": list(self.remarks),
            **({"trust": chance} if self.chance else {}),
        }

    def _row_json(self, row: BenchmarkRow) -> dict[str, Any]:
        benchmark = self.benchmark
        headline_part = benchmark.headline_part
        headline = self.headline(row)
        run_sd, agreement = self.run_sd(row), self.agreement(row)
        return {
            "name": row.name,
            self.metric: None if headline is None else round(headline.mean, 4),
            "ci95": None if headline is None else _ends(headline),
            "n": 0 if headline is None else headline.n,
            "share_of_human": None if agreement is None else round(agreement, 4),
            "modality": row.looks,
            "baseline": row.is_baseline,
            "note": row.note,
            "runs": row.num_runs,
            "run_sd": None if run_sd is None else round(run_sd, 4),
            "metrics": {
                metric: _figure_json(self.figure(row, metric, part=headline_part))
                for metric in benchmark.metrics
            },
            "strata": {
                stratum: _figure_json(
                    self.figure(row, self.metric, part=headline_part, stratum=stratum)
                )
                for stratum in self.strata
            },
            "parts": {
                part: {
                    metric: _figure_json(self.figure(row, metric, part=part))
                    for metric in benchmark.metrics
                }
                for part in benchmark.other_parts
            },
        }

    def _compared(self, mine: Float64, theirs: Float64) -> npt.NDArray[np.bool_]:
        in_headline = self._in_part(self.benchmark.headline_part)
        return np.asarray(in_headline & np.isfinite(mine) & np.isfinite(theirs))

    def _in_part(self, part: str | None) -> npt.NDArray[np.bool_]:
        return np.array([part is None or part in video.parts for video in self.benchmark.videos])

    def _weights(self, chosen: npt.NDArray[np.bool_]) -> Float64:
        strata = [
            video.stratum
            for video, inside in zip(self.benchmark.videos, chosen, strict=True)
            if inside
        ]
        return stratum_weights(strata)

    def _interval(self, values: Float64, chosen: npt.NDArray[np.bool_]) -> Interval | None:
        if not chosen.any():
            return None
        videos = [self.benchmark.videos[index] for index in np.flatnonzero(chosen)]
        return bootstrap_over_strata(
            values[chosen],
            strata=[video.stratum for video in videos],
            # Several entries may be about one video, such as queries: they are drawn together.
            videos=[video.name for video in videos],
            seed=self.seed,
        )


def _figure_json(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    return {"value": round(interval.mean, 4), "ci95": _ends(interval), "n": interval.n}


def _ends(interval: Interval) -> list[float]:
    return [round(interval.low, 4), round(interval.high, 4)]
