"""`hl eval` on a public benchmark: which videos, which candidates, one report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hlcli.evaluation.benchmarks.benchmark import Benchmark
from hlcli.evaluation.benchmarks.candidates import clock_candidates, stored_candidates
from hlcli.evaluation.benchmarks.chance import chance_levels
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
    videos: Path | None = None
    """Folder of the benchmark's video files; None measures what is stored in `data`."""
    models: tuple[str, ...] = ()
    """Detectors by zoo name; none means the default model on files, and none on stored features."""
    num_seeds: int = 5
    """How often a network is trained anew on stored features."""
    device: str = "auto"
    """Where the networks run."""
    seed: int = 0
    """Fixes random rankings, ties and bootstrap."""
    trust: bool = False
    """Whether to find out how far luck alone goes."""


def evaluate_dataset(
    settings: BenchmarkSettings, *, progress: Progress = silent
) -> BenchmarkReport:
    """Read the benchmark and measure every detector and baseline.

    Args:
        settings: What to measure.
        progress: Called with what is done.

    Raises:
        UsageError: The labels are missing or damaged, or no file belongs to them.
        ModelError: A detector cannot be loaded, or does not say how it was made.
        TrainingError: The stored features cannot be learned from.
        DeviceError: The device is not there or out of memory.
    """
    benchmark = load_benchmark(settings.dataset, settings.data)
    if settings.videos is not None:
        report = _of_files(benchmark, settings.videos, settings, progress)
    else:
        report = _of_stored_features(benchmark, settings, progress)
    if not settings.trust:
        return report
    return replace(
        report, chance=chance_levels(report.benchmark, seed=settings.seed, progress=progress)
    )


def _of_stored_features(
    benchmark: Benchmark, settings: BenchmarkSettings, progress: Progress
) -> BenchmarkReport:
    candidates = [*stored_candidates(benchmark), *clock_candidates()]
    if settings.models:
        from hlcli.evaluation.benchmarks.refit import refitted_candidates

        detectors = refitted_candidates(
            benchmark,
            settings.models,
            num_seeds=settings.num_seeds,
            device=settings.device,
            progress=progress,
        )
        candidates = [*detectors, *candidates]
    return evaluate_benchmark(benchmark, candidates, seed=settings.seed, progress=progress)


def _of_files(
    benchmark: Benchmark, folder: Path, settings: BenchmarkSettings, progress: Progress
) -> BenchmarkReport:
    from hlcli.evaluation.benchmarks.videos import score_files

    scored = score_files(
        benchmark,
        folder,
        models=settings.models or (None,),
        device=settings.device,
        progress=progress,
    )
    return evaluate_benchmark(
        scored.benchmark,
        [*scored.candidates, *clock_candidates()],
        seed=settings.seed,
        missing=scored.missing,
        remarks=scored.remarks,
        progress=progress,
    )
