"""Measure ways to read a score out of trained detectors, on feature-level composites.

For choosing, on the dev part; published figures come from `hl eval composite` on real files.

    python scripts/compare_fusions.py --data clips/ \\
        runs/subspace:picture_knn=1 runs/subspace:picture_knn=1,loudness=0.2

Prints a Markdown table: average precision x 100 per kind, the mean over the four headline kinds,
and the mean over highlight shares of 10, 20, 35 and 50 %. Baselines stand below. Runs may differ
in their image encoder: each is given the features it was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hlcli.evaluation.composite import evaluate_feature_composites, read_manifest
from hlcli.evaluation.composite_plan import HEADLINE_KINDS, KINDS
from hlcli.evaluation.report import Row
from hlcli.features.types import VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.config import SOUND_TERMS, FusionConfig
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import load_scorer
from hlcli.model.scorer import Modality
from hlcli.training.corpus import load_corpus
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
    groups: dict[tuple[str, Modality], dict[str, FusedScorer]] = {}
    for text in options.fusion:
        run, _, terms = text.partition(":")
        weights = {name: float(value) for name, value in (t.split("=") for t in terms.split(","))}
        modality: Modality = "va" if set(weights) & set(SOUND_TERMS) else "v"
        # Only the tables that are used matter; the others keep valid defaults.
        fusion = FusionConfig(mode="absolute", **{f"weights_{modality}": weights})
        weights_file = Path(run) / "model.safetensors"
        group = groups.setdefault((encoder_of(weights_file), modality), {})
        name = f"{Path(run).name}: {terms.replace(',', ', ')}"
        group[name] = load_scorer(weights_file).with_fusion(fusion)
    print(f"| {options.split} | {' | '.join(KINDS)} | mean of 4 | mean of shares |")
    print("| --- |" + " ---: |" * (len(KINDS) + 2))
    baselines: dict[str, list[Row]] = {}
    features: dict[str, dict[int, VideoFeatures]] = {}
    for (encoder, modality), scorers in groups.items():
        if encoder not in features:
            features[encoder] = part_features(options.data, rows, options.split, encoder)
        measured = evaluate_feature_composites(
            scorers,
            rows,
            features[encoder],
            split=options.split,
            modalities=(modality,),
            videos_per_kind=options.videos_per_kind,
            seed=options.seed,
        )
        baselines[encoder] = [row for row in measured if row.is_baseline]
        for row in measured:
            if not row.is_baseline:
                print(line(row))
    for encoder, measured in baselines.items():
        for row in measured:
            suffix = f" ({encoder})" if len(baselines) > 1 else ""
            print(line(row, suffix))


def encoder_of(weights: Path) -> str:
    return Checkpoint.read(weights).feature_spec.visual_encoder


def part_features(
    data: Path, rows: list[dict[str, object]], split: str, encoder: str
) -> dict[int, VideoFeatures]:
    members = [index for index, part in enumerate(assign_splits(rows)) if part == split]
    files = [data / str(rows[index]["file"]) for index in members]
    corpus = load_corpus(files, visual_encoder=encoder)
    if len(corpus.videos) != len(files):
        raise SystemExit(f"{len(files) - len(corpus.videos)} of the clips could not be read")
    return dict(zip(members, corpus.videos, strict=True))


def line(row: Row, suffix: str = "") -> str:
    values: dict[str, list[float]] = {}
    for kind, value in zip(row.kinds, row.values, strict=True):
        values.setdefault(kind, []).append(100 * value)
    mean = {kind: float(np.mean(each)) for kind, each in values.items()}
    columns = [mean[kind] for kind in KINDS]
    columns += [float(np.mean([mean[k] for k in group])) for group in (HEADLINE_KINDS, SHARES)]
    return f"| {row.name}{suffix} | " + " | ".join(f"{value:.1f}" for value in columns) + " |"


if __name__ == "__main__":
    main()
