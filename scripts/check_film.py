"""How many of a film's best seconds lie where nobody would look for highlights.

    python scripts/check_film.py bbb.mp4 8:00-9:56 [--model rarity --model rasl] [--best 60]

The spans are what must not win, such as credits and titles. Prints a Markdown table of detectors
and of all trivial rows from the same run. The whole Big Buck Bunny of docs/benchmarks/detector.md
lies in moviepy 2.2.1's source archive (moviepy_10_minutes.zip); its credits begin at 8:00.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hlcli.evaluation.baselines import BASELINES, Scores
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.parsing import parse_duration
from hlcli.workflows.score import Pipeline
from hlcli.zoo.manifest import default_model_name


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("spans", nargs="+", metavar="START-END", help="what must not win")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--best", type=int, default=60, help="seconds looked at")
    options = parser.parse_args()

    models = options.model or [default_model_name()]
    pipelines = {name: Pipeline(model_name=name) for name in models}
    info = probe(options.film)
    features = pipelines[models[0]].features(info, content_identity(options.film)).in_float32()
    unwanted = np.zeros(features.num_clips, dtype=bool)
    for span in options.spans:
        start, end = (parse_duration(part, option="START-END") for part in span.split("-"))
        unwanted[int(start) : int(np.ceil(end))] = True

    print(f"{options.film.name}, {features.num_clips} s, of which {unwanted.sum()} must not win\n")
    print(f"| row | looks at | of the {options.best} best seconds, unwanted |")
    print("| --- | --- | ---: |")
    for name, pipeline in pipelines.items():
        for modality in ("v", "va") if features.has_audio else ("v",):
            scores = pipeline.scorer.score(features, modality=modality).raw_T
            show(name, modality, scores.astype(np.float64), unwanted, options.best)
    for baseline in BASELINES:
        scored = baseline.score(features)
        if scored is not None:
            show(baseline.name, baseline.looks, scored, unwanted, options.best)
    expected = options.best * unwanted.mean()
    print(f"| random | none | {expected:.0f} expected |")


def show(name: str, looks: str, scores_T: Scores, unwanted_T: np.ndarray, most: int) -> None:
    best = np.argsort(-scores_T, kind="stable")[:most]
    print(f"| {name} | {looks} | {unwanted_T[best].sum()} |")


if __name__ == "__main__":
    main()
