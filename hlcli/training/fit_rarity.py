"""Fits the rarity detector on an unlabelled corpus; takes seconds. Videos need no sound.

Axes: N clips, V visual feature size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.model.projection import ROWS_AT_ONCE
from hlcli.model.rarity import Background, RarityScorer
from hlcli.training.clips import ClipSource
from hlcli.training.dataset import SequenceSampler
from hlcli.training.recipe import DataConfig, RarityRecipe

_LONGEST_CALIBRATION_CLIPS = 3600
"""An hour of a video says enough about how far its seconds lie apart."""


def fit_rarity(recipe: RarityRecipe, corpus: ClipSource) -> RarityScorer:
    """Fit the background on all clips of the corpus, and calibrate on its videos as they are.

    Raises:
        TrainingError: There are no clips, or they all look the same.
    """
    scorer = RarityScorer(
        dataclasses.replace(recipe.model, visual_size=corpus.spec.visual_size),
        fit_background(corpus),
        spec_digest=corpus.spec.digest(),
    )
    scorer.calibrate(calibration_videos(corpus, recipe.data, seed=recipe.seed))
    return scorer


def fit_background(corpus: ClipSource) -> Background:
    """Fit the background on all clips; see `Background.fit`."""

    def read() -> Iterator[FloatArray]:
        for video, num_clips in enumerate(corpus.clip_counts):
            for start in range(0, num_clips, ROWS_AT_ONCE):
                stop = min(num_clips, start + ROWS_AT_ONCE)
                yield corpus.read(video, start, stop).visual_TV

    return Background.fit(read)


def calibration_videos(corpus: ClipSource, data: DataConfig, *, seed: int) -> list[VideoFeatures]:
    """Return the videos that raw scores get their meaning from: whole, at most an hour of each.

    Where no video is as long as a training sequence, sequences are composed of them instead: a
    clip of a few seconds says nothing about what is rare in a recording.
    """
    counts = np.array(corpus.clip_counts)
    long = np.flatnonzero(counts >= data.sequence_clips)
    if not len(long):
        return SequenceSampler(corpus, data, seed=seed).calibration()
    most = min(len(long), data.calibration_sequences)
    chosen = long[np.linspace(0, len(long) - 1, most).round().astype(np.int64)]
    return [
        corpus.read(int(video), 0, min(int(counts[video]), _LONGEST_CALIBRATION_CLIPS))
        for video in chosen
    ]
