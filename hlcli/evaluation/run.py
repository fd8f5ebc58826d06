"""`hl eval composite`: the real files through the real pipeline, measured beside the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError
from hlcli.evaluation.composite import (
    Case,
    evaluate_feature_composites,
    measure,
    plan_part,
    read_manifest,
)
from hlcli.evaluation.composite_plan import HEADLINE_KINDS, KINDS
from hlcli.evaluation.footage import CompositeFile, build_files
from hlcli.evaluation.report import Report
from hlcli.features.types import VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.model.scorer import Modality
from hlcli.progress import Progress, silent
from hlcli.training.split import PARTS, assign_splits
from hlcli.workflows.score import Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeSettings:
    """What `hl eval composite` measures."""

    data: Path
    """Folder of labelled short clips with `manifest.json`."""
    work: Path
    """Folder for the composite files; they are made once and taken again."""
    models: tuple[str | None, ...] = (None,)
    """Detectors by zoo name; None is the default model."""
    split: str = "test"
    """Part of the groups whose clips are used: "train", "dev" or "test"."""
    kinds: tuple[str, ...] = KINDS
    """Kinds of composite to make."""
    videos_per_kind: int = 20
    """Composites of each kind, at least 2."""
    seed: int = 0
    """Fixes the composites, random rankings and bootstrap."""
    device: str = "auto"
    """Where the networks run."""
    features_only: bool = False
    """Join stored features instead of making files: an experiment, not the real pipeline."""

    def __post_init__(self) -> None:
        if self.split not in PARTS:
            raise UsageError(f"unknown part {self.split!r}", hint=f"choose from {list(PARTS)}")
        if self.videos_per_kind < 2:
            raise UsageError(
                f"{self.videos_per_kind} video per kind has no interval",
                hint="use --videos-per-kind 2 or more",
            )


def evaluate_composite(settings: CompositeSettings, *, progress: Progress = silent) -> Report:
    """Make the composites, score them and measure every detector and baseline.

    Args:
        settings: What to measure.
        progress: Called with the number of files done.

    Raises:
        UsageError: The manifest is missing or cannot make one of the kinds.
        MediaError: A source clip is missing or damaged.
        ModelError: A detector cannot be loaded.
        OutputError: The work folder cannot be written.
    """
    rows = read_manifest(settings.data)
    pipelines = [Pipeline(model_name=name, device=settings.device) for name in settings.models]
    if settings.features_only:
        parts = assign_splits(rows)
        chosen = [i for i, part in enumerate(parts) if part == settings.split]
        features_of = _clip_features(settings.data, rows, chosen, pipelines[0], progress)
        measured = evaluate_feature_composites(
            {pipeline.manifest.name: pipeline.scorer for pipeline in pipelines},
            rows,
            features_of,
            split=settings.split,
            kinds=settings.kinds,
            videos_per_kind=settings.videos_per_kind,
            seed=settings.seed,
        )
    else:
        plans = plan_part(
            rows,
            split=settings.split,
            kinds=settings.kinds,
            videos_per_kind=settings.videos_per_kind,
            seed=settings.seed,
        )
        order = {plan.name: position for position, plan in enumerate(plans)}
        cases = []
        for made in build_files(plans, folder=settings.data, rows=rows, work=settings.work):
            cases.append(_score(made, pipelines))
            progress("composites", len(cases), len(plans))
        # Files are ready in any order; seeds and tables follow the plans.
        cases.sort(key=lambda case: order[case.plan.name])
        measured = measure(cases, seed=settings.seed)
    return Report(
        dataset="composite",
        protocol=_protocol(settings, len(measured[0].values)),
        rows=tuple(measured),
        headline_kinds=HEADLINE_KINDS,
        seed=settings.seed,
    )


def _score(made: CompositeFile, pipelines: Sequence[Pipeline]) -> Case:
    scores: dict[tuple[str, Modality], npt.NDArray[np.floating]] = {}
    for pipeline in pipelines:
        name = pipeline.manifest.name
        # Vision alone is measured on the file without a track, not by looking away from it.
        silent_document = pipeline.score(made.silent)
        document = pipeline.score(made.with_sound)
        scores[name, "v"] = np.array(silent_document.raw_scores)
        scores[name, "va"] = np.array(document.raw_scores)
    info = probe(made.with_sound)
    features = pipelines[0].features(info, content_identity(made.with_sound)).in_float32()
    return Case(
        plan=made.plan,
        positive_T=made.plan.positive_T(features.num_clips),
        features=features,
        detector_scores=scores,
    )


def _clip_features(
    folder: Path,
    rows: Sequence[dict[str, object]],
    chosen: Sequence[int],
    pipeline: Pipeline,
    progress: Progress,
) -> dict[int, VideoFeatures]:
    found = {}
    for index in chosen:
        path = folder / str(rows[index]["file"])
        found[index] = pipeline.features(probe(path), content_identity(path)).in_float32()
        progress("clips", len(found), len(chosen))
    return found


def _protocol(settings: CompositeSettings, num_videos: int) -> str:
    how = (
        "features of the clips joined without making files (an experiment, not the real pipeline)"
        if settings.features_only
        else "real files of 1 to 3 minutes through the real pipeline; modality v is scored on "
        "files without a sound track"
    )
    return (
        f"{num_videos} composites, {settings.videos_per_kind} of each kind, of the "
        f"{settings.split} groups, seed {settings.seed}; {how}. Average precision per video, ties "
        "broken by a seeded key; the headline is the mean over the kinds "
        f"{', '.join(HEADLINE_KINDS)} that were made. 95 % intervals: bootstrap over videos; "
        "videos share source clips, so the true uncertainty is larger."
    )
