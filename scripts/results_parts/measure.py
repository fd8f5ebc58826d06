"""Trains one row of the ablations and scores it.

Trained on the part "train", scored on feature-level composites of the part "dev".
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from bench import hardware

from hlcli.errors import HlError, UsageError
from hlcli.evaluation.composite import evaluate_feature_composites, read_manifest
from hlcli.evaluation.report import Row
from hlcli.features.types import VideoFeatures
from hlcli.model.config import FusionConfig
from hlcli.model.detector import count_parameters
from hlcli.model.load import load_scorer
from hlcli.model.rasl import RaslScorer
from hlcli.training.corpus import Corpus, open_corpus
from hlcli.training.loop import LOG_FILE, STATE_FILE
from hlcli.training.recipe import DataConfig
from hlcli.training.run import train_on
from hlcli.training.split import Split, assign_splits
from hlcli.training.split import read_manifest as read_split_rows
from results_parts.rows import AblationRow
from results_parts.settings import Settings, plain

RAW = "activation"
"""The reading of the picture's activation alone; the others are the recipe's own, "v" and "va"."""
CURVE_POINTS = 50
"""Points of a stored loss curve."""
SPLIT: Split = "dev"
"""The part that rows are scored on."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a process needs to train and score, read once."""

    corpus: Corpus
    """Features of the part train."""
    group_of: Mapping[str, str]
    """Group of each of its videos, by name."""
    rows: list[dict[str, object]]
    """The manifest."""
    features_of: dict[int, VideoFeatures]
    """Features of the part dev by row of the manifest."""


def read_material(settings: Settings, *, visual_encoder: str) -> Material:
    """Read the features of both parts from the cache, extracting what is new.

    Raises:
        UsageError: A clip cannot be read; rows with other clips could not be compared.
    """
    manifest = settings.data / "manifest.json"

    def part(split: Split) -> Corpus:
        data = DataConfig(manifest=str(manifest), split=split, visual_encoder=visual_encoder)
        corpus, num_failed = open_corpus(data, device="cpu")
        if num_failed:
            raise UsageError(f"{num_failed} clips of the part {split} could not be read")
        assert isinstance(corpus, Corpus)
        return corpus

    rows = read_manifest(settings.data)
    members = [index for index, split in enumerate(assign_splits(rows)) if split == SPLIT]
    return Material(
        corpus=part("train"),
        group_of={Path(row.file).name: row.group_key for row in read_split_rows(manifest)},
        rows=rows,
        features_of=dict(zip(members, part(SPLIT).videos, strict=True)),
    )


def measure_baselines(settings: Settings, material: Material) -> dict[str, Any]:
    """Score every baseline on the composites that rows are scored on."""
    rows = evaluate_feature_composites(
        {},
        material.rows,
        material.features_of,
        split=SPLIT,
        videos_per_kind=settings.videos_per_kind,
    )
    return {
        "machine": hardware(),
        "kinds": rows[0].kinds,
        "rows": [{"name": r.name, "looks": r.looks, "values": _rounded(r)} for r in rows],
    }


def measure_row(
    settings: Settings, material: Material, row: AblationRow, seed: int
) -> dict[str, Any]:
    """Train one row with one seed and score it; a failure becomes a piece that says so."""
    try:
        return _measure(settings, material, row, seed)
    except HlError as error:
        return {"row": row.full_name, "seed": seed, "error": error.message}


def _measure(settings: Settings, material: Material, row: AblationRow, seed: int) -> dict[str, Any]:
    output = settings.work / "training" / row.path(settings, seed).stem
    recipe = dataclasses.replace(row.seeded(seed), output=str(output))
    corpus = _share_of(material, row.data_share, seed=seed)
    # A run that goes on from where it was stopped is not timed: a part is not the whole.
    is_timed = not (output / STATE_FILE).exists()
    began, began_cpu = time.perf_counter(), time.process_time()
    model = train_on(corpus, recipe, device="cpu")
    train_seconds, train_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    scorer = load_scorer(model)
    scorers = {"own": scorer}
    parameters = None
    if isinstance(scorer, RaslScorer):
        raw = FusionConfig(mode="absolute", weights_v={"picture_rasl": 1.0})
        scorers[RAW] = cast(RaslScorer, scorer.with_fusion(raw))
        parameters = {
            "all": count_parameters(scorer.network),
            "picture": count_parameters(scorer.network, vision_only=True),
        }
    values: dict[str, list[float]] = {}
    for name, one in scorers.items():
        measured = evaluate_feature_composites(
            {name: one},
            material.rows,
            material.features_of,
            split=SPLIT,
            modalities=("v",) if name == RAW else ("v", "va"),
            videos_per_kind=settings.videos_per_kind,
        )
        for found in measured:
            if not found.is_baseline:
                values[RAW if name == RAW else found.looks] = _rounded(found)
    log = output / LOG_FILE
    losses = loss_curves(log.read_text(encoding="utf-8")) if log.exists() else {}
    # The weights are not needed again, and there are many of them.
    shutil.rmtree(output)
    return {
        "row": row.full_name,
        "seed": seed,
        "recipe": plain(recipe) | {"output": ""},
        "num_videos": len(corpus.videos),
        "clips": sum(corpus.clip_counts),
        "train_seconds": round(train_seconds, 2) if is_timed else None,
        "train_cpu_seconds": round(train_cpu, 2) if is_timed else None,
        "jobs": settings.jobs,
        "cores": os.cpu_count(),
        "parameters": parameters,
        "values": values,
        "losses": losses,
    }


def loss_curves(log: str) -> dict[str, list[float]]:
    """Steps and losses of a run, means of up to `CURVE_POINTS` equal stretches."""
    steps = [json.loads(line) for line in log.splitlines()]
    stretches = np.array_split(np.arange(len(steps)), min(CURVE_POINTS, len(steps)))
    names = [name for name in steps[0] if name not in ("learning_rate", "grad_norm")]
    return {
        name: [round(float(np.mean([steps[i][name] for i in stretch])), 6) for stretch in stretches]
        for name in names
    }


def _share_of(material: Material, share: float, *, seed: int) -> Corpus:
    """Keep a share of the groups, drawn by the seed; a larger share holds the smaller one."""
    corpus = material.corpus
    if share == 1:
        return corpus
    groups = sorted({material.group_of[name] for name in corpus.names})
    drawn = np.random.default_rng([seed, 5]).permutation(len(groups))
    kept = {groups[i] for i in drawn[: max(1, round(share * len(groups)))]}
    chosen = [i for i, name in enumerate(corpus.names) if material.group_of[name] in kept]
    return Corpus(
        spec=corpus.spec,
        names=tuple(corpus.names[i] for i in chosen),
        videos=tuple(corpus.videos[i] for i in chosen),
    )


def _rounded(row: Row) -> list[float]:
    return [round(float(value), 5) for value in row.values]
