"""Measure ways to read a score out of trained detectors, on feature-level composites.

For choosing, on the dev part; published figures come from `hl eval composite` on real files.

    python scripts/compare_fusions.py --data clips/ \\
        runs/subspace:picture_knn=1 runs/subspace:picture_knn=1,loudness=0.2

Prints a Markdown table: average precision x 100 per kind, the mean over the four headline kinds,
and the mean over highlight shares of 10, 20, 35 and 50 %. Baselines stand below.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hlcli.evaluation.composite import evaluate_feature_composites, read_manifest
from hlcli.evaluation.plan import HEADLINE_KINDS, KINDS
from hlcli.evaluation.report import Row
from hlcli.features.types import VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.model.config import SOUND_TERMS, FusionConfig
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import load_scorer
from hlcli.model.scorer import Modality
from hlcli.pipeline import Pipeline
from hlcli.training.split import assign_splits

SHARES = ("action-10", "action", "action-35", "action-50")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--videos-per-kind", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("fusion", nargs="+", metavar="RUN:TERM=WEIGHT,...")
    options = parser.parse_args()

    rows = read_manifest(options.data)
    features_of = part_features(options.data, rows, options.split)
    by_modality: dict[Modality, dict[str, FusedScorer]] = {"v": {}, "va": {}}
    for text in options.fusion:
        run, _, terms = text.partition(":")
        weights = {name: float(value) for name, value in (t.split("=") for t in terms.split(","))}
        modality: Modality = "va" if set(weights) & set(SOUND_TERMS) else "v"
        # Only the tables that are used matter; the others keep valid defaults.
        fusion = FusionConfig(mode="absolute", **{f"weights_{modality}": weights})
        scorer = load_scorer(Path(run) / "model.safetensors")
        by_modality[modality][f"{Path(run).name}: {terms.replace(',', ', ')}"] = scorer.with_fusion(
            fusion
        )
    print(f"| {options.split} | {' | '.join(KINDS)} | mean of 4 | mean of shares |")
    print("| --- |" + " ---: |" * (len(KINDS) + 2))
    baselines: list[Row] = []
    for modality, scorers in by_modality.items():
        measured = evaluate_feature_composites(
            scorers,
            rows,
            features_of,
            split=options.split,
            modalities=(modality,),
            videos_per_kind=options.videos_per_kind,
            seed=options.seed,
        )
        baselines = [row for row in measured if row.is_baseline]
        for row in measured:
            if not row.is_baseline:
                print(line(row))
    for row in baselines:
        print(line(row))


def part_features(
    data: Path, rows: list[dict[str, object]], split: str
) -> dict[int, VideoFeatures]:
    pipeline = Pipeline()
    found = {}
    for index, part in enumerate(assign_splits(rows)):
        if part == split:
            path = data / str(rows[index]["file"])
            found[index] = pipeline.features(probe(path), content_identity(path)).in_float32()
    return found


def line(row: Row) -> str:
    values: dict[str, list[float]] = {}
    for kind, value in zip(row.kinds, row.values, strict=True):
        values.setdefault(kind, []).append(100 * value)
    mean = {kind: float(np.mean(each)) for kind, each in values.items()}
    columns = [mean[kind] for kind in KINDS]
    columns += [float(np.mean([mean[k] for k in group])) for group in (HEADLINE_KINDS, SHARES)]
    return f"| {row.name} | " + " | ".join(f"{value:.1f}" for value in columns) + " |"


if __name__ == "__main__":
    main()
