"""AP on unseen groups before and after a network went on training on a project's footage.

Two parents: the bundled one, which was trained on these very train groups among others, and one
trained here on everything but the project's labels, as the bundled one stands to your footage. That
one is trained, and goes on, with the planted loss alone: half of the cost, and nearly as good
(docs/benchmarks/detector.md).
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from finetune_parts.footage import TRAIN_FILES, File, Material, project
from finetune_parts.taste import projects
from hlcli.evaluation.bootstrap import bootstrap_interval
from hlcli.evaluation.composite import compose_features
from hlcli.evaluation.composite_plan import HEADLINE_KINDS, plan_composites
from hlcli.evaluation.metrics import average_precision
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.fusion import FusedScorer
from hlcli.model.load import load_scorer
from hlcli.model.rasl import RaslScorer
from hlcli.training.corpus import Corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.recipe import ObjectiveConfig, RaslRecipe, parse_recipe
from hlcli.training.run import train_on
from hlcli.tuning.adapt import AdaptSettings, adapt

AVERAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDES = ("v", "va")
OWN_KINDS = ("rare", "action")
OWN_PER_KIND, GENERAL_PER_KIND = 12, 6
BLIND_STEPS = 120
PLANTED_ALONE = ObjectiveConfig(
    reconstruction=0.0, budget=0.0, masked=0.0, scl=0.0, kpoint=0.0, planted=1.0
)
Case = tuple[VideoFeatures, npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class Setting:
    """What is tried."""

    parent: str
    """"bundled" or "blind"."""
    objective: str
    """"all" or "planted"; a blind parent has the latter."""
    project: int
    learning_rate: float
    steps: int
    seed: int = 0


SETTINGS = (
    Setting("bundled", "all", 3, 1e-4, 30),
    *(Setting("blind", "planted", number, rate, 40) for rate in (1e-4, 1e-3) for number in (1, 3)),
)
"""What was tried; a step takes about 2 s of a busy core with all losses, 1 s with one."""


@dataclass(frozen=True)
class Adapted:
    """One model on one group of composites."""

    parent: str
    objective: str
    project: int
    learning_rate: float
    steps: int
    seed: int
    average: float
    recalibrated: bool
    """Whether terms were standardised anew on the footage, as `hl finetune` does."""
    side: str
    where: str
    """"own": unseen groups of the project's labels; "general": unseen groups of all labels."""
    aps: tuple[float, ...]
    """AP of each composite."""


def measure_unlabelled(
    material: Material, weights: Path, settings: Sequence[Setting], *, work: Path
) -> Iterator[Adapted]:
    """Adapt with each setting and measure at every average.

    Args:
        material: Clips and features.
        weights: The bundled model.
        settings: What to try.
        work: Keeps the parents trained here.
    """
    checkpoint = Checkpoint.read(weights)
    general = _cases(material, HEADLINE_KINDS, GENERAL_PER_KIND, labels=None)
    for setting in settings:
        labels = projects(material.labels)[setting.project]
        path = weights
        if setting.parent == "blind":
            path = blind_parent(material, labels, checkpoint, work / f"blind-{setting.project}")
        recipe = Checkpoint.read(path).recipe
        if setting.objective == "planted":
            recipe = {**recipe, "objective": dataclasses.asdict(PLANTED_ALONE)}
        parent = load_scorer(path)
        footage = corpus_of(
            project(material, labels, "train", num_files=TRAIN_FILES, seed=setting.seed),
            checkpoint.feature_spec,
        )
        trained = parse_recipe(recipe)
        sequences = SequenceSampler(footage, trained.data, seed=setting.seed).calibration()
        cases = {
            "own": _cases(material, OWN_KINDS, OWN_PER_KIND, labels=labels),
            "general": general,
        }
        with tempfile.TemporaryDirectory() as folder:
            for average in AVERAGES:
                # The state in the folder is the same for all: it is trained once.
                scorer = adapt(
                    parent,
                    footage,
                    settings=AdaptSettings(
                        steps=setting.steps,
                        learning_rate=setting.learning_rate,
                        average=average,
                        seed=setting.seed,
                    ),
                    device=torch.device("cpu"),
                    work=Path(folder),
                    recipe=recipe,
                )
                for recalibrated in (False, True):
                    if recalibrated:
                        scorer.calibrate(sequences)
                    for side in SIDES:
                        for where, some in cases.items():
                            yield Adapted(
                                **dataclasses.asdict(setting),
                                average=average,
                                recalibrated=recalibrated,
                                side=side,
                                where=where,
                                aps=tuple(_ap(scorer, case, side) for case in some),
                            )


