"""Composites with known highlights: feature-level ones, and how any of them is measured.

Feature-level composites join the stored features of short clips without decoding anything.
They serve experiments (hundreds of videos in a second), NOT published figures: encoders never
see the cuts, and no codec stands between. `hlcli.evaluation.footage` makes the real files.

Axes: T clips.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.errors import UsageError
from hlcli.evaluation.baselines import BASELINES
from hlcli.evaluation.composite_plan import (
    FRAME_RATE,
    KINDS,
    CompositePlan,
    CompositeSegment,
    plan_composites,
    source_clips,
)
from hlcli.evaluation.metrics import average_precision
from hlcli.evaluation.report import Row
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.model.scorer import Modality, Scorer
from hlcli.training.split import assign_splits

RANDOM_DRAWS = 20
"""Random rankings per video behind the row `random`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One composite, its labels, and what the detectors said about it."""

    plan: CompositePlan
    """What it is made of."""
    positive_T: npt.NDArray[np.bool_]
    """True where a clip is a highlight, shape `(T,)`."""
    features: VideoFeatures
    """Features with sound, for the baselines; T clips."""
    detector_scores: Mapping[tuple[str, Modality], npt.NDArray[np.floating]]
    """Scores by detector name and modality, each of shape `(T,)`."""


def read_manifest(folder: Path) -> list[dict[str, object]]:
    """Read `manifest.json` of a folder of labelled clips: a list with one object per clip.

    Each needs `file`, `source`, `label` (or null), `group` (or null) and `duration_seconds`.

    Raises:
        UsageError: There is no manifest, or it is not such a list.
    """
    path = folder / "manifest.json"
    hint = "--data takes a folder of short clips with a manifest.json"
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}", hint=hint) from error
    needed = {"file", "source", "duration_seconds"}
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and needed <= row.keys() for row in rows
    ):
        raise UsageError(f"{path} is not a list of objects with {sorted(needed)}", hint=hint)
    return rows


def plan_part(
    rows: Sequence[Mapping[str, object]],
    *,
    split: str,
    kinds: Sequence[str] = KINDS,
    videos_per_kind: int,
    seed: int,
) -> list[CompositePlan]:
    """Plan composites from the clips of one part; parts never share a group.

    Args:
        rows: The whole manifest.
        split: "train", "dev" or "test".
        kinds: Which kinds to make.
        videos_per_kind: How many of each.
        seed: Fixes everything that is drawn.

    Raises:
        UsageError: The part is unknown or empty, or cannot make one of the kinds.
    """
    parts = assign_splits(rows)
    chosen = [i for i, part in enumerate(parts) if part == split]
    if not chosen:
        raise UsageError(f"no clip is in the part {split!r}", hint="use train, dev or test")
    clips = source_clips(rows, chosen)
    return [
        plan
        for kind in kinds
        for plan in plan_composites(clips, kind=kind, num_videos=videos_per_kind, seed=seed)
    ]


def compose_features(
    plan: CompositePlan, features_of: Mapping[int, VideoFeatures]
) -> tuple[VideoFeatures, npt.NDArray[np.bool_]]:
    """Join the features of a plan's segments, rounded to whole clips.

    Args:
        plan: What to join.
        features_of: Features of each source clip by its row in the manifest.

    Returns:
        The features of the composite and the label of each of its clips, shape `(T,)`. Sound is
        None if any piece has none.
    """
    pieces = [_piece(features_of[segment.clip], segment) for segment in plan.segments]
    positive_T = np.concatenate(
        [
            np.full(piece.num_clips, segment.highlight)
            for piece, segment in zip(pieces, plan.segments, strict=True)
        ]
    )
    starts = np.cumsum([0] + [piece.num_clips for piece in pieces])
    boundaries = np.concatenate(
        [starts[1:-1].astype(np.float64)]
        + [
            piece.shot_boundaries_seconds + start
            for piece, start in zip(pieces, starts[:-1], strict=True)
        ]
    )
    joined = VideoFeatures(
        spec_digest=pieces[0].spec_digest,
        duration_seconds=float(starts[-1]),
        visual_TV=np.concatenate([piece.visual_TV for piece in pieces]),
        audio_TA=_joined([piece.audio_TA for piece in pieces]),
        events_TC=_joined([piece.events_TC for piece in pieces]),
        motion_T=np.concatenate([piece.motion_T for piece in pieces]),
        loudness_T=_joined([piece.loudness_T for piece in pieces]),
        shot_boundaries_seconds=np.unique(boundaries),
    )
    return joined, positive_T


def evaluate_feature_composites(
    scorers: Mapping[str, Scorer],
    rows: Sequence[Mapping[str, object]],
    features_of: Mapping[int, VideoFeatures],
    *,
    split: str = "dev",
    kinds: Sequence[str] = KINDS,
    modalities: Sequence[Modality] = ("v", "va"),
    videos_per_kind: int = 60,
    seed: int = 0,
) -> list[Row]:
    """Measure detectors beside all baselines on feature-level composites.

    Args:
        scorers: Detectors by the name of their row.
        rows: The whole manifest.
        features_of: Features of each source clip of the part by its row in the manifest.
        split: "train", "dev" or "test".
        kinds: Which kinds to make.
        modalities: What the detectors may look at; each gives a row of its own.
        videos_per_kind: How many composites of each kind.
        seed: Fixes everything that is drawn.

    Returns:
        One row per detector and modality, then the baselines; see `hlcli.evaluation.report`.

    Raises:
        UsageError: The part cannot make one of the kinds.
        CheckpointError: A scorer was trained on other features.
    """
    cases = []
    for plan in plan_part(
        rows, split=split, kinds=kinds, videos_per_kind=videos_per_kind, seed=seed
    ):
        features, positive_T = compose_features(plan, features_of)
        scores = {
            (name, modality): scorer.score(features, modality=modality).raw_T
            for name, scorer in scorers.items()
            for modality in modalities
        }
        cases.append(
            Case(plan=plan, positive_T=positive_T, features=features, detector_scores=scores)
        )
    return measure(cases, seed=seed)


def measure(cases: Sequence[Case], *, seed: int) -> list[Row]:
    """Return the average precision of every detector and baseline on every case.

    A baseline that no case can compute has no row; where it lacks its input in some, it ranks
    those at random.

    Args:
        cases: The composites with the scores of the detectors, all naming the same detectors.
        seed: Fixes random rankings and the order among equal scores.
    """
    columns: dict[tuple[str, str, bool], list[float]] = {}

    def add(name: str, looks: str, is_baseline: bool, value: float) -> None:
        columns.setdefault((name, looks, is_baseline), []).append(value)

    usable = [
        baseline
        for baseline in BASELINES
        if any(baseline.score(case.features) is not None for case in cases)
    ]
    for index, case in enumerate(cases):
        num_clips = len(case.positive_T)
        case_seed = seed * 1_000_003 + index
        for (name, modality), scores_T in case.detector_scores.items():
            value = average_precision(case.positive_T, scores_T, seed=case_seed)
            add(name, modality, False, value)
        for baseline in usable:
            scores = baseline.score(case.features)
            scores = np.zeros(num_clips) if scores is None else scores
            value = average_precision(case.positive_T, scores, seed=case_seed)
            add(baseline.name, baseline.looks, True, value)
        random = np.random.default_rng([seed, index])
        draws = [
            average_precision(case.positive_T, random.random(num_clips), seed=case_seed)
            for _ in range(RANDOM_DRAWS)
        ]
        add("random", "none", True, float(np.mean(draws)))
        add("oracle", "labels", True, average_precision(case.positive_T, case.positive_T))
    kinds = tuple(case.plan.kind for case in cases)
    return [
        Row(name=name, looks=looks, is_baseline=is_baseline, kinds=kinds, values=tuple(values))
        for (name, looks, is_baseline), values in columns.items()
    ]


def _piece(features: VideoFeatures, segment: CompositeSegment) -> VideoFeatures:
    # Whole clips only: a last clip of less than half a second is no clip.
    usable = max(1, min(features.num_clips, round(features.duration_seconds)))
    count = min(usable, max(1, round(segment.num_frames / FRAME_RATE)))
    first = min(round(segment.start_frame / FRAME_RATE), usable - count)
    rows = slice(first, first + count)
    cuts = features.shot_boundaries_seconds
    cuts = cuts[(cuts > first) & (cuts < first + count)] - first
    return VideoFeatures(
        spec_digest=features.spec_digest,
        duration_seconds=float(count),
        visual_TV=features.visual_TV[rows],
        audio_TA=None if features.audio_TA is None else features.audio_TA[rows],
        events_TC=None if features.events_TC is None else features.events_TC[rows],
        motion_T=features.motion_T[rows],
        loudness_T=None if features.loudness_T is None else features.loudness_T[rows],
        shot_boundaries_seconds=cuts,
    )


def _joined(parts: Sequence[FloatArray | None]) -> FloatArray | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if len(present) == len(parts) else None
