#!/usr/bin/env python3
"""What `hl score --draft` saves, and how much of the full ranking it keeps.

    .venv/bin/python scripts/measure_draft.py a.mp4 b.mp4
    .venv/bin/python scripts/measure_draft.py --labels benchmarks/ tvsum/*.mp4

For each file, both in this process with its networks loaded and nothing stored: seconds of CPU,
Kendall's tau between the scores of all seconds, and the share of the full moments' seconds that a
draft takes too when both keep a tenth of the file (chance is about 0.1). With --labels (a folder
as `hl eval tvsum --data` takes it) tau with people of the 2-second shots, of both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from hlcli.document import ScoresDocument
from hlcli.evaluation.benchmarks.benchmark import LabelledVideo
from hlcli.evaluation.benchmarks.resample import clips_to_spans
from hlcli.evaluation.benchmarks.tvsum import load
from hlcli.evaluation.rank_correlation import kendall_tau
from hlcli.moments import Selection
from hlcli.progress import Listener
from hlcli.workflows.export import choose_moments
from hlcli.workflows.score import Pipeline

NAMES = ("full CPU s", "draft CPU s", "tau of the scores", "overlap", "tau full", "tau draft")


def scored(pipeline: Pipeline, path: Path) -> tuple[ScoresDocument, float]:
    """Score a file; returns what came out and the seconds of CPU."""
    begin = time.process_time()
    return pipeline.score(path), time.process_time() - begin


def seconds_of_moments(document: ScoresDocument) -> set[int]:
    """Return the tenths of a second that the best tenth of a file lies on."""
    length = document.video.duration_seconds / 10
    chosen = choose_moments(document, Selection(target_duration_seconds=length), Listener())
    return {
        tenth
        for moment in chosen.moments
        for tenth in range(round(moment.start_seconds * 10), round(moment.end_seconds * 10))
    }


def with_people(document: ScoresDocument, video: LabelledVideo) -> float:
    shots = clips_to_spans(np.asarray(document.scores), video.spans_seconds_N2, clip_seconds=1.0)
    return video.measure(shots, 0)["tau"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args()
    labelled = (
        {video.name: video for video in load(options.labels).videos} if options.labels else {}
    )
    full, draft = (Pipeline(use_cache=False, draft=is_draft) for is_draft in (False, True))
    for pipeline in (full, draft):
        _ = pipeline.scorer  # loaded before anything is measured
    print("| file |", " | ".join(NAMES), "|")
    print("|---|" + "--:|" * len(NAMES), flush=True)
    rows: list[list[float]] = []
    for path in options.files:
        whole, whole_seconds = scored(full, path)
        first, first_seconds = scored(draft, path)
        kept, kept_by_draft = seconds_of_moments(whole), seconds_of_moments(first)
        video = labelled.get(path.stem)
        row = [
            whole_seconds,
            first_seconds,
            kendall_tau(whole.scores, first.scores),
            len(kept & kept_by_draft) / len(kept),
            *([with_people(whole, video), with_people(first, video)] if video else [np.nan] * 2),
        ]
        rows.append(row)
        print(f"| {path.name} |", " | ".join(f"{value:.3f}" for value in row), "|", flush=True)
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    print("| mean |", " | ".join(f"{value:.3f}" for value in means), "|")


if __name__ == "__main__":
    main()
