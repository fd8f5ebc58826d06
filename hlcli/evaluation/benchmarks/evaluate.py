"""`hl eval` on a public benchmark: which videos, which candidates, one report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlcli.evaluation.benchmarks.candidates import clock_candidates, stored_candidates
from hlcli.evaluation.benchmarks.report import BenchmarkReport
from hlcli.evaluation.benchmarks.run import evaluate_benchmark
from hlcli.evaluation.datasets import load_benchmark
from hlcli.progress import Progress, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """What `hl eval` measures on a public benchmark."""

    dataset: str
    """Name of the benchmark, one of `hlcli.evaluation.datasets.BENCHMARKS`."""
    data: Path | None
    """Folder of labels and stored features."""
    models: tuple[str, ...] = ()
    """Detectors by zoo name."""
    seed: int = 0
    """Fixes random rankings, ties and bootstrap."""


def evaluate_dataset(
    settings: BenchmarkSettings, *, progress: Progress = silent
) -> BenchmarkReport:
    """Read the benchmark and measure every detector and baseline.

    Args:
        settings: What to measure.
        progress: Called with what is done.

    Raises:
        UsageError: The labels are missing or damaged.
    """
    benchmark = load_benchmark(settings.dataset, settings.data)
    candidates = [*stored_candidates(benchmark), *clock_candidates()]
    return evaluate_benchmark(benchmark, candidates, seed=settings.seed, progress=progress)
