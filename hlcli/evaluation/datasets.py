"""Which datasets `hl eval` knows.

A public benchmark is a name and a module of `hlcli.evaluation.benchmarks` that offers
`load(data: Path) -> Benchmark`; it is imported when it is asked for. `composite` makes its videos.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from hlcli.errors import UsageError
from hlcli.evaluation.benchmarks.benchmark import Benchmark

BENCHMARKS: dict[str, str] = {
    "tvsum": "hlcli.evaluation.benchmarks.tvsum",
    "summe": "hlcli.evaluation.benchmarks.summe",
    "youtube-highlights": "hlcli.evaluation.benchmarks.youtube",
    "qvhighlights": "hlcli.evaluation.benchmarks.qvhighlights",
}
"""Name as `hl eval` takes it, and the module that loads it."""
AVAILABLE = (*BENCHMARKS, "composite")
"""Names that `hl eval` takes."""


def check_dataset(name: str) -> None:
    """Do nothing when `hl eval` can run the dataset.

    Raises:
        UsageError: It cannot.
    """
    if name not in AVAILABLE:
        raise UsageError(f"unknown dataset {name!r}", hint=f"available: {', '.join(AVAILABLE)}")


def load_benchmark(name: str, data: Path | None) -> Benchmark:
    """Read the labels and stored features of a public benchmark.

    Args:
        name: One of `BENCHMARKS`.
        data: Folder laid out as docs/reference/eval.md says.

    Raises:
        UsageError: No folder was given, it does not exist, or it lacks or spoils the labels.
    """
    if data is None:
        raise UsageError(f"{name} needs its labels", hint="name their folder with --data FOLDER")
    if not data.is_dir():
        raise UsageError(f"there is no folder {data}", hint="correct --data")
    benchmark: Benchmark = importlib.import_module(BENCHMARKS[name]).load(data)
    return benchmark
