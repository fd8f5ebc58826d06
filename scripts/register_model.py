"""Publish a trained detector: copy it into model_zoo/ with its manifest and its golden file.

    python scripts/register_model.py runs/subspace --version 0.1.0 --description "..." \\
        --training-data "..." [--default] [--score composite_map_v=0.80 ...]

The golden file holds the features of the first seconds of the demo video and the scores they give.
"""

from __future__ import annotations

import argparse
import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np

from hlcli.atomic import write_bytes
from hlcli.features.device import resolve_device
from hlcli.features.encoders import load_encoders_of
from hlcli.features.extract import extract_features
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.probe import probe
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.golden import write_golden
from hlcli.model.load import load_scorer
from hlcli.zoo.hashing import file_sha256
from hlcli.zoo.manifest import DetectorKind, ModelManifest, write_manifest

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "docs/demo/big-buck-bunny-excerpt.mp4"
GOLDEN_CLIPS = 24
LICENCE = "MIT, as hl; see the model card for what it was trained on"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="output folder of `hl train`")
    parser.add_argument("--version", required=True)
    parser.add_argument("--description", required=True)
    parser.add_argument("--training-data", required=True)
    parser.add_argument("--default", action="store_true")
    parser.add_argument("--score", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()

    trained = options.run / "model.safetensors"
    checkpoint = Checkpoint.read(trained)
    name = str(checkpoint.recipe["name"])
    weights = ROOT / f"model_zoo/weights/{name}.safetensors"
    write_bytes(weights, trained.read_bytes())

    golden = ROOT / f"model_zoo/weights/{name}.golden.safetensors"
    write_golden(golden, load_scorer(weights), demo_features(checkpoint.feature_spec))
    manifest = ModelManifest(
        name=name,
        kind=cast(DetectorKind, checkpoint.kind),
        version=options.version,
        description=options.description,
        sha256=file_sha256(weights),
        size_bytes=weights.stat().st_size,
        licence=LICENCE,
        source=f"hl train model_zoo/recipes/{name}.toml",
        training_data=options.training_data,
        file=f"weights/{weights.name}",
        golden=f"weights/{golden.name}",
        feature_spec=dataclasses.asdict(checkpoint.feature_spec),
        scores={key: float(value) for key, value in (item.split("=") for item in options.score)},
        default=options.default,
    )
    write_manifest(ROOT / f"model_zoo/{name}.toml", manifest)
    print(f"{name} {options.version}: {manifest.size_bytes:,} bytes, sha256 {manifest.sha256}")


def demo_features(spec: FeatureSpec) -> VideoFeatures:
    info = probe(DEMO)
    encoders = load_encoders_of(spec, resolve_device("cpu"))
    # The first seconds are enough for a proof, and the file stays small.
    features = extract_features(info, encoders=encoders).in_float32()
    rows: dict[str, Any] = {
        name: np.ascontiguousarray(value[:GOLDEN_CLIPS])
        for name in ("visual_TV", "audio_TA", "events_TC", "motion_T", "loudness_T")
        if (value := getattr(features, name)) is not None
    }
    boundaries = features.shot_boundaries_seconds
    return dataclasses.replace(
        features,
        duration_seconds=float(Fraction(GOLDEN_CLIPS)),
        shot_boundaries_seconds=boundaries[boundaries < GOLDEN_CLIPS],
        **rows,
    )


if __name__ == "__main__":
    main()
