"""Detectors on stored features: a model's recipe, fitted anew on the benchmark's own features.

A zoo model reads our encoders' features, and a folder of stored features holds others. So what is
measured is the recipe, not the weights: it is run without labels on the stored features of all
videos of the benchmark (transductive), once per seed, the last checkpoint taken each time.

Axes: N units of the benchmark, T one-second clips, D feature size.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hlcli.errors import CheckpointError, UsageError
from hlcli.evaluation.baselines import Looks
from hlcli.evaluation.benchmarks.benchmark import Benchmark, Float64, LabelledVideo, StoredFeatures
from hlcli.evaluation.benchmarks.candidates import Candidate, clips_candidate
from hlcli.evaluation.benchmarks.held_out import HELD_OUT_NOTE, held_out_scores
from hlcli.evaluation.benchmarks.resample import clips_to_spans, rows_to_spans
from hlcli.features.types import FeatureSpec, FloatArray, VideoFeatures
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.load import load_scorer
from hlcli.model.scorer import Modality, Scorer
from hlcli.progress import Progress, silent
from hlcli.training.corpus import Corpus
from hlcli.training.loop import StepReport
from hlcli.training.recipe import RarityRecipe, RaslRecipe, Recipe, parse_recipe
from hlcli.training.run import train_on
from hlcli.zoo.manifest import find_detector
from hlcli.zoo.weights import weights_path

SEEDS = 5
"""Trainings of a network, each with its own seed."""
_NO_SHA256 = "0" * 64


def refitted_candidates(
    benchmark: Benchmark,
    models: Sequence[str],
    *,
    num_seeds: int = SEEDS,
    device: str = "auto",
    progress: Progress = silent,
) -> list[Candidate]:
    """Fit the recipes of zoo models on a benchmark's stored features; one candidate per modality.

    Args:
        benchmark: Videos; those without features whose axes match across videos are left out.
        models: Names in the model zoo.
        num_seeds: How often a network is trained, with seeds 0, 1, ...; closed forms are fitted
            once, as they have no seed that matters.
        device: Where to train.
        progress: Called with the number of optimiser steps done.

    Raises:
        UsageError: The benchmark stores no such features, or `num_seeds` is below 1.
        UnknownModelError: No detector has that name.
        CheckpointError: A model does not say how it was made.
        TrainingError: The features cannot be learned from.
    """
    if num_seeds < 1:
        raise UsageError(f"{num_seeds} seeds train nothing", hint="use --seeds 1 or more")
    recipes = {name: _recipe_of(name, progress) for name in models}
    if not recipes:
        return []
    corpus = stored_corpus(benchmark)
    modalities: tuple[Modality, ...] = ("v", "a", "va") if _stores_sound(benchmark) else ("v",)
    features_of = dict(zip(corpus.names, corpus.videos, strict=True))
    found = []
    for name, recipe in recipes.items():
        if isinstance(recipe, RarityRecipe):
            found += _held_out_candidates(benchmark, features_of, recipe)
            continue
        seeds = range(num_seeds if isinstance(recipe, RaslRecipe) else 1)
        scorers = [
            _fit(corpus, recipe, seed=seed, seeds=len(seeds), device=device, progress=progress)
            for seed in seeds
        ]
        note = "its recipe refitted, without labels, on these very videos"
        runs = f"mean of {len(scorers)} seeds, last checkpoint" if len(scorers) > 1 else ""
        note = "; ".join(words for words in (note, benchmark.learnable, runs) if words)
        found += [_candidate(name, modality, note, scorers, features_of) for modality in modalities]
    return found


def _held_out_candidates(
    benchmark: Benchmark, features_of: Mapping[str, VideoFeatures], recipe: RarityRecipe
) -> list[Candidate]:
    stratum_of = {video.name: video.stratum for video in benchmark.videos}
    found = held_out_scores(features_of, stratum_of, config=recipe.model)

    note = "; ".join(words for words in (HELD_OUT_NOTE, benchmark.learnable) if words)
    return [
        clips_candidate(row, scores_of, looks="v", is_baseline=False, note=note)
        for row, scores_of in found.items()
    ]


def stored_corpus(benchmark: Benchmark) -> Corpus:
    """Bring the stored features to one-second clips, as a corpus to train on.

    The recipes learn from pairs. Where no sound is stored, the picture stands on both sides: what
    it shares with itself are its principal components, and its clips are contrasted with
    themselves as another encoder sees them. The side of the sound is then never scored.

    Args:
        benchmark: Whose videos; a video counts once, however many entries it has.

    Raises:
        UsageError: No video has features whose axes match across videos.
    """
    stored = {
        video.name: video.stored
        for video in benchmark.videos
        if video.stored is not None and video.stored.shared_picture_TD is not None
    }
    if not stored:
        raise UsageError(
            f"{benchmark.name} stores no features that a detector could be refitted on",
            hint="leave --model out, or give the video files with --videos",
        )
    first = next(iter(stored.values()))
    assert first.shared_picture_TD is not None
    picture_size = first.shared_picture_TD.shape[1]
    sound = first.shared_sound_TD if _stores_sound(benchmark) else first.shared_picture_TD
    assert sound is not None
    spec = FeatureSpec(
        visual_encoder=f"stored:{benchmark.name}",
        visual_sha256=_NO_SHA256,
        visual_size=picture_size,
        picture_size=1,
        audio_encoder=f"stored:{benchmark.name}",
        audio_sha256=_NO_SHA256,
        audio_size=sound.shape[1],
    )
    return Corpus(
        spec=spec,
        names=tuple(stored),
        videos=tuple(_clips(one, spec) for one in stored.values()),
    )


def _stores_sound(benchmark: Benchmark) -> bool:
    return any(
        video.stored and video.stored.shared_sound_TD is not None for video in benchmark.videos
    )


def _clips(stored: StoredFeatures, spec: FeatureSpec) -> VideoFeatures:
    num_clips = max(1, math.ceil(stored.duration_seconds))
    spans = np.stack([np.arange(num_clips), np.arange(num_clips) + 1], axis=1).astype(np.float64)

    def resampled(rows_TD: Float64) -> FloatArray:
        columns = [rows_to_spans(stored.times_seconds_T, column, spans) for column in rows_TD.T]
        return np.stack(columns, axis=1).astype(np.float32)

    assert stored.shared_picture_TD is not None
    sound_TD = stored.shared_sound_TD
    sound_TD = stored.shared_picture_TD if sound_TD is None else sound_TD
    loudness_T = stored.loudness_T
    if loudness_T is None:
        loudness_T = np.zeros(len(stored.times_seconds_T))
    return VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=stored.duration_seconds,
        visual_TV=resampled(stored.shared_picture_TD),
        audio_TA=resampled(sound_TD),
        events_TC=None,
        # No motion is stored: the same number everywhere adds nothing to a fusion.
        motion_T=np.zeros(num_clips, np.float32),
        loudness_T=resampled(loudness_T[:, None])[:, 0],
        shot_boundaries_seconds=np.zeros(0),
    )


def _recipe_of(name: str, progress: Progress) -> Recipe:
    manifest = find_detector(name)
    checkpoint = Checkpoint.read(weights_path(manifest, progress=progress))
    if not checkpoint.recipe:
        raise CheckpointError(
            f"{name} does not say how it was trained, so it cannot be refitted",
            hint="give the video files with --videos",
        )
    return parse_recipe(checkpoint.recipe)


def _fit(
    corpus: Corpus, recipe: Recipe, *, seed: int, seeds: int, device: str, progress: Progress
) -> Scorer:
    def on_step(report: StepReport) -> None:
        stage = f"training {recipe.name}, {seed + 1} of {seeds}"
        progress(stage, report.step, report.steps)

    with tempfile.TemporaryDirectory() as folder:
        if isinstance(recipe, RaslRecipe):
            training = dataclasses.replace(recipe.training, seed=seed)
            # The seeds are told apart, so each is one network and not a committee of several.
            model = dataclasses.replace(recipe.model, standing_members=1)
            recipe = dataclasses.replace(recipe, model=model, training=training, output=folder)
        else:
            recipe = dataclasses.replace(recipe, output=folder)
        path = train_on(corpus, recipe, device=device, on_step=on_step)
        return load_scorer(Path(path), device="cpu", feature_spec=corpus.spec)


def _candidate(
    name: str,
    modality: Modality,
    note: str,
    scorers: Sequence[Scorer],
    features_of: dict[str, VideoFeatures],
) -> Candidate:
    looks: Looks = modality

    def rank(video: LabelledVideo) -> Sequence[Float64] | None:
        features = features_of.get(video.name)
        if features is None:
            return None
        scores = [scorer.score(features, modality=modality).raw_T for scorer in scorers]
        return [
            clips_to_spans(score.astype(np.float64), video.spans_seconds_N2, clip_seconds=1.0)
            for score in scores
        ]

    return Candidate(
        name=f"{name}, refitted",
        looks=looks,
        is_baseline=False,
        note=note,
        rank=rank,
    )
