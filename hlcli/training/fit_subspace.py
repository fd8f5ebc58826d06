"""Fits the closed-form subspace on an unlabelled corpus; takes seconds."""

from __future__ import annotations

import dataclasses

from hlcli.model.config import SubspaceConfig
from hlcli.model.projection import ProjectionPair, fit_projections_to_blocks
from hlcli.model.subspace import SubspaceScorer
from hlcli.training.clips import ClipSource, count_paired, paired_blocks
from hlcli.training.dataset import SequenceSampler
from hlcli.training.recipe import SubspaceRecipe


def fit_subspace(recipe: SubspaceRecipe, corpus: ClipSource) -> SubspaceScorer:
    """Fit the maps on all clips of the corpus and calibrate on composed sequences.

    Raises:
        TrainingError: No video has sound, or there is nothing to tell clips apart by.
    """
    maps = fit_maps(recipe.model, corpus)
    config = dataclasses.replace(
        recipe.model,
        visual_size=corpus.spec.visual_size,
        audio_size=corpus.spec.audio_size,
        dim=maps.visual.weight_VD.shape[1],
    )
    scorer = SubspaceScorer(config, maps, spec_digest=corpus.spec.digest())
    scorer.calibrate(SequenceSampler(corpus, recipe.data, seed=recipe.seed).calibration())
    return scorer


def fit_maps(config: SubspaceConfig, corpus: ClipSource) -> ProjectionPair:
    """Fit the maps of both modalities on the clips that have picture and sound."""
    return fit_projections_to_blocks(
        paired_blocks(corpus),
        count_paired(corpus),
        kind=config.projection,
        dim=config.dim,
        visual_pca=config.visual_pca,
        audio_pca=config.audio_pca,
    )
