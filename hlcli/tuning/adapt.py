"""Adapts a detector to a project's own footage, without labels.

A network goes on with its unsupervised training; the background of the rarity detector moves a
little towards the footage. Forgetting is held back in two ways: small steps, and averaging the
tuned weights with the parent's. Rehearsing old data is not possible: the clips the models were
trained on may not be passed on.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hlcli.errors import CheckpointError, RecipeError, TrainingError, UsageError
from hlcli.model.detector import RaslNetwork
from hlcli.model.fusion import FusedScorer
from hlcli.model.rarity import RarityScorer
from hlcli.model.rasl import RaslScorer
from hlcli.training.clips import ClipSource
from hlcli.training.dataset import SequenceSampler
from hlcli.training.distributed import ALONE, Ranks
from hlcli.training.fit_rarity import fit_background
from hlcli.training.loop import OnStep, ignore_step, train_network
from hlcli.training.recipe import (
    Precision,
    RaslRecipe,
    TrainingConfig,
    parse_recipe,
    recipe_digest,
)

_SAVE_EVERY = 20
BACKGROUND_SHARE = 0.1
"""Share of the footage in the background of a rarity detector. On TVSum a tenth of the tested
category changes nothing and a quarter already costs: what the whole project shows would count as
ordinary (docs/benchmarks/finetune.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptSettings:
    """How far a network follows the footage; the defaults: docs/benchmarks/finetune.md."""

    steps: int = 40
    """Optimiser steps, at least 1."""
    batch_size: int = 16
    """Sequences in a batch, at least 2."""
    learning_rate: float = 1e-4
    """Highest learning rate, above 0: a tenth of what the bundled network was trained with."""
    average: float = 0.25
    """Share of the tuned weights in the result, in [0, 1]; the rest are the parent's. 0 trains
    nothing."""
    precision: Precision | None = None
    """As in a training recipe; None takes what the device is fast at: float32 on a CPU."""
    seed: int = 0
    """Seed of everything random, at least 0."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2 or self.seed < 0:
            raise UsageError("steps >= 1, batch_size >= 2 and seed >= 0 must hold")
        if not self.learning_rate > 0:
            raise UsageError(f"learning_rate is above 0, got {self.learning_rate}")
        if not 0 <= self.average <= 1:
            raise UsageError(f"average lies in [0, 1], got {self.average}")


def adapt(
    scorer: FusedScorer,
    corpus: ClipSource,
    *,
    settings: AdaptSettings,
    device: torch.device,
    work: Path,
    recipe: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
    on_step: OnStep = ignore_step,
) -> RaslScorer:
    """Train a copy of a network on footage, going on from the state in `work` where there is one.

    The input maps, the fusion, the taste and the calibration stay the scorer's: standardising the
    terms anew on the footage costs much of what the training gains. Where the footage is silent,
    so does everything about sound but what picture and sound share.

    Args:
        scorer: The parent, of kind "rasl"; left as it is.
        corpus: The footage.
        settings: How far to go.
        device: Where to train, and where the result is.
        work: Folder of the training state and of the log of losses; it exists.
        recipe: What the parent was trained with, from its file; objective and composition of
            sequences are taken from there, or are the usual ones where None.
        ranks: The processes that train together; every one gets the same result.
        on_step: Called after each step, in every process.

    Raises:
        UsageError: The parent has no network.
        RecipeError: The recipe is not one of a network.
        TrainingError: Too little footage, or it all looks alike; a loss that is no number (the
            batch is named and the last good state kept); a state of another run.
        CheckpointError: The footage's features are not the parent's.
        OutputError: The state cannot be written.
    """
    if not isinstance(scorer, RaslScorer):
        # Its map could be fitted again, but on one project's footage that is another detector, not
        # a tuned one, and nothing of the parent would be left to be averaged with.
        raise UsageError(
            f"a model of kind {scorer.kind!r} has no network that could be trained on",
            hint="start from rarity or rasl, or learn from a cut or from marks alone",
        )
    _check_spec(scorer, corpus)
    trained = trained_with(recipe)
    network = copy.deepcopy(scorer.network)
    if settings.average:
        sampler = _sampler(corpus, trained, seed=settings.seed)
        training = _training(trained, settings, device)
        train_network(
            network,
            sampler,
            objective=trained.objective,
            training=training,
            output=work,
            run_digest=_digest(scorer.network, corpus, trained, training),
            device=device,
            ranks=ranks,
            on_step=on_step,
            nan_hint="leave these files out, or learn from a cut or marks alone",
        )
        _average(network, scorer.network, share=settings.average)
    tuned = RaslScorer(
        network,
        spec_digest=scorer.spec_digest,
        statistics=scorer.statistics,
        device=device,
        fusion=scorer.fusion,
    )
    tuned.taste = scorer.taste
    return tuned


def adapt_background(scorer: RarityScorer, corpus: ClipSource) -> RarityScorer:
    """Return the detector with a background that knows the footage, `BACKGROUND_SHARE` of it.

    Raises:
        TrainingError: All of the footage looks the same.
        CheckpointError: The footage's features are not the parent's.
    """
    _check_spec(scorer, corpus)
    footage = fit_background(corpus)
    return scorer.with_background(scorer.background.mixed_with(footage, share=BACKGROUND_SHARE))


def trained_with(recipe: Mapping[str, Any] | None) -> RaslRecipe:
    """Find the recipe a network was first trained with; the usual settings where nobody says.

    Args:
        recipe: `Checkpoint.recipe`. That of a tuned model holds its parent's under
            "parent_recipe".

    Raises:
        RecipeError: It is none of a network, or has a setting nobody knows.
    """
    while recipe and recipe.get("kind") == "finetune":
        recipe = recipe.get("parent_recipe")
    if not recipe:
        return RaslRecipe()
    found = parse_recipe(recipe)
    if not isinstance(found, RaslRecipe):
        raise RecipeError(
            f"the parent's recipe is of kind {found.kind!r}, not 'rasl'", hint="take another parent"
        )
    return found


def _check_spec(scorer: FusedScorer, corpus: ClipSource) -> None:
    if corpus.spec.digest() != scorer.spec_digest:
        raise CheckpointError(
            "the footage's features are not those the parent was trained on",
            hint="extract them with the encoders that the parent names",
        )


def _sampler(corpus: ClipSource, trained: RaslRecipe, *, seed: int) -> SequenceSampler:
    sampler = SequenceSampler(corpus, trained.data, seed=seed)
    if len({segment.category for segment in sampler.segments}) < 2:
        # Nothing could be planted in anything else.
        clip = corpus.spec.clip_seconds
        raise TrainingError(
            f"{sum(corpus.clip_counts) * clip:.0f} s of footage that all looks alike is too little "
            "to go on training",
            hint=f"add footage, at least {2 * trained.data.segment_clips * clip:.0f} s in all, or "
            "learn from a cut or marks alone",
        )
    return sampler


def _training(trained: RaslRecipe, settings: AdaptSettings, device: torch.device) -> TrainingConfig:
    return dataclasses.replace(
        trained.training,
        steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        # The average with the parent is enough of one.
        ema_decay=0.0,
        precision=settings.precision or fast_precision(device),
        seed=settings.seed,
        save_every=_SAVE_EVERY,
    )


def fast_precision(device: torch.device) -> Precision:
    """What a device is fast at: mixed precision on NVIDIA's, float32 elsewhere."""
    if device.type != "cuda":
        return "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _digest(
    parent: RaslNetwork, corpus: ClipSource, trained: RaslRecipe, training: TrainingConfig
) -> str:
    """Hex sha256 of all that the trained weights follow from."""
    digest = hashlib.sha256()
    # The names and folders of the parent's data do not matter, nor how long it was trained.
    data = dataclasses.replace(trained.data, folders=(), manifest="", split="all")
    recipe = dataclasses.replace(trained, data=data, training=training)
    digest.update(f"adapt {recipe_digest(recipe)} {corpus.digest()}".encode())
    for name, tensor in parent.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def _average(network: RaslNetwork, parent: RaslNetwork, *, share: float) -> None:
    """Move `network` back towards its parent; the input maps are the same in both."""
    before = dict(parent.named_parameters())
    for name, parameter in network.named_parameters():
        own = before[name].to(parameter)
        parameter.copy_(torch.lerp(own, parameter, share))
