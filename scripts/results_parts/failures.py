"""What the shipped models say where there is nothing to find: uniform videos, and talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hlcli.evaluation.composite import compose_features, plan_part, read_manifest
from hlcli.evaluation.composite_plan import CompositePlan, CompositeSegment, source_clips
from hlcli.features.types import VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.load import load_scorer
from hlcli.model.scorer import Scorer
from hlcli.progress import silent
from hlcli.training.corpus import load_corpus
from hlcli.training.split import assign_splits
from hlcli.zoo.weights import weights_path
from results_parts.ablations import Say
from results_parts.cost import detectors
from results_parts.measure import SPLIT
from results_parts.settings import Settings, read_piece, write_piece

LEAST_SPEECH = 0.5
NUM_COMPOSITES = 20
_SHORTEST_UNIFORM_SECONDS = 10
_SHORTEST_TALK_SECONDS = 30
_SPEECH = 0
"""Column of "Speech" among the classes of AudioSet."""


def failures_path(settings: Settings) -> Path:
    """File of the piece; it belongs to the weights that are in the zoo now."""
    models = [(detector.name, detector.sha256) for detector in detectors() if not detector.hidden]
    return settings.piece_path("failures", [models, LEAST_SPEECH, NUM_COMPOSITES])


def measure_failures(settings: Settings, say: Say) -> None:
    """Score uniform and talking videos with every detector of the zoo."""
    path = failures_path(settings)
    if read_piece(path) is not None:
        say("failures: already there")
        return
    rows = read_manifest(settings.data)
    members = [index for index, part in enumerate(assign_splits(rows)) if part == SPLIT]
    files = [settings.data / str(rows[index]["file"]) for index in members]
    videos = []
    for manifest in detectors():
        if manifest.hidden:
            continue
        weights = weights_path(manifest, progress=silent)
        scorer = load_scorer(weights)
        encoder = Checkpoint.read(weights).feature_spec.visual_encoder
        corpus = load_corpus(files, visual_encoder=encoder, device="cpu")
        features_of = dict(zip(members, corpus.videos, strict=True))
        for name, made in _videos(rows, features_of).items():
            videos.append({"model": manifest.name, "video": name, **_scored(scorer, made)})
        say(f"failures: {manifest.name} measured on {len(videos)} rows")
    piece = {"least_speech": LEAST_SPEECH, "num_composites": NUM_COMPOSITES, "videos": videos}
    write_piece(path, piece)


def _videos(
    rows: Sequence[Mapping[str, object]], features_of: Mapping[int, VideoFeatures]
) -> dict[str, list[VideoFeatures]]:
    """Videos by what they are: composites with a highlight, one label each, talk."""
    plans = plan_part(rows, split=SPLIT, kinds=("rare",), videos_per_kind=NUM_COMPOSITES, seed=0)
    found = {"with a highlight": [compose_features(plan, features_of)[0] for plan in plans]}
    by_label: dict[str, list[CompositeSegment]] = {}
    for clip in source_clips(rows, list(features_of)):
        if clip.label is not None:
            whole = CompositeSegment(
                clip=clip.index, start_frame=0, num_frames=clip.num_frames, highlight=False
            )
            by_label.setdefault(clip.label, []).append(whole)
    for label, segments in sorted(by_label.items()):
        plan = CompositePlan(name=label, kind="uniform", segments=tuple(segments))
        joined, _ = compose_features(plan, features_of)
        if joined.duration_seconds >= _SHORTEST_UNIFORM_SECONDS:
            found[f"only {label}"] = [joined]
    for index, features in features_of.items():
        events = features.events_TC
        is_long = features.duration_seconds >= _SHORTEST_TALK_SECONDS
        if is_long and events is not None and events[:, _SPEECH].mean() >= LEAST_SPEECH:
            found[f"talk, from {rows[index]['source']}"] = [features]
    return found


def _scored(scorer: Scorer, videos: Sequence[VideoFeatures]) -> dict[str, float]:
    """Figures of the scores with picture and sound, means over the videos."""
    scores = [scorer.score(video, modality="va").score_T for video in videos]
    return {
        "seconds": float(np.mean([video.duration_seconds for video in videos])),
        "best": float(np.mean([score.max() for score in scores])),
        "above_half": float(np.mean([(score > 0.5).mean() for score in scores])),
    }