def blind_parent(
    material: Material, labels: Sequence[str], bundled: Checkpoint, folder: Path
) -> Path:
    """Train as the bundled model was, shorter and with one loss, on the clips of other labels."""
    recipe = parse_recipe(bundled.recipe)
    assert isinstance(recipe, RaslRecipe)
    training = dataclasses.replace(recipe.training, steps=BLIND_STEPS)
    recipe = dataclasses.replace(
        recipe, output=str(folder), objective=PLANTED_ALONE, training=training
    )
    clips = [clip for clip in material.clips["train"] if clip.label not in labels]
    corpus = Corpus(
        spec=bundled.feature_spec,
        names=tuple(str(clip.index) for clip in clips),
        videos=tuple(material.features_of[clip.index] for clip in clips),
    )
    # A finished run is not trained again.
    return train_on(corpus, recipe)


def corpus_of(files: Sequence[File], spec: FeatureSpec) -> Corpus:
    """The files of a project as `hl finetune` sees them."""
    return Corpus(
        spec=spec,
        names=tuple(f"file {number}" for number in range(len(files))),
        videos=tuple(file.features for file in files),
    )


def _cases(
    material: Material, kinds: Sequence[str], per_kind: int, *, labels: Sequence[str] | None
) -> list[Case]:
    clips = [c for c in material.clips["test"] if labels is None or c.label in labels]
    return [
        compose_features(plan, dict(material.features_of))
        for kind in kinds
        for plan in plan_composites(clips, kind=kind, num_videos=per_kind, seed=0)
    ]


def _ap(scorer: FusedScorer, case: Case, side: Any) -> float:
    features, positive_T = case
    assert isinstance(scorer, RaslScorer)
    raw = scorer.raw_scores(features, (side,))[side]
    return average_precision(positive_T, raw, seed=0)


def unlabelled_lines(found: Sequence[Adapted]) -> list[str]:
    """The table: one row for each parent, setting, group of composites and calibration."""
    rows: dict[tuple[Any, ...], dict[float, list[tuple[int, tuple[float, ...]]]]] = {}
    for one in found:
        setting = (one.parent, one.objective, one.learning_rate, one.steps, one.where, one.side)
        cells = rows.setdefault((*setting, one.recalibrated), {})
        cells.setdefault(one.average, []).append((one.project, one.aps))
    shares = " | ".join(f"{share:g}" for share in AVERAGES)
    lines = [
        f"| parent | losses | rate | steps | composites | looks at | terms | {shares} "
        "| 0.25 minus untuned | 0.5 minus untuned |",
        "| --- | --- | ---: | ---: | --- | --- | --- |" + " ---: |" * (len(AVERAGES) + 2),
    ]
    for key, cells in rows.items():
        parent, objective, rate, steps, where, side, recalibrated = key
        # What is tuned is compared with what nobody touched, calibration included.
        untouched = (*key[:-1], False)
        untuned = rows[untouched][0.0]
        means = [
            _percent(float(np.mean([ap for _, aps in cells[a] for ap in aps]))) for a in AVERAGES
        ]
        changes = [_change(cells[a], untuned) for a in (0.25, 0.5)]
        terms = "of the footage" if recalibrated else "of the parent"
        head = [parent, objective, f"{rate:g}", f"{steps}", where, side, terms]
        lines.append("| " + " | ".join([*head, *means, *changes]) + " |")
    lines += [
        "",
        f"Projects: 1 for bundled, 2 for blind; one seed. {OWN_PER_KIND} composites of each of "
        f"{', '.join(OWN_KINDS)} a project, {GENERAL_PER_KIND} of each general kind.",
    ]
    return lines


def _change(
    tuned: Sequence[tuple[int, tuple[float, ...]]], untuned: Sequence[tuple[int, tuple[float, ...]]]
) -> str:
    """Mean difference with its interval; composites are drawn, within their project."""
    change, strata = [], []
    for (number, after), (other, before) in zip(tuned, untuned, strict=True):
        assert number == other
        change += [a - b for a, b in zip(after, before, strict=True)]
        strata += [number] * len(after)
    found = bootstrap_interval(change, strata=strata)
    return f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
