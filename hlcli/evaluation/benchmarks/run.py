"""Measures every candidate on every video of a benchmark, in one run.

Axes: N units of a video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo
from hlcli.evaluation.benchmarks.candidates import Candidate
from hlcli.evaluation.benchmarks.report import HUMAN, BenchmarkReport, BenchmarkRow
from hlcli.progress import Progress, silent

MOST_RANDOM_RUNS = 100
"""Random rankings of each video behind the row `random`, on a benchmark of up to 100 videos."""
_RANDOM_RANKINGS = 10_000
_SEED_STRIDE = 1_000_003


def evaluate_benchmark(
    benchmark: Benchmark,
    candidates: Sequence[Candidate],
    *,
    seed: int = 0,
    missing: Sequence[str] = (),
    remarks: Sequence[str] = (),
    progress: Progress = silent,
) -> BenchmarkReport:
    """Measure the candidates and `random` on all videos.

    A baseline that no video can compute keeps its row, without figures; where it lacks its input
    in some videos it ranks those at random, and the row says in how many. A detector's row holds
    the videos it scored.

    Args:
        benchmark: Videos and their measure.
        candidates: Detectors first, then baselines; `random` is added.
        seed: Fixes random rankings, the order among equal scores, and the bootstrap.
        missing: Names of the benchmark's videos that are not in `benchmark`, for the report.
        remarks: What readers must know about this run, for the report.
        progress: Called with the number of videos measured.

    Raises:
        UsageError: The benchmark has no video.
    """
    if not benchmark.videos:
        raise UsageError(f"{benchmark.name} has no labelled video", hint="check --data")
    rows = []
    everyone = [*candidates, _random(len(benchmark.videos), seed)]
    for done, candidate in enumerate(everyone):
        progress("measuring", done, len(everyone))
        rows.append(_measure(benchmark, candidate, seed))
    rows += _humans(benchmark)
    progress("measuring", len(everyone), len(everyone))
    return BenchmarkReport(
        benchmark=benchmark,
        rows=tuple(rows),
        seed=seed,
        missing=tuple(missing),
        remarks=tuple(remarks),
    )


def _humans(benchmark: Benchmark) -> list[BenchmarkRow]:
    """Return the row `human`, where the annotators were measured against each other."""
    if all(video.human is None for video in benchmark.videos):
        return []
    values = {
        metric: np.array(
            [[np.nan if video.human is None else video.human[metric]] for video in benchmark.videos]
        )
        for metric in benchmark.metrics
    }
    return [
        BenchmarkRow(
            name=HUMAN,
            looks="labels",
            is_baseline=True,
            note="each annotator against the others, averaged",
            values=values,
            num_runs=1,
        )
    ]


def video_seed(seed: int, index: int) -> int:
    """Seed of the ties of one video, different for each."""
    return seed * _SEED_STRIDE + index


def _random(num_videos: int, seed: int) -> Candidate:
    runs = int(np.clip(_RANDOM_RANKINGS // num_videos, 5, MOST_RANDOM_RUNS))
    generator = np.random.default_rng([seed, 7])

    def rank(video: LabelledVideo) -> Sequence[Float64]:
        return list(generator.random((runs, video.num_units)))

    return Candidate(name="random", looks="none", note=f"mean of {runs} rankings", rank=rank)


def _measure(benchmark: Benchmark, candidate: Candidate, seed: int) -> BenchmarkRow:
    measured: list[Sequence[Mapping[str, float]] | None] = []
    for index, video in enumerate(benchmark.videos):
        runs = candidate.rank(video)
        if runs is None:
            measured.append(None)
            continue
        measured.append([video.measure(scores_N, video_seed(seed, index)) for scores_N in runs])
    lacking = sum(one is None for one in measured)
    note = candidate.note
    if lacking and lacking < len(measured):
        if candidate.is_baseline:
            measured = [
                [video.measure(np.zeros(video.num_units), video_seed(seed, index))]
                if one is None
                else one
                for index, (video, one) in enumerate(zip(benchmark.videos, measured, strict=True))
            ]
            words = f"{lacking} videos lack what it looks at and are ranked at random"
        else:
            words = f"{lacking} videos are not scored"
        note = f"{note}; {words}" if note else words
    num_runs = max((len(one) for one in measured if one), default=0)
    values = {}
    for metric in benchmark.metrics:
        values[metric] = np.array(
            [
                np.full(num_runs, np.nan)
                # A constant ranking in place of a missing one stands for every run.
                if one is None
                else np.resize([figures[metric] for figures in one], num_runs)
                for one in measured
            ]
        )
    return BenchmarkRow(
        name=candidate.name,
        looks=candidate.looks,
        is_baseline=candidate.is_baseline,
        note=note,
        values={name: array if num_runs else None for name, array in values.items()},
        num_runs=num_runs,
    )
